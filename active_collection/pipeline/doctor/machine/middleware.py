# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the middleware that is asked for is installed."""
from __future__ import annotations

from collections.abc import Iterable

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import DEFAULT_MIDDLEWARE
from active_collection.pipeline.doctor.subjects import Machine

VARIABLE = 'RMW_IMPLEMENTATION'
INSTALLED = 'share/ament_index/resource_index/rmw_typesupport'
#: What is found there beside implementations: the chooser between them.
CHOOSER = 'rmw_implementation'


class Middleware:
    """The RMW implementation."""

    def look(self, subject: Machine) -> Iterable[Finding]:
        """Return one finding."""
        if not subject.has_ros:
            return [skipped('no ROS 2 is sourced')]
        installed = {path.name for prefix in subject.prefixes
                     for path in (prefix / INSTALLED).glob('rmw_*')} - {CHOOSER}
        wanted = subject.middleware
        if wanted not in installed:
            distro = subject.environment.get('ROS_DISTRO', '<distribution>')
            return [wrong(
                f'{VARIABLE}={wanted}, which is not installed',
                expected=f'one of {", ".join(sorted(installed)) or "those that are installed"}',
                remedy=f'sudo apt install ros-{distro}-{wanted.replace("_", "-")}, or unset '
                f'{VARIABLE}')]
        is_chosen = subject.environment.get(VARIABLE)
        return [ok(f'{VARIABLE}={wanted}' if is_chosen else f'{wanted}, the default')]


def is_fast_dds(machine: Machine) -> bool:
    """Tell whether nodes that are started here use Fast DDS."""
    return machine.middleware.startswith(DEFAULT_MIDDLEWARE.removesuffix('_cpp'))
