# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether recorded topics keep the rates that are expected of them."""
from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from active_collection.episode import TopicStatistics

#: A topic is slow under this share of the rate that was configured for it.
LEAST_SHARE = 0.8
#: A gap is worth a word above this many periods, and above what a busy machine may cause (s).
LARGEST_GAP_PERIODS = 5.0
LEAST_GAP_S = 0.1
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


def slow_topics(topics: Iterable[TopicStatistics], configured: Mapping[str, float],
                elapsed_s: float, silences_s: Mapping[str, float]) -> list[str]:
    """
    Return what is amiss with rates in an episode, one line a topic.

    :param configured: fully qualified name to rate (Hz), of topics that must be there
    :param elapsed_s: since the episode was started (s); the first second tells nothing
    :param silences_s: topic to the time since its last message (s)
    """
    if elapsed_s < 1:
        return []
    counted = {topic.topic: topic for topic in topics}
    problems = [f'{name}: no message, {hertz:g} Hz expected' for name, hertz in configured.items()
                if name not in counted or counted[name].received == 0]
    for name, topic in counted.items():
        hertz = topic.expected_rate
        if not hertz or not topic.received:
            continue
        gap_s = max(LARGEST_GAP_PERIODS / hertz, LEAST_GAP_S)
        if silences_s.get(name, 0.0) > gap_s:
            problems.append(
                f'{name}: silent for {silences_s[name]:.3f} s, {hertz:.3g} Hz expected')
        elif name in configured and topic.received < LEAST_SHARE * hertz * elapsed_s - 1:
            problems.append(
                f'{name}: {topic.received / elapsed_s:.1f} Hz, {hertz:.3g} Hz expected')
        elif topic.largest_gap > gap_s:
            problems.append(f'{name}: a gap of {topic.largest_gap:.3f} s, {hertz:.3g} Hz expected')
    return problems


def skewed_topics(topics: Iterable[TopicStatistics], delays_s: Mapping[str, float]) -> list[str]:
    """
    Return whose clocks are off, one line a topic.

    :param topics: with the skew of the stamps in their messages
    :param delays_s: topic to the shortest time from sending to receipt (s), each by its own clock
    """
    problems = {
        topic.topic: f'{topic.topic}: its stamps are {abs(topic.clock_skew):.3f} s '
        f'{"ahead of" if topic.clock_skew < 0 else "behind"} their receipt'
        for topic in topics
        if not math.isnan(topic.clock_skew)
        and not LEAST_DELAY_S <= topic.clock_skew <= LARGEST_DELAY_S}
    problems.update({
        name: f"{name}: its publisher's clock is {abs(delay):.3f} s "
        f'{"ahead" if delay < 0 else "behind"}'
        for name, delay in delays_s.items()
        if not LEAST_DELAY_S <= delay <= LARGEST_DELAY_S})
    return list(problems.values())
