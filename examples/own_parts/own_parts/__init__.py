# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Parts for active_collection: each is found by its name once this package is installed."""
