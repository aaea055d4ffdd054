# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""All checks of a machine, its data directory and a robot, in one go and a limited time."""
from __future__ import annotations

import time
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from active_collection.collecting.agent_settings import AgentSettings
from active_collection.config import load
from active_collection.errors import ActiveCollectionError
from active_collection.names import robot_of
from active_collection.pipeline.doctor.checks import DATA_CHECKS
from active_collection.pipeline.doctor.checks import MACHINE_CHECKS
from active_collection.pipeline.doctor.checks import ROBOT_CHECKS
from active_collection.pipeline.doctor.checks import Result
from active_collection.pipeline.doctor.checks import examine
from active_collection.pipeline.doctor.configured import read_parameters
from active_collection.pipeline.doctor.configured import settings_from
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.looking import Looking
from active_collection.pipeline.doctor.looking import Question
from active_collection.pipeline.doctor.machine.processes import node_processes
from active_collection.pipeline.doctor.sighting import Sighting
from active_collection.pipeline.doctor.subjects import DataDirectory
from active_collection.pipeline.doctor.subjects import Machine
from active_collection.pipeline.doctor.subjects import Robot
from active_collection.recording.settings import RecorderSettings
from active_collection.scenario import ScenarioSpace

#: Shares of the time at which the process that looks, and then the checks of the disk, have ended.
LOOKED, DISK_DONE = 0.65, 0.95
#: Time that judging takes at least, however late it is (s).
LEAST_S = 1.0
ENSEMBLES = 'ensembles'


@dataclass(frozen=True)
class Examination:
    """
    What is to be examined.

    :param machine: with the robot's namespace, where one is to be looked at
    :param data: data directory; None: the one that the recorder is told
    :param space: file of a scenario space; None: the one that the scheduler is told
    :param files: ROS parameter files, for nodes that do not run
    :param seconds: how long to listen to topics (s)
    :param limit_s: how long all of it may take (s)
    """

    machine: Machine
    data: Path | None = None
    space: Path | None = None
    files: tuple[Path, ...] = ()
    seconds: float = 3.0
    limit_s: float = 25.0
    _began: float = field(default_factory=time.monotonic)

    def results(self) -> Iterator[Result]:
        """Give every line of the report, as soon as it is known."""
        parameters: dict[str, dict[str, Any]] = {}
        for path in self.files:
            try:
                for node, values in read_parameters(path).items():
                    parameters.setdefault(node, {}).update(values)
            except ActiveCollectionError as error:
                yield Result('parameters', wrong(
                    f'{error.where}: {error.found}', expected=error.expected,
                    remedy='mend the file; docs/reference/nodes explains every parameter'))
        looking = self._look(parameters)
        try:
            yield from examine(MACHINE_CHECKS, self.machine, limit_s=self._left(LOOKED))
            sighting = None
            if isinstance(looking, Looking):
                try:
                    sighting = looking.answer()
                except ActiveCollectionError as error:
                    yield Result('robot', wrong(
                        f'{error.where}: {error.found}', expected=error.expected,
                        remedy='ros2 node list; ros2 daemon stop; see the checks middleware, DDS '
                        'profile and shared memory'))
            elif looking is not None:
                yield looking
        finally:
            if isinstance(looking, Looking):
                looking.stop()
        yield from self._of_data(sighting, parameters)
        yield from self._of_robot(sighting, parameters)

    def _look(self, parameters: Mapping[str, dict[str, Any]]) -> Looking | Result | None:
        """Begin to look at the robot, or say why not; None where there is none to look at."""
        if not self.machine.robot:
            return None
        if not self.machine.has_ros or find_spec('rclpy') is None or find_spec(
                'active_collection.msg') is None:
            return Result('robot', skipped(
                f'{self.machine.robot} is not looked at: no ROS 2 with this package here',
                remedy='source the workspace (see the check ROS)'))
        ensembles = str(self.data / ENSEMBLES) if self.data is not None else ''
        return Looking(Question(
            robot=self.machine.robot, seconds=self.seconds, limit_s=self._left(LOOKED),
            parameters=dict(parameters),
            ensembles=parameters.get('uncertainty', {}).get(ENSEMBLES) or ensembles))

    def _of_data(self, sighting: Sighting | None,
                 parameters: Mapping[str, dict[str, Any]]) -> Iterator[Result]:
        told = _told('recorder', sighting, parameters)
        settings = _settings(told)
        is_live = sighting is not None and sighting.node('recorder').parameters is not None
        if self.data is None and is_live and not self._runs_here('recorder'):
            yield Result('data directory', skipped(
                f'the recorder of {self.machine.robot} does not run on this machine',
                remedy='look again on its machine, or give --data'))
            return
        path = (self.data or Path(settings.data_directory)).expanduser().absolute()
        ensembles = _told('uncertainty', sighting, parameters).get(ENSEMBLES)
        yield from examine(DATA_CHECKS, DataDirectory(
            path=path, settings=settings, robot=robot_of(self.machine.robot),
            ensembles=Path(ensembles).expanduser() if ensembles else path / ENSEMBLES,
            rate=sighting.rate if sighting is not None else 0.0, now_s=self.machine.now_s),
            limit_s=self._left(DISK_DONE))

    def _of_robot(self, sighting: Sighting | None,
                  parameters: Mapping[str, dict[str, Any]]) -> Iterator[Result]:
        path = self._space_file(sighting, parameters)
        space, problem = _space(path)
        if not self.machine.robot:
            if problem:
                yield Result('scenarios', wrong(problem, expected='a scenario space',
                                                remedy='mend the file'))
            return
        robot = Robot(
            sighting or Sighting(robot=self.machine.robot),
            recorder=_settings(_told('recorder', sighting, parameters)),
            agent=_agent(_told('agent', sighting, parameters)), space=space,
            space_file=str(path or ''), space_problem=problem,
            distro=self.machine.environment.get('ROS_DISTRO', ''))
        if sighting is not None:
            yield from examine(ROBOT_CHECKS, robot, limit_s=self._left(1.0))
        elif space is not None or problem:
            yield from examine(
                ROBOT_CHECKS, robot, names=('scenarios',), limit_s=self._left(1.0))

    def _space_file(self, sighting: Sighting | None,
                    parameters: Mapping[str, dict[str, Any]]) -> Path | None:
        """Return the file of the scenario space, where it is known and on this machine."""
        told = _told('scheduler', sighting, parameters).get('space')
        path = self.space or (Path(told).expanduser() if told else None)
        with suppress(OSError):  # where this user may not look
            return path if path is not None and path.is_file() else None
        return None

    def _runs_here(self, node: str) -> bool:
        return any(process.node == node and process.namespace == self.machine.robot
                   for process in node_processes(self.machine))

    def _left(self, share: float) -> float:
        """Return the time until a share of the limit has passed (s), a little in any case."""
        return max(LEAST_S, self._began + share * self.limit_s - time.monotonic())


def _told(node: str, sighting: Sighting | None,
          parameters: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a node's parameters: its own, else those of the parameter files."""
    own = sighting.node(node).parameters if sighting is not None else None
    return own if own is not None else parameters.get(node, {})


def _space(path: Path | None) -> tuple[ScenarioSpace | None, str]:
    """Return the scenario space of a file, and why it cannot be used."""
    try:
        return (load(path, ScenarioSpace) if path is not None else None), ''
    except ActiveCollectionError as error:
        return None, str(error)


def _settings(parameters: Mapping[str, Any]) -> RecorderSettings:
    """Return a recorder's settings; the defaults where they cannot be used, which is told of."""
    try:
        return settings_from(RecorderSettings, parameters, where='parameters of the recorder')
    except ActiveCollectionError:
        return RecorderSettings()


def _agent(parameters: Mapping[str, Any]) -> AgentSettings:
    """Return an agent's settings; the defaults where they cannot be used."""
    try:
        return settings_from(AgentSettings, parameters, where='parameters of the agent')
    except ActiveCollectionError:
        return AgentSettings()
