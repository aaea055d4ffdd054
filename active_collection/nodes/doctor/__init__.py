# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Looks at a robot for `active-collection doctor`, and prints what it sees as JSON."""
