# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `simulated_robot`: a robot in simulation, as its peers meet a real one."""
