// Copyright 2026 The active_collection contributors
// SPDX-License-Identifier: Apache-2.0
#ifndef LIGHT_HPP_
#define LIGHT_HPP_

#include <string>

#include "active_collection/msg/robot_status.hpp"

/// Return the light for a robot: "red" where it cannot go on without a person, "yellow" where it
/// waits for one, "green" where it works, "off" where it has nothing to do.
std::string light_for(const active_collection::msg::RobotStatus & status);

#endif  // LIGHT_HPP_
