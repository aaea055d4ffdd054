# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Chosen episodes as a LeRobot dataset, version 3.0."""
