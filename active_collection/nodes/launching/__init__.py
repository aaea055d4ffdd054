# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which nodes make a robot and a fleet, and how launch starts them."""
