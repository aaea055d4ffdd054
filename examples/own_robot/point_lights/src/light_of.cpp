// Copyright 2026 The active_collection contributors
// SPDX-License-Identifier: Apache-2.0
// Reads one serialized RobotStatus, as it stands in a bag, from standard input; prints its light.
#include <cstdint>
#include <iostream>
#include <iterator>
#include <vector>

#include "active_collection/msg/robot_status.hpp"
#include "light.hpp"
#include "rmw/rmw.h"
#include "rosidl_typesupport_cpp/message_type_support.hpp"

int main()
{
  std::vector<std::uint8_t> bytes{
    std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  rmw_serialized_message_t serialized = rmw_get_zero_initialized_serialized_message();
  serialized.buffer = bytes.data();
  serialized.buffer_length = serialized.buffer_capacity = bytes.size();
  serialized.allocator = rcutils_get_default_allocator();

  active_collection::msg::RobotStatus status;
  const auto * type = rosidl_typesupport_cpp::get_message_type_support_handle<
    active_collection::msg::RobotStatus>();
  if (rmw_deserialize(&serialized, type, &status) != RMW_RET_OK) {
    std::cerr << "light_of: standard input: found " << bytes.size() <<
      " bytes, expected a serialized active_collection/msg/RobotStatus\n";
    return 2;
  }
  std::cout << status.robot << ": " << light_for(status) << "\n";
  return 0;
}
