# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Follow topics as their publishers offer them; what rclpy does not promise stands here."""
