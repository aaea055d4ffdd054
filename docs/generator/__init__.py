# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What `make docs` writes into the pages: one module a source that it is read from."""
