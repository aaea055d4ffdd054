# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether ROS 2 is sourced, this package is built for it, and this Python can use both."""
from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import Machine

#: Released before the first distribution that is supported, and no longer supported by anybody.
TOO_OLD = ('dashing', 'eloquent', 'foxy', 'galactic')
ENDED = ('iron',)
SUPPORTED = 'humble, jazzy, kilted or later'
SOURCE = 'source /opt/ros/<distribution>/setup.bash and the workspace'


class Installation:
    """The distribution, the workspace and the Python that runs this."""

    def look(self, subject: Machine) -> Iterable[Finding]:
        """Return one finding, or one for each thing that is wrong."""
        if not subject.has_ros:
            return [skipped('no ROS 2 is sourced: live checks are left out',
                            remedy=f'on a robot: {SOURCE}')]
        distro = subject.environment.get('ROS_DISTRO', '')
        findings = [*_of_distro(distro), *_of_python(distro)]
        here = _package_prefix(subject)
        if here is None:
            findings.append(wrong(
                'active_collection is in none of the sourced prefixes', expected='a built '
                'workspace', remedy='colcon build --packages-select active_collection && source '
                'install/setup.bash'))
        elif not findings:
            findings.append(ok(
                f'ROS 2 {distro or "(no ROS_DISTRO)"}, Python {platform.python_version()}, '
                f'active_collection in {here}'))
        return findings


def _of_distro(distro: str) -> Iterable[Finding]:
    if distro in TOO_OLD:
        yield wrong(f'ROS 2 {distro}', expected=SUPPORTED, remedy='install one of these')
    elif distro in ENDED:
        yield warning(f'ROS 2 {distro}, whose support has ended', expected=SUPPORTED,
                      remedy='install one of these')


def _of_python(distro: str) -> Iterable[Finding]:
    """Tell whether this interpreter finds rclpy and this package's messages."""
    if find_spec('rclpy') is None:
        yield wrong(
            f'{sys.executable} (Python {platform.python_version()}) finds no rclpy',
            expected=f'the Python of ROS 2 {distro}'.strip(),
            remedy='python3 -m venv --system-site-packages, with the Python that the '
            'distribution brings')
    elif find_spec('active_collection.msg') is None:
        place = Path(__file__).parents[3]
        yield wrong(
            f'active_collection in {place} has no ROS messages',
            expected='that of the built workspace, first in PYTHONPATH',
            remedy='source install/setup.bash of the workspace; where both are installed: pip '
            'uninstall active-collection')


def _package_prefix(machine: Machine) -> Path | None:
    return next((prefix for prefix in machine.prefixes
                 if (prefix / 'share' / 'active_collection' / 'package.xml').is_file()), None)
