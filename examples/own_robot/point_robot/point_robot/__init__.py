# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The driver of the point robot."""
