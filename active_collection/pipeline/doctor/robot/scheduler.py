# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the scheduler hands out work."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.subjects import Robot

RESUMING = {'PAUSED': 'resume', 'DRAINING': 'resume'}


class Scheduler:
    """The scheduler's state, as it tells it."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return one finding."""
        sighting = subject.sighting
        name, told = sighting.node('scheduler').name, sighting.told.scheduler
        if not sighting.node('scheduler').count:
            return [skipped(f'no {name}')]
        if told is None:
            return [warning(f'{name} told no state within {sighting.listened_s:g} s',
                            expected='one each second',
                            remedy=f'ros2 topic echo {name}/state')]
        if told.state != 'RUNNING':
            verb = RESUMING.get(told.state)
            return [warning(
                f'{name} is {told.state.lower()}: {told.message or "it does not say why"}',
                expected='running', remedy=f'ros2 service call {name}/{verb} std_srvs/srv/Trigger'
                if verb else 'raise its budget or targets, and start it anew')]
        return [ok(f'{name} is running, '
                   + (f'ensemble {told.ensemble_id}' if told.ensemble_id else 'no ensemble yet'))]
