# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether recorded topics keep the rates that are expected of them."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from active_collection.episode import TopicStatistics

#: A topic is slow under this share of its rate, and has a gap above this many of its periods.
LEAST_SHARE = 0.8
LARGEST_GAP_PERIODS = 5.0
#: A publisher's clock is off where its messages arrive before they were sent, or this late (s).
LARGEST_DELAY_S = 1.0
LEAST_DELAY_S = -0.005


def parse_rates(rates: Iterable[str], resolve: Callable[[str], str]) -> dict[str, float]:
    """
    Return fully qualified topic name to expected rate (Hz).

    :param rates: 'topic=Hz' each
    :param resolve: makes a name fully qualified
    """
    parsed = (rate.rpartition('=') for rate in rates)
    return {resolve(topic): float(hertz) for topic, _, hertz in parsed}


def slow_topics(topics: Iterable[TopicStatistics], expected: Mapping[str, float],
                elapsed_s: float) -> list[str]:
    """
    Return what is amiss with rates in an episode, one line a topic.

    :param expected: fully qualified name to rate (Hz)
    :param elapsed_s: since the episode was started (s); the first second tells nothing
    """
    if elapsed_s < 1:
        return []
    counted = {topic.topic: topic for topic in topics}
    problems = []
    for name, hertz in expected.items():
        topic = counted.get(name)
        if topic is None or topic.received == 0:
            problems.append(f'{name}: no message, {hertz:g} Hz expected')
        elif topic.received < LEAST_SHARE * hertz * elapsed_s - 1:
            problems.append(f'{name}: {topic.received / elapsed_s:.1f} Hz, {hertz:g} Hz expected')
        elif topic.largest_gap > LARGEST_GAP_PERIODS / hertz:
            problems.append(f'{name}: a gap of {topic.largest_gap:.3f} s at {hertz:g} Hz')
    return problems


def skewed_topics(delays_s: Mapping[str, float]) -> list[str]:
    """
    Return which publishers' clocks are off.

    :param delays_s: topic to the shortest time from sending to receipt (s), each by its own clock
    """
    return [
        f"{name}: its publisher's clock is {abs(delay):.3f} s "
        f'{"ahead" if delay < 0 else "behind"}'
        for name, delay in delays_s.items()
        if not LEAST_DELAY_S <= delay <= LARGEST_DELAY_S]
