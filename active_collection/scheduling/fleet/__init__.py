# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What becomes of an assignment: leases, orders, results, and the memory of it all."""
