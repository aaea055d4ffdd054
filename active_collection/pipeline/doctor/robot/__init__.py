# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What may be wrong with a robot's nodes and topics, judged by what was seen of them."""
