# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages in, observations out: one alignment by time stamp for node, training and scoring."""
from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from active_collection.bags.encoders import ImageEncoder
from active_collection.bags.encoders import encode_message
from active_collection.bags.fields import Vector
from active_collection.bags.fields import stamp_ns
from active_collection.bags.observation import ObservationSpec
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.errors import UncertaintyError

#: Messages kept a topic, and references kept waiting, at most: what a silent topic may cost.
LONGEST_HISTORY = 512
NS = 1_000_000_000
LAST_STAMP = 2 ** 63 - 1


@dataclass(frozen=True, slots=True)
class Observation:
    """
    What the policy saw at one instant.

    :param stamp_ns: stamp of the reference message (ns)
    :param received_ns: receive time of the message that completed it (ns)
    :param frame_id: frame of the reference message; empty if it has none
    :param values: the items in the specification's order, float64 of shape (size,), finite
    """

    stamp_ns: int
    received_ns: int
    frame_id: str
    values: Vector


def newest_until(stamps: NDArray[np.int64], instants: NDArray[np.int64]) -> NDArray[np.int64]:
    """
    Return the place of the newest stamp at or before each instant; -1 where there is none.

    :param stamps: ascending (ns), shape (n,)
    """
    return np.searchsorted(stamps, instants, 'right') - 1


@dataclass(slots=True)
class AlignmentStatistics:
    """
    What became of the reference messages.

    :param observations: became an observation
    :param dropped: did not: a topic was missing or late, or a value was not finite
    :param problem: why the newest dropped one was; empty before the first
    """

    observations: int = 0
    dropped: int = 0
    problem: str = ''


@dataclass(slots=True)
class _Values:
    """
    What a message gives to each of its topic's items.

    A picture is encoded when an observation is made of it, and only once: most pictures of a
    camera that is faster than the reference never are.

    :param numbers: of each item; None: not encoded yet
    :param message: what the pictures are encoded from
    """

    numbers: list[Vector | None]
    message: object


@dataclass(slots=True)
class _Samples:
    """A topic's newest values, sorted by stamp."""

    stamps: list[int] = field(default_factory=list)
    values: list[_Values] = field(default_factory=list)

    def add(self, stamp: int, value: _Values) -> None:
        place = bisect.bisect_right(self.stamps, stamp)
        self.stamps.insert(place, stamp)
        self.values.insert(place, value)
        if len(self.stamps) > LONGEST_HISTORY:
            del self.stamps[0], self.values[0]

    def newest_until(self, stamp: int) -> int:
        """Return the place of the newest sample at or before a stamp; -1 if there is none."""
        return bisect.bisect_right(self.stamps, stamp) - 1

    def forget(self, *, before: int, after: int) -> None:
        first, last = bisect.bisect_left(self.stamps, before), bisect.bisect_right(
            self.stamps, after)
        self.stamps, self.values = self.stamps[first:last], self.values[first:last]


@dataclass(frozen=True, slots=True)
class _Pending:
    stamp_ns: int
    deadline_ns: int
    frame_id: str


class ObservationAligner:
    """
    Turns messages in receive order into observations.

    Causal: of each topic it takes the newest message at or before the reference's stamp, and none
    that is older than the tolerance.
    An observation is made as soon as every topic has reached the reference's stamp, or `wait_s`
    after the reference was received. A message without a header counts at its receive time.

    :param sizes: item name to number of values, where known; otherwise the first message says
    :param encoders: item name to its image encoder, as `load_encoders` gives them
    """

    def __init__(self, spec: ObservationSpec, *, sizes: Mapping[str, int] | None = None,
                 encoders: Mapping[str, ImageEncoder] | None = None) -> None:
        self.statistics = AlignmentStatistics()
        self._spec = spec
        self._sizes = dict(sizes or {})
        self._encoders = dict(encoders or {})
        missing = [i.name for i in spec.observation if i.image and i.name not in self._encoders]
        if missing:
            raise ConfigError(f'observation item {missing[0]}', found='no encoder',
                              expected='one for its pictures')
        self._items = {topic: [i for i in spec.observation if i.path.topic == topic]
                       for topic in spec.observation_topics}
        self._samples = {topic: _Samples() for topic in self._items}
        self._pending: deque[_Pending] = deque()
        self._last_received = dict.fromkeys(self._items, -1)
        self._last_reference = -1
        self._tolerance = round(spec.tolerance_s * NS)
        self._wait = round(spec.wait_s * NS)
        self._period = round(0.99 * NS / spec.rate_hz) if spec.rate_hz else 0

    @property
    def sizes(self) -> dict[str, int]:
        """Return item name to number of values, as far as known."""
        return dict(self._sizes)

    def silent_since(self, time_ns: int) -> tuple[str, ...]:
        """
        Return the topics that keep observations from being made.

        :param time_ns: receive time (ns)
        :returns: those of which nothing has been received since, or ever where they are latched
        """
        return tuple(
            topic for topic, received in self._last_received.items()
            if received < (0 if topic in self._spec.latched_topics else time_ns))

    def add(self, topic: str, message: object, received_ns: int) -> list[Observation]:
        """
        Take the next message and return the observations that it completes.

        :param topic: topic as the specification writes it
        :param received_ns: receive time (ns), not decreasing
        :raises UncertaintyError: where a field is missing or of another size than before; the
            message is left out and the aligner goes on
        """
        values = _Values([None if item.image else item.read(message)
                          for item in self._items[topic]], message)
        self._check_sizes(topic, values)
        self._last_received[topic] = received_ns
        stamp = stamp_ns(message) or received_ns
        ready = self.advance(received_ns)
        if topic == self._spec.reference:
            self._refer(stamp, received_ns, message)
        if topic in self._spec.latched_topics:
            self._samples[topic] = _Samples([stamp], [values])
        else:
            self._samples[topic].add(stamp, values)
        return [*ready, *self._complete(received_ns)]

    def advance(self, now_ns: int) -> list[Observation]:
        """Return the observations whose wait is over at a time (ns) without a new message."""
        ready = []
        while self._pending and self._pending[0].deadline_ns < now_ns:
            ready += self._make(self._pending.popleft(), now_ns)
            ready += self._complete(now_ns)
        return ready

    def finish(self) -> list[Observation]:
        """Return the observations that still wait, at the end of a bag."""
        last = max((p.deadline_ns for p in self._pending), default=0)
        return self.advance(last + 1)

    def _check_sizes(self, topic: str, values: _Values) -> None:
        for item, value in zip(self._items[topic], values.numbers, strict=True):
            if value is None:
                continue
            size = self._sizes.setdefault(item.name, value.size)
            if value.size != size:
                raise UncertaintyError(f'{item.path.text} ({item.name})',
                                       found=f'{value.size} numbers', expected=size)

    def _encode(self, topic: str, values: _Values) -> None:
        """Encode the pictures among a message's values, where that has not been done."""
        for place, item in enumerate(self._items[topic]):
            if values.numbers[place] is None:
                values.numbers[place] = encode_message(
                    self._encoders[item.name], values.message, topic)
        self._check_sizes(topic, values)

    def _refer(self, stamp: int, received_ns: int, message: object) -> None:
        if stamp < self._last_reference:  # the clock went back: what lies ahead is of the past
            for topic in set(self._samples) - self._spec.latched_topics:
                self._samples[topic].forget(before=0, after=stamp + self._tolerance)
            self._pending.clear()
        elif self._last_reference >= 0 and stamp - self._last_reference < self._period:
            return
        self._last_reference = stamp
        frame = str(getattr(getattr(message, 'header', None), 'frame_id', ''))
        self._pending.append(_Pending(stamp, received_ns + self._wait, frame))
        if len(self._pending) > LONGEST_HISTORY:
            self._pending.popleft()

    def _complete(self, now_ns: int) -> list[Observation]:
        made: list[Observation] = []
        while self._pending and self._is_caught_up(self._pending[0].stamp_ns):
            made += self._make(self._pending.popleft(), now_ns)
        return made

    def _is_caught_up(self, stamp: int) -> bool:
        for topic, samples in self._samples.items():
            if not samples.stamps:
                return False
            if (self._wait and topic not in self._spec.latched_topics
                    and samples.stamps[-1] < stamp):
                return False
        return True

    def _make(self, pending: _Pending, now_ns: int) -> list[Observation]:
        taken: dict[str, _Values] = {}
        for topic, samples in self._samples.items():
            latched = topic in self._spec.latched_topics
            place = len(samples.stamps) - 1 if latched else samples.newest_until(pending.stamp_ns)
            age = pending.stamp_ns - samples.stamps[place] if place >= 0 and not latched else 0
            if place < 0 or age > self._tolerance:
                late = f'{age / NS:.3f} s old' if place >= 0 else 'nothing received in time'
                return self._drop(f'{topic}: {late}')
            taken[topic] = samples.values[place]
            try:
                self._encode(topic, taken[topic])
            except ActiveCollectionError as error:
                return self._drop(str(error))
        for topic in set(self._samples) - self._spec.latched_topics:
            self._samples[topic].forget(before=pending.stamp_ns - self._tolerance,
                                        after=LAST_STAMP)
        values = self._joined(taken)
        if not np.isfinite(values).all():
            return self._drop(f'{self._not_finite(taken)}: NaN or infinite')
        self.statistics.observations += 1
        return [Observation(pending.stamp_ns, now_ns, pending.frame_id, values)]

    def _joined(self, taken: Mapping[str, _Values]) -> Vector:
        by_name = dict(self._by_item(taken))
        return np.concatenate([by_name[item.name] for item in self._spec.observation])

    def _not_finite(self, taken: Mapping[str, _Values]) -> str:
        bad = {name for name, value in self._by_item(taken) if not np.isfinite(value).all()}
        return next(item.path.text for item in self._spec.observation if item.name in bad)

    def _by_item(self, taken: Mapping[str, _Values]) -> Iterator[tuple[str, Vector]]:
        for topic, values in taken.items():
            for item, value in zip(self._items[topic], values.numbers, strict=True):
                if value is not None:
                    yield item.name, value

    def _drop(self, problem: str) -> list[Observation]:
        self.statistics.dropped += 1
        self.statistics.problem = problem
        return []
