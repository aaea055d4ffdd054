# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the command line and the nodes share: it joins packages that do not know each other."""
