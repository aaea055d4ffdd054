# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether messages bear the time at which they were made, by this machine's clock."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.sighting import Heard
from active_collection.pipeline.doctor.subjects import Robot
from active_collection.recording.health import LARGEST_DELAY_S
from active_collection.recording.health import skewed_topics

#: Further in the future than this (s), stamps pair a message with the wrong ones of other topics.
AHEAD_S = 0.1
#: More than this (s) is no drift: the stamps are of another clock.
OTHER_CLOCK_S = 86_400.0
ALIGNED = 'stamps by which topics can be aligned'


class Stamps:
    """Header stamps against receipt, and the publishers' clocks against this one."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return a finding for each topic whose stamps are off or not set, or one for all."""
        heard = subject.sighting.heard
        findings = []
        for each in heard:
            if each.unstamped:
                findings.append(wrong(
                    f'{each.topic}: {each.unstamped} of {each.received} messages have no stamp',
                    expected=ALIGNED, remedy='set header.stamp in its driver: '
                    'self.get_clock().now().to_msg()'))
            delays = {} if each.delay_s is None else {each.topic: each.delay_s}
            say = wrong if _is_far(each) else warning
            findings += [say(line, expected=f'at most {LARGEST_DELAY_S:g} s behind',
                             remedy=_help(each))
                         for line in skewed_topics([each.statistics()], delays)]
        if findings:
            return findings
        stamped = sum(each.skew_s is not None for each in heard)
        if not stamped:
            return [skipped('no message with a stamp came')]
        return [ok(f'{stamped} topics with stamps agree with this clock')]


def _is_far(heard: Heard) -> bool:
    times = [time for time in (heard.skew_s, heard.delay_s) if time is not None]
    return any(time < -AHEAD_S or time > LARGEST_DELAY_S for time in times)


def _help(heard: Heard) -> str:
    if heard.skew_s is not None and abs(heard.skew_s) > OTHER_CLOCK_S:
        return ("its driver stamps with a clock of its own (since boot, or a device's): make it "
                'stamp with ROS time, and see use_sim_time')
    return 'synchronise both machines (chrony, PTP), or make its driver stamp when it receives'
