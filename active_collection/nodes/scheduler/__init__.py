# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `scheduler`: leases scenarios to the robots of a fleet."""
