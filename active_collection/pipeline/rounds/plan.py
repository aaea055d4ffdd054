# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the next round is, where nobody says otherwise."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from active_collection.selection.pool import Pool
from active_collection.selection.rounds import Round
from active_collection.selection.rounds import all_rounds
from active_collection.selection.rounds import number_of

BATCH = 300
#: The first round covers the pool: this share of it, within these bounds.
SEED_SHARE, SEED_LEAST, SEED_MOST = 0.05, 50, 500


@dataclass(frozen=True)
class Plan:
    """
    The next round.

    :param before: directories of the rounds before it
    :param count: units to select
    :param strategy: query strategy
    """

    number: int
    before: list[Path]
    count: int
    strategy: str


def plan_round(directory: Path, pool: Pool, *, held_out: bool) -> Plan:
    """
    Return the round after those of a directory.

    :param held_out: whether its labels are kept apart, to test what the others teach
    :raises SelectionError: where a round cannot be read
    """
    before = all_rounds(directory)
    seeded = any(not Round.open(each).is_held_out for each in before)
    seed_count = max(SEED_LEAST, min(SEED_MOST, round(SEED_SHARE * len(pool))))
    return Plan(
        number_of(before[-1]) + 1 if before else 1, before, BATCH if seeded else seed_count,
        'random' if held_out else 'hybrid' if seeded else 'typiclust')
