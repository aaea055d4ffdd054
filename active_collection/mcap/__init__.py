# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The MCAP format, once: records, chunks, index, damage; for all who read, record or salvage."""
