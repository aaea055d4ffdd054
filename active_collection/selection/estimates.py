# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Give each frame the uncertainty that its own bag holds for that moment."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from active_collection.bags.images import stamp_ns
from active_collection.errors import BagError

ESTIMATE_TYPE = 'active_collection/msg/UncertaintyEstimate'
FIELDS = ('epistemic', 'aleatoric', 'novelty')


class Estimates(NamedTuple):
    """
    The estimates of one topic, sorted by time.

    :param stamps: int64 (E,), ns
    :param values: float32 (E, 3): FIELDS
    """

    stamps: NDArray[np.int64]
    values: NDArray[np.float32]


Row = tuple[int, float, float, float]


def row(message: Any, receive_ns: int, where: str) -> Row:
    """
    Return the stamp (ns) and FIELDS of a decoded UncertaintyEstimate.

    :param where: bag, topic and time, for messages
    :raises BagError: where it lacks one of them
    """
    try:
        return (stamp_ns(message, receive_ns), float(message.epistemic),
                float(message.aleatoric), float(message.novelty))
    except (AttributeError, TypeError, ValueError) as error:
        raise BagError(where, found=f'{type(error).__name__}: {error}',
                       expected=f'an estimate with {", ".join(FIELDS)}') from error


def collect(rows: Iterable[Row]) -> Estimates:
    """Return estimates, given in any order."""
    rows = sorted(rows)
    stamps = np.array([entry[0] for entry in rows], dtype=np.int64)
    values = np.array([entry[1:] for entry in rows], np.float32).reshape(-1, len(FIELDS))
    return Estimates(stamps, values)


def nearest(estimates: Estimates, stamps: NDArray[np.int64],
            tolerance_ns: int) -> NDArray[np.float32]:
    """
    Return the estimate nearest in time to each frame; the earlier of two equally near.

    :param stamps: int64 (N,), ns
    :return: float32 (N, 3): FIELDS; NaN where none is within the tolerance
    """
    values = np.full((len(stamps), len(FIELDS)), np.nan, np.float32)
    if not len(estimates.stamps) or not len(stamps):
        return values
    after = np.searchsorted(estimates.stamps, stamps)
    before = np.clip(after - 1, 0, len(estimates.stamps) - 1)
    after = np.clip(after, 0, len(estimates.stamps) - 1)
    to_before = np.abs(stamps - estimates.stamps[before])
    to_after = np.abs(estimates.stamps[after] - stamps)
    chosen = np.where(to_before <= to_after, before, after)
    close = np.minimum(to_before, to_after) <= tolerance_ns
    values[close] = estimates.values[chosen[close]]
    return values


def topic_for(image_topic: str, estimate_topics: Iterable[str]) -> str | None:
    """Return the estimate topic of the same robot: the one that shares most of the namespace."""
    def shared(topic: str) -> int:
        same = [a == b for a, b in zip(topic.split('/'), image_topic.split('/'), strict=False)]
        return [*same, False].index(False)

    return max(sorted(estimate_topics), key=shared, default=None)
