# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is left of bags whose recorder died, or that a disk has damaged, becomes whole bags."""
