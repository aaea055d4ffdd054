# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Simulated robots, for the demo, the tests and the benchmarks."""
