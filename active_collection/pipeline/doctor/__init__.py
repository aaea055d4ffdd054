# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Find what is wrong on a robot's computer, in its data directory and in its ROS graph."""
