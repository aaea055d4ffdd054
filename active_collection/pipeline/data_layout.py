# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What lies in a data directory under a fixed name, beside the episodes."""
from __future__ import annotations

#: The pool, the rounds by their number, and the evaluations of ensembles: directories.
POOL, ROUNDS, EVALUATIONS = 'pool', 'rounds', 'evaluations'
#: The scheduler's ledger: an SQLite file.
LEDGER = 'scheduler.sqlite3'
