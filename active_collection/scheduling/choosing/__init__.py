# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What to collect next, by whom, and why."""
