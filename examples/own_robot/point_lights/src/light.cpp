// Copyright 2026 The active_collection contributors
// SPDX-License-Identifier: Apache-2.0
#include "light.hpp"

std::string light_for(const active_collection::msg::RobotStatus & status)
{
  using Status = active_collection::msg::RobotStatus;

  switch (status.state) {
    case Status::FAULT:
    case Status::NEEDS_HELP:
      return "red";
    case Status::WAITING_FOR_READY:
    case Status::PAUSED:
      return "yellow";
    case Status::SETTING_UP:
    case Status::COLLECTING:
    case Status::REPORTING:
      return "green";
    default:
      return "off";
  }
}
