# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a doctor looks at, each with what it takes to look: machine, data directory, robot."""
from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from active_collection.collecting.agent_settings import AgentSettings
from active_collection.files import is_directory
from active_collection.names import robot_of
from active_collection.pipeline.doctor.kernel_clock import KernelClock
from active_collection.pipeline.doctor.kernel_clock import read_kernel_clock
from active_collection.pipeline.doctor.sighting import Sighting
from active_collection.recording.disk import Disk
from active_collection.recording.disk import LocalDisk
from active_collection.recording.settings import RecorderSettings
from active_collection.scenario import ScenarioSpace


@dataclass(frozen=True)
class Machine:
    """
    A computer, and the shell that the command was called in.

    :param environment: environment variables
    :param robot: namespace of the robot that is looked at, '/arm_1'; empty: none
    :param root: where proc, sys and dev are
    :param now_s: tells the time of the system's clock (s since 1970)
    """

    environment: Mapping[str, str]
    robot: str = ''
    root: Path = Path('/')
    now_s: Callable[[], float] = time.time
    kernel_clock: Callable[[], KernelClock] = read_kernel_clock

    @property
    def has_ros(self) -> bool:
        """Tell whether a ROS 2 installation is sourced."""
        return bool(self.environment.get('ROS_DISTRO') or self.prefixes)

    @property
    def prefixes(self) -> list[Path]:
        """Return the installation prefixes that are sourced, the first wins."""
        text = self.environment.get('AMENT_PREFIX_PATH', '')
        return [Path(prefix) for prefix in text.split(':') if prefix]

    @property
    def middleware(self) -> str:
        """Return the RMW implementation that a node started here would use."""
        return self.environment.get('RMW_IMPLEMENTATION') or DEFAULT_MIDDLEWARE

    def read(self, path: str) -> str:
        """Return a file's text without the spaces around it; empty where it cannot be read."""
        try:
            return (self.root / path.lstrip('/')).read_text(encoding='utf-8').strip()
        except (OSError, UnicodeDecodeError):
            return ''


#: Of every distribution from Humble on.
DEFAULT_MIDDLEWARE = 'rmw_fastrtps_cpp'


@dataclass(frozen=True)
class DataDirectory:
    """
    Where a robot's episodes are, or are to be.

    :param path: absolute
    :param settings: of its recorder
    :param ensembles: directory of ensembles, or one ensemble; None: not to be looked at
    :param robot: the robot's name, 'cell_3.arm_1'; empty: not known
    :param rate: at which its topics come, as measured (bytes/s); 0: not known
    :param now_s: tells the time of the system's clock (s since 1970)
    :param mounts: the kernel's table of mounted file systems
    """

    path: Path
    settings: RecorderSettings
    ensembles: Path | None = None
    robot: str = ''
    rate: float = 0.0
    disk: Disk = field(default_factory=LocalDisk)
    now_s: Callable[[], float] = time.time
    mounts: Path = Path('/proc/self/mountinfo')

    @property
    def nearest(self) -> Path:
        """Return the directory itself, or the nearest one above it that is there to be seen."""
        return next(p for p in (self.path, *self.path.parents) if is_directory(p))


@dataclass(frozen=True)
class Robot:
    """
    A robot as it was seen, and what its nodes are told.

    :param space: None where no scenario space is known
    :param space_file: the file that it is from
    :param space_problem: why the scenario space cannot be used; empty where it can
    :param distro: ROS distribution; empty: not known
    """

    sighting: Sighting
    recorder: RecorderSettings
    agent: AgentSettings
    space: ScenarioSpace | None = None
    space_file: str = ''
    space_problem: str = ''
    distro: str = ''

    @property
    def name(self) -> str:
        """Return the robot's name, as its episodes and the scheduler have it."""
        return robot_of(self.sighting.robot)
