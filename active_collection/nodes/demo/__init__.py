# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The program `demo`: the whole loop on one machine."""
