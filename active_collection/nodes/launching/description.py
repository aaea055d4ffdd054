# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Which nodes make a robot and a fleet, from what a person says in words.

The launch files and the demo start what is described here. Knows neither launch nor rclpy.
"""
from __future__ import annotations

import sys
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path

import yaml

from active_collection.errors import ConfigError
from active_collection.files import expanded
from active_collection.names import namespace_meant
from active_collection.pipeline.data_layout import LEDGER
from active_collection.registry import unknown

LOG_LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')


@dataclass(frozen=True, slots=True)
class NodeProcess:
    """
    A node as a process of its own.

    :param executable: its name in lib/active_collection, which is the node's own, too
    :param namespace: ROS namespace, without the leading slash; empty: the root
    :param parameter_file: YAML file of its parameters
    :param parameters: what goes before the file
    :param log_level: one of LOG_LEVELS
    """

    executable: str
    namespace: str
    parameter_file: Path
    parameters: Mapping[str, object] = field(default_factory=dict)
    log_level: str = 'info'

    def given(self, **parameters: object) -> NodeProcess:
        """Return it with other parameters, too."""
        return replace(self, parameters={**self.parameters, **parameters})

    def ros_arguments(self) -> list[str]:
        """Return what stands behind --ros-args, but for the namespace."""
        arguments = ['--params-file', str(self.parameter_file), '--log-level', self.log_level]
        for name, value in self.parameters.items():
            written = yaml.safe_dump(
                str(value) if isinstance(value, Path) else value, default_flow_style=True,
                width=sys.maxsize)
            arguments += ['-p', f'{name}:={written.splitlines()[0]}']
        return arguments

    def command(self, prefix: Path) -> list[str]:
        """
        Return the command that starts it.

        :param prefix: where the package is installed
        """
        namespace = ['-r', f'__ns:=/{self.namespace}'] if self.namespace else []
        return [sys.executable, str(prefix / 'lib' / 'active_collection' / self.executable),
                '--ros-args', *namespace, *self.ros_arguments()]


def robot_processes(*, robot: str, data: str, ensembles: str, scheduler: str, config: str,
                    use_sim_time: str = 'false', log_level: str = 'info',
                    ) -> tuple[NodeProcess, ...]:
    """
    Return the nodes of one robot.

    :param robot: its name or its namespace: arm_1, cell_3/arm_1 or cell_3.arm_1
    :param data: data directory of the recorded episodes
    :param ensembles: directory of trained ensembles
    :param scheduler: the scheduler's full name
    :param config: directory with a YAML file for each node
    :param use_sim_time: true; or false, which leaves it to the parameter files
    :param log_level: one of LOG_LEVELS
    :raises ConfigError: naming the argument
    """
    namespace, common = _namespace(robot), _Common(config, use_sim_time, log_level)
    return common.processes(namespace, {
        'recorder': {'data_directory': _given('data', data)},
        'uncertainty': {'ensembles': ensembles},
        'agent': {'scheduler': _given('scheduler', scheduler)},
    })


def fleet_processes(*, data: str, space: str, config: str, use_sim_time: str = 'false',
                    log_level: str = 'info') -> tuple[NodeProcess, ...]:
    """
    Return the nodes of which a fleet has one each.

    :param data: directory of the ledger
    :param space: YAML file of the scenario space
    :raises ConfigError: naming the argument
    """
    ledger = str(Path(_given('data', data)) / LEDGER)
    return _Common(config, use_sim_time, log_level).processes(
        '', {'scheduler': {'ledger': ledger, 'space': _given('space', space)}})


def simulated_processes(*, robot: str, config: str, use_sim_time: str = 'false',
                        log_level: str = 'info') -> tuple[NodeProcess, ...]:
    """
    Return what stands in for a robot's own drivers in the demo.

    :param robot: as for `robot_processes`
    :raises ConfigError: naming the argument
    """
    return _Common(config, use_sim_time, log_level).processes(
        _namespace(robot), {'simulated_robot': {}})


class _Common:
    """What is said of all nodes: the launch arguments as they are written."""

    def __init__(self, config: str, use_sim_time: str, log_level: str) -> None:
        if log_level not in LOG_LEVELS:
            raise unknown('argument log_level', log_level, list(LOG_LEVELS))
        self._config = config
        self._log_level = log_level
        self._clock = {'use_sim_time': True} if _truth('use_sim_time', use_sim_time) else {}

    def processes(self, namespace: str, parameters: Mapping[str, Mapping[str, object]],
                  ) -> tuple[NodeProcess, ...]:
        """
        Return nodes of one namespace.

        :param parameters: node to what goes before its file
        """
        directory = _directory(self._config, list(parameters))
        return tuple(
            NodeProcess(name, namespace, directory / f'{name}.yaml',
                        {**own, **self._clock}, self._log_level)
            for name, own in parameters.items())


def _namespace(robot: str) -> str:
    """Return the namespace of a robot, without the leading slash."""
    return namespace_meant(_given('robot', robot), 'argument robot')[1:]


def _directory(config: str, nodes: Sequence[str]) -> Path:
    """Return the directory of parameter files, in which each node has one."""
    try:
        directory = expanded(_given('config', config))
    except ValueError as error:
        raise ConfigError('argument config', found=repr(config), expected=error) from error
    wanted = [f'{name}.yaml' for name in nodes]
    missing = [name for name in wanted if not (directory / name).is_file()]
    if missing:
        found = f'no {", no ".join(missing)}' if directory.is_dir() else 'no such directory'
        raise ConfigError(
            f'argument config: {directory}', found=found,
            expected=f"a directory with {', '.join(wanted)}, like the package's own config")
    return directory


def _given(name: str, value: str) -> str:
    if not value.strip():
        raise ConfigError(f'argument {name}', found='nothing', expected='a value')
    return value


def _truth(name: str, value: str) -> bool:
    known = {'true': True, 'false': False}
    if value.lower() not in known:
        raise ConfigError(f'argument {name}', found=repr(value), expected='true or false')
    return known[value.lower()]
