# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The managed node `recorder`: episodes from its services to bags."""
