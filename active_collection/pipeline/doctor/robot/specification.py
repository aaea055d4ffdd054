# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the newest ensemble can make observations of the live topics."""
from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.sighting import ObservationsSeen
from active_collection.pipeline.doctor.subjects import Robot

#: A greater share of observations dropped is worth a word.
FEW = 0.1


class Specification:
    """An ensemble's observation specification, tried on what its topics bring."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return a finding for each thing that is wrong, or one for all."""
        seen = subject.sighting.observations
        if seen is None:
            return [skipped('no ensemble yet: nothing says which topics a policy sees')]
        if seen.problem:
            return [wrong(seen.problem, expected='an ensemble with a specification',
                          remedy=f'train anew, or put it away: mv {seen.ensemble} /tmp')]
        findings = list(_wrong(seen))
        if findings:
            return findings
        waiting = set(seen.silent) & set(seen.latched)
        if waiting:
            return [warning(
                f'{", ".join(sorted(waiting))}: nothing yet, so that no observation is made; the '
                'other fields are as they should be', expected='a message: the agent publishes '
                'its scenario with the first set-up', remedy='look again after the first episode')]
        if not seen.made:
            return [wrong(f'{seen.ensemble}: no observation could be made: '
                          f'{seen.dropped_problem or "its reference does not come"}',
                          expected='topics within tolerance_s of each other',
                          remedy='see the checks rates and stamps; or train with a larger '
                          'tolerance_s')]
        if seen.dropped > FEW * (seen.made + seen.dropped):
            return [warning(
                f'{seen.dropped} of {seen.made + seen.dropped} observations were dropped, the '
                f'last one for: {seen.dropped_problem}', expected='nearly none',
                remedy='see the checks rates and stamps')]
        return [ok(f'{seen.ensemble}: {seen.made} observations made, {seen.dropped} dropped')]


def _wrong(seen: ObservationsSeen) -> Iterator[Finding]:
    for name in seen.missing:
        yield wrong(f'{name} is part of an observation and nobody publishes it',
                    expected='a publisher', remedy=f'start its driver; ros2 topic info -v {name}')
    for name in sorted(set(seen.silent) - set(seen.latched)):
        yield wrong(f'{name} is part of an observation and nothing of it came',
                    expected='messages', remedy=f'ros2 topic echo --once {name}')
    for problem in seen.unusable:
        yield wrong(problem, expected='fields and sizes as the ensemble was trained on',
                    remedy='make the driver publish them, or train anew with an observation '
                    'specification that fits')
    if 'NaN' in seen.dropped_problem:
        yield wrong(seen.dropped_problem, expected='finite numbers',
                    remedy='mend its driver, or leave the field out of the specification')
    for name in seen.unrecorded:
        yield wrong(f'{name} is part of what the policy sees or does, and is not recorded',
                    expected='a topic that the recorder chooses',
                    remedy='add it to the parameter topics, or take it out of exclude')
