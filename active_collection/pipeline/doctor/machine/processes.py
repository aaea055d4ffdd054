# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the nodes that run on this machine see the same ROS as the shell of the doctor."""
from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.machine.discovery_range import LOCALHOST_ONLY
from active_collection.pipeline.doctor.machine.discovery_range import PEERS
from active_collection.pipeline.doctor.machine.discovery_range import RANGE
from active_collection.pipeline.doctor.machine.discovery_range import SERVER
from active_collection.pipeline.doctor.machine.profile import VARIABLES
from active_collection.pipeline.doctor.subjects import Machine

#: Where they differ, nodes do not find each other.
OF_DISCOVERY = ('ROS_DOMAIN_ID', LOCALHOST_ONLY, RANGE, PEERS, SERVER)
#: Where they differ, large messages are lost, or two implementations must talk to each other.
OF_TRANSPORT = ('RMW_IMPLEMENTATION', *VARIABLES)
#: What an unset variable means.
DEFAULTS = {'ROS_DOMAIN_ID': '0', LOCALHOST_ONLY: '0'}
#: The node that is no robot's.
SCHEDULER = 'scheduler'
NODES = ('recorder', 'uncertainty', 'agent', 'simulated_robot', SCHEDULER)
#: Installed executables of this package stand below this directory.
EXECUTABLES = '/lib/active_collection/'


@dataclass(frozen=True, eq=False)
class NodeProcess:
    """
    A node of this package that runs here.

    :param namespace: '/arm_1'
    :param environment: None where it may not be read: another user's
    """

    pid: int
    node: str
    namespace: str
    environment: Mapping[str, str] | None

    def __str__(self) -> str:
        return f'{self.namespace.rstrip("/")}/{self.node} (process {self.pid})'


class Processes:
    """The environment of each node's process on this machine beside the shell's."""

    def look(self, subject: Machine) -> Iterable[Finding]:
        """Return a finding for each process that differs, and one for all that do not."""
        found = [process for process in node_processes(subject)
                 if subject.robot in {'', process.namespace} or process.node == SCHEDULER]
        if not found:
            whose = f' of {subject.robot}' if subject.robot else ''
            return [skipped(f'no node of this package{whose} runs on this machine')]
        findings = {process: _of_process(process, subject) for process in found}
        same = [process for process, finding in findings.items() if finding is None]
        if subject.robot and any(process.node == SCHEDULER for process in same):
            # Any other scheduler is another fleet's.
            findings = {process: finding for process, finding in findings.items()
                        if process in same or process.node != SCHEDULER}
        return [*filter(None, findings.values()),
                *([ok(f'{", ".join(map(str, same))}: same environment as here')] if same else [])]


def node_processes(machine: Machine) -> list[NodeProcess]:
    """Return the processes of this machine that are nodes of this package."""
    found = []
    for path in (machine.root / 'proc').glob('[0-9]*'):
        words = _split(path / 'cmdline') or []
        executable = next((word for word in words[:2] if EXECUTABLES in word), '')
        if Path(executable).name in NODES:
            namespace = next((word.removeprefix('__ns:=').strip('/') for word in words
                              if word.startswith('__ns:=')), '')
            pairs = _split(path / 'environ')
            environment = None if pairs is None else dict(
                pair.split('=', 1) for pair in pairs if '=' in pair)
            found.append(NodeProcess(
                int(path.name), Path(executable).name, f'/{namespace}', environment))
    return sorted(found, key=lambda process: process.pid)


def _split(path: Path) -> list[str] | None:
    """Return the words of a file in /proc, which end with NUL; None where it may not be read."""
    try:
        return path.read_bytes().decode('utf-8', 'replace').split('\0')[:-1]
    except OSError:
        return None


def _of_process(process: NodeProcess, machine: Machine) -> Finding | None:
    """Return in what a process differs; None where it does not."""
    theirs, ours = process.environment, machine.environment
    if theirs is None:
        return skipped(f'{process} is of another user',
                       remedy='run the doctor as the user that the nodes run as')
    differing = [name for name in (*OF_DISCOVERY, *OF_TRANSPORT)
                 if _value(theirs, name) != _value(ours, name)]
    if not differing:
        return None
    # Another fleet's scheduler may well run here, and without a robot any other robot's nodes.
    is_asked_for = bool(machine.robot) and process.node != SCHEDULER
    say = wrong if is_asked_for and set(differing) & set(OF_DISCOVERY) else warning
    return say(f'{process} has {_told(theirs, differing)}', expected=f'as in this shell, '
               f'{_told(ours, differing)}', remedy='; '.join(
                   f'export {name}={theirs[name]}' if theirs.get(name) else f'unset {name}'
                   for name in differing) + ', or start it anew from here')


def _value(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or DEFAULTS.get(name, '')


def _told(environment: Mapping[str, str], names: Iterable[str]) -> str:
    return ', '.join(f'{name}={_value(environment, name) or "(not set)"}' for name in names)
