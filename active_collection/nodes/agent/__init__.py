# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `agent`: one robot's collection loop against its real peers."""
