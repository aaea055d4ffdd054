# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The program `operator_keys`: a robot's operator at a terminal."""
