# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The batch that a query strategy fills, and the limits that every batch keeps to."""
from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from active_collection.errors import SelectionError
from active_collection.selection.units import Indices
from active_collection.selection.units import Scores
from active_collection.selection.units import Units

#: A longer gap (s) is one pick a recording all the same, and would not fit a number of ns.
LONGEST_GAP_S = 1e9


@dataclass(frozen=True)
class Pick:
    """
    A chosen unit.

    :param unit: its number
    :param score: what made the strategy choose it, in the strategy's own unit
    :param reason: one line for a person
    """

    unit: int
    score: float
    reason: str


@dataclass(frozen=True)
class Limits:
    """
    What every batch keeps to, whatever the strategy.

    :param gap_s: least time between two picks of one recording (s)
    :param duplicate_bits: picks differ in more than so many of the 64 hash bits; -1: no limit
    :param quotas: stratum name to the most picks that share its value
    """

    gap_s: float = 0.0
    duplicate_bits: int = -1
    quotas: Mapping[str, int] = field(default_factory=dict)


class Batch:
    """
    The picks of one selection, being gathered. It alone knows which units may still be taken.

    `duplicates` counts the units that were ruled out because they look like a pick; `notes` are
    lines that the strategy has to say of the whole.

    :param units: the pool
    :param count: how many to take at most
    :param hashes: uint64 (N,): difference hashes, for near-duplicates
    :param candidates: bool (N,): what may be taken at all
    :raises SelectionError: where a quota names an unknown stratum
    """

    def __init__(self, units: Units, count: int, *, candidates: NDArray[np.bool_],
                 limits: Limits | None = None, hashes: NDArray[np.uint64] | None = None) -> None:
        self._limits = limits or Limits()
        self.count = count
        self.picks: list[Pick] = []
        self.notes: list[str] = []
        self._available = candidates.copy()
        self._units = units
        self._hashes = hashes
        self._gap_ns = math.ceil(min(self._limits.gap_s, LONGEST_GAP_S) * 1e9)
        self._order = np.lexsort((units.stamps, units.recordings)) if self._gap_ns else None
        self._recordings = units.recordings[self._order] if self._order is not None else None
        self._used: dict[str, dict[int, int]] = {}
        self.duplicates = 0
        for name in self._limits.quotas:
            if name not in units.strata:
                raise SelectionError('quota', found=repr(name),
                                     expected=f'one of {", ".join(units.strata)}')
            self._used[name] = {}
        if self._limits.duplicate_bits >= 0 and hashes is None:
            raise SelectionError('near-duplicates', found='no hashes', expected='a pool with them')

    @property
    def available(self) -> NDArray[np.bool_]:
        """Return bool (N,), read-only: what may still be taken."""
        view = self._available.view()
        view.flags.writeable = False
        return view

    @property
    def remaining(self) -> int:
        """Return how many picks are still wanted."""
        return self.count - len(self.picks)

    @property
    def is_full(self) -> bool:
        """Tell whether nothing more can be taken."""
        return self.remaining <= 0 or not self._available.any()

    def allows(self, unit: int) -> bool:
        """Tell whether a unit may still be taken."""
        return bool(self._available[unit])

    def take(self, unit: int, score: float, reason: str) -> None:
        """
        Take a unit, and rule out what the limits then forbid.

        :raises SelectionError: where it is not available: an error of the strategy
        """
        if self.remaining <= 0 or not self.allows(unit):
            raise SelectionError('query strategy', found=f'unit {unit}, which is not available',
                                 expected='one that is')
        self.picks.append(Pick(int(unit), float(score), reason))
        self._available[unit] = False
        self._close_in_time(unit)
        self._near_duplicates(unit)
        self._full_strata(unit)

    def take_in_order(self, units: Sequence[int] | Indices, scores: Scores, reason: str) -> None:
        """
        Take units in the given order, stepping over what is not available, until full.

        :param scores: one for each of `units`
        :param reason: its '{score}' becomes the unit's score
        """
        for unit, score in zip(units, scores, strict=True):
            if self.remaining <= 0:
                return
            if self.allows(int(unit)):
                self.take(int(unit), float(score), reason.format(score=f'{score:.4g}'))

    def keep_away_from(self, unit: int) -> None:
        """Rule out what is too near to a unit that is labelled already, in time and in looks."""
        self._close_in_time(unit)
        self._near_duplicates(unit)

    def _close_in_time(self, unit: int) -> None:
        if self._order is None or self._recordings is None:
            return
        units, order = self._units, self._order
        recording, stamp = units.recordings[unit], units.stamps[unit]
        start = int(np.searchsorted(self._recordings, recording, 'left'))
        stop = int(np.searchsorted(self._recordings, recording, 'right'))
        stamps = units.stamps[order[start:stop]]
        low = start + int(np.searchsorted(stamps, stamp - self._gap_ns, 'right'))
        high = start + int(np.searchsorted(stamps, stamp + self._gap_ns, 'left'))
        self._available[order[low:high]] = False

    def _near_duplicates(self, unit: int) -> None:
        if self._limits.duplicate_bits < 0 or self._hashes is None:
            return
        left = np.flatnonzero(self._available)
        bits = _bits(self._hashes[left] ^ self._hashes[unit])
        same = left[bits <= self._limits.duplicate_bits]
        self._available[same] = False
        self.duplicates += len(same)

    def _full_strata(self, unit: int) -> None:
        for name, most in self._limits.quotas.items():
            codes = self._units.strata[name]
            code = int(codes[unit])
            used = self._used[name]
            used[code] = used.get(code, 0) + 1
            if used[code] >= most:
                self._available[codes == code] = False


class Part:
    """
    Some units of a batch, under numbers of their own: what may be taken, and the taking.

    :param units: int64 (M,): their numbers in the pool
    """

    def __init__(self, batch: Batch, units: Indices) -> None:
        self._batch = batch
        self._units = units

    @property
    def available(self) -> NDArray[np.bool_]:
        """Return bool (M,): what may still be taken."""
        return np.asarray(self._batch.available[self._units])

    @property
    def remaining(self) -> int:
        """Return how many picks are still wanted."""
        return self._batch.remaining

    @property
    def is_full(self) -> bool:
        """Tell whether nothing more can be taken of these units."""
        return self.remaining <= 0 or not self.available.any()

    def take(self, unit: int, score: float, reason: str) -> None:
        """Take one of these units, by its number here."""
        self._batch.take(int(self._units[unit]), score, reason)


def _bits(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the number of bits set in each value (numpy before 2 has no bitwise_count)."""
    if hasattr(np, 'bitwise_count'):
        return np.asarray(np.bitwise_count(values), dtype=np.uint8)
    return np.asarray(np.unpackbits(values.view(np.uint8).reshape(-1, 8), axis=1).sum(1), np.uint8)
