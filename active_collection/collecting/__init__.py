# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""One robot's collection loop, without ROS."""
