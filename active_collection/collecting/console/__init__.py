# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What an operator at a robot sees in a terminal, and what their keys do. No ROS."""
