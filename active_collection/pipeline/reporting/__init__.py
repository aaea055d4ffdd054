# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the report shows, gathered from what lies in a data directory."""
