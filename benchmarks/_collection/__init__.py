# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a collection rule saves: one unit of work, all of them, and what they come to."""
