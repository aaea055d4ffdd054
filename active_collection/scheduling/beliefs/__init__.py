# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is believed of tasks and configurations."""
