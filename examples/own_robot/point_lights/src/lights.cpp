// Copyright 2026 The active_collection contributors
// SPDX-License-Identifier: Apache-2.0
// A node in a robot's namespace: hears `robot_status`, publishes `light` when it changes.
#include <memory>
#include <string>

#include "active_collection/msg/robot_status.hpp"
#include "light.hpp"
#include "rclcpp/rclcpp.hpp"
#include "std_msgs/msg/string.hpp"

class Lights : public rclcpp::Node
{
public:
  Lights()
  : Node("lights")
  {
    // The newest light, also for those who come later.
    light_ = create_publisher<std_msgs::msg::String>("light", rclcpp::QoS(1).transient_local());
    status_ = create_subscription<active_collection::msg::RobotStatus>(
      "robot_status", rclcpp::QoS(10),
      [this](active_collection::msg::RobotStatus::ConstSharedPtr status) {hear(*status);});
  }

private:
  void hear(const active_collection::msg::RobotStatus & status)
  {
    const std::string light = light_for(status);
    if (light != shown_.data) {
      shown_.data = light;
      light_->publish(shown_);
      RCLCPP_INFO(get_logger(), "%s: %s", light.c_str(), status.message.c_str());
    }
  }

  std_msgs::msg::String shown_;
  rclcpp::Publisher<std_msgs::msg::String>::SharedPtr light_;
  rclcpp::Subscription<active_collection::msg::RobotStatus>::SharedPtr status_;
};

int main(int argc, char ** argv)
{
  rclcpp::init(argc, argv);
  rclcpp::spin(std::make_shared<Lights>());
  rclcpp::shutdown();
  return 0;
}
