# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The rounds of the annotation loop: what is in one, and what its labels teach."""
