# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How far nodes look for each other."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import Machine

RANGE = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
LOCALHOST_ONLY = 'ROS_LOCALHOST_ONLY'
PEERS = 'ROS_STATIC_PEERS'
SERVER = 'ROS_DISCOVERY_SERVER'
RANGES = ('SUBNET', 'LOCALHOST', 'OFF', 'SYSTEM_DEFAULT')
FAR = 'SUBNET, where the scheduler or a driver runs on another machine'


class DiscoveryRange:
    """The variables that say who may be discovered."""

    def look(self, subject: Machine) -> Iterable[Finding]:
        """Return one finding."""
        if not subject.has_ros:
            return [skipped('no ROS 2 is sourced')]
        environment = subject.environment
        text, only = environment.get(RANGE, ''), environment.get(LOCALHOST_ONLY, '')
        if only not in {'', '0', '1'}:
            return [wrong(f'{LOCALHOST_ONLY}={only!r}', expected='0 or 1',
                          remedy=f'unset {LOCALHOST_ONLY}')]
        if text and text.upper() not in RANGES:
            return [wrong(f'{RANGE}={text!r}', expected=f'one of {", ".join(RANGES)}',
                          remedy=f'unset {RANGE}')]
        if text.upper() == 'OFF':
            return [wrong(f'{RANGE}=OFF: nodes discover nobody', expected=FAR,
                          remedy=f'export {RANGE}=SUBNET')]
        if text and environment.get('ROS_DISTRO') == 'humble':
            return [warning(f'{RANGE}={text}, which Humble does not know',
                            expected=LOCALHOST_ONLY, remedy=f'unset {RANGE}')]
        if only == '1':
            return [warning(f'{LOCALHOST_ONLY}=1: only nodes of this machine are seen',
                            expected=FAR, remedy=f'unset {LOCALHOST_ONLY}')]
        if text.upper() == 'LOCALHOST' and not environment.get(PEERS):
            return [warning(f'{RANGE}=LOCALHOST: only nodes of this machine are seen',
                            expected=FAR, remedy=f'export {RANGE}=SUBNET')]
        named = [f'{name}={environment[name]}' for name in (RANGE, PEERS, SERVER)
                 if environment.get(name)]
        return [ok(', '.join(named) or 'the whole subnet')]
