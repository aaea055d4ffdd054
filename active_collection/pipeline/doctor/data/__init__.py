# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What may be wrong with the directory of episodes, found without ROS."""
