# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether topics come as often as is expected of them."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.sighting import Sighting
from active_collection.pipeline.doctor.subjects import Robot
from active_collection.recording.disk import readable
from active_collection.recording.health import slow_topics

#: A topic that comes more often than this (Hz) may be given an expected rate.
REGULAR_HZ = 5.0
#: Of so many topics the rate is told where all is well.
TOLD = 8


class Rates:
    """The rate of each topic, judged as the recorder judges it while it records."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return a finding for each topic that is slow or has gaps or losses, one for the rest."""
        sighting = subject.sighting
        if not sighting.heard and not sighting.rates:
            return [skipped('no topic was listened to')]
        topics = [each.statistics(sighting.rates.get(each.topic, 0.0)) for each in sighting.heard]
        silences = {each.topic: each.silence_s for each in sighting.heard}
        slow = slow_topics([replace(topic, largest_gap=0.0) for topic in topics],
                           sighting.rates, sighting.listened_s, silences)
        gaps = [line for line in slow_topics(
            topics, sighting.rates, sighting.listened_s, silences) if line not in slow]
        findings = [wrong(line, expected='the rate of the parameter expected_rates',
                          remedy=_help(line)) for line in slow]
        findings += [warning(line, expected='no gap', remedy=_help(line)) for line in gaps]
        findings += [warning(
            f'{each.topic}: {each.lost} of {each.received + each.lost} messages were lost',
            expected='none', remedy='see the checks DDS profile and socket buffers; a reader or '
            'the network is too slow') for each in sighting.heard if each.lost]
        return [*findings, _of_all(sighting)]


def _help(line: str) -> str:
    topic = line.partition(':')[0]
    return f'ros2 topic hz {topic}; its driver is slow or its machine busy, or the rate set wrong'


def _of_all(sighting: Sighting) -> Finding:
    rates = [f'{each.topic}={each.rate:.3g}' for each in sighting.heard
             if each.rate >= REGULAR_HZ]
    text = f'{len(sighting.heard)} topics bring {readable(sighting.rate)}/s'
    if rates and not sighting.rates:
        return warning(f'{text}; no rate is expected of any of them',
                       expected='expected_rates, so that the recorder tells of a slow one',
                       remedy=f'in recorder.yaml: expected_rates: [{", ".join(rates)}]')
    more = f' and {len(rates) - TOLD} more' if len(rates) > TOLD else ''
    return ok(f'{text}: {", ".join(rates[:TOLD]) or "none comes regularly"}{more}')
