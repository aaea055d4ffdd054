# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What may be wrong on a computer, found without ROS."""
