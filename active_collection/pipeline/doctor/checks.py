# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The checks by name, and how they are made: side by side, each for a limited time."""
from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol

from active_collection.errors import ActiveCollectionError
from active_collection.errors import in_words
from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import DataDirectory
from active_collection.pipeline.doctor.subjects import Machine
from active_collection.pipeline.doctor.subjects import Robot
from active_collection.registry import Registry


class MachineCheck(Protocol):
    """Looks for one thing that may be wrong with a computer, with or without ROS."""

    def look(self, subject: Machine) -> Iterable[Finding]:
        """Return what is found, one finding at least; nothing is changed."""


class DataCheck(Protocol):
    """Looks for one thing that may be wrong with a data directory and the disk under it."""

    def look(self, subject: DataDirectory) -> Iterable[Finding]:
        """Return what is found, one finding at least; nothing is changed."""


class RobotCheck(Protocol):
    """Judges one thing of what was seen of a robot's nodes and topics."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return what is found, one finding at least."""


_HERE = 'active_collection.pipeline.doctor'

MACHINE_CHECKS: Registry[MachineCheck] = Registry(
    'machine check', 'active_collection.machine_checks', {
        'packages': f'{_HERE}.machine.packages:Packages',
        'clock': f'{_HERE}.machine.clock:Clock',
        'ROS': f'{_HERE}.machine.installation:Installation',
        'middleware': f'{_HERE}.machine.middleware:Middleware',
        'domain': f'{_HERE}.machine.domain:Domain',
        'discovery range': f'{_HERE}.machine.discovery_range:DiscoveryRange',
        'DDS profile': f'{_HERE}.machine.profile:Profile',
        'socket buffers': f'{_HERE}.machine.buffers:SocketBuffers',
        'shared memory': f'{_HERE}.machine.shared_memory:SharedMemory',
        'network': f'{_HERE}.machine.network:Network',
        'processes': f'{_HERE}.machine.processes:Processes',
    })
DATA_CHECKS: Registry[DataCheck] = Registry(
    'data check', 'active_collection.data_checks', {
        'data directory': f'{_HERE}.data.directory:Directory',
        'file system': f'{_HERE}.data.file_system:FileSystem',
        'disk space': f'{_HERE}.data.space:Space',
        'disk speed': f'{_HERE}.data.speed:Speed',
        'episodes': f'{_HERE}.data.episodes:Episodes',
        'index': f'{_HERE}.data.index:Index',
        'ensembles': f'{_HERE}.data.ensembles:Ensembles',
    })
ROBOT_CHECKS: Registry[RobotCheck] = Registry(
    'robot check', 'active_collection.robot_checks', {
        'nodes': f'{_HERE}.robot.nodes:Nodes',
        'recorder': f'{_HERE}.robot.recorder:Recorder',
        'diagnostics': f'{_HERE}.robot.diagnostics:Diagnostics',
        'simulated time': f'{_HERE}.robot.simulated_time:SimulatedTime',
        'topics': f'{_HERE}.robot.topics:Topics',
        'rates': f'{_HERE}.robot.rates:Rates',
        'stamps': f'{_HERE}.robot.stamps:Stamps',
        'QoS': f'{_HERE}.robot.offers:Offers',
        'actions': f'{_HERE}.robot.actions:Actions',
        'specification': f'{_HERE}.robot.specification:Specification',
        'scheduler': f'{_HERE}.robot.scheduler:Scheduler',
        'scenarios': f'{_HERE}.robot.scenarios:Scenarios',
    })


@dataclass(frozen=True)
class Result:
    """
    One line of a report.

    :param check: name of the check
    """

    check: str
    finding: Finding


def examine(checks: Registry[Any], subject: object, *, limit_s: float,
            names: Sequence[str] = ()) -> Iterator[Result]:
    """
    Make all checks at once and give their results in the registry's order.

    A check that does not end, because a disk or a network mount hangs, is left behind.

    :param limit_s: how long all of them together may take (s)
    :param names: of the checks to make; none: all
    """
    deadline = time.monotonic() + limit_s
    running = [_Running(checks, name, subject) for name in names or checks.names()]
    for each in running:
        each.thread.join(max(0.0, deadline - time.monotonic()))
        findings = each.findings if not each.thread.is_alive() else [wrong(
            f'not looked at within {limit_s:.1f} s', expected='an answer',
            remedy='see whether a disk or a network mount hangs: dmesg | tail; else try again')]
        for finding in findings:
            yield Result(each.name, finding)


class _Running:
    """One check in a thread of its own."""

    def __init__(self, checks: Registry[Any], name: str, subject: object) -> None:
        self.name = name
        self.findings: list[Finding] = []
        self.thread = threading.Thread(
            target=self._run, args=[checks, subject], name=name, daemon=True)
        self.thread.start()

    def _run(self, checks: Registry[Any], subject: object) -> None:
        try:
            self.findings = list(checks.get(self.name)().look(subject)) or [
                skipped('the check says nothing')]
        except ActiveCollectionError as error:
            if isinstance(error.__cause__, ModuleNotFoundError):  # this machine does without it
                self.findings = [skipped(error.found, remedy=error.expected)]
                return
            self.findings = [wrong(f'{error.where}: {error.found}', expected=error.expected,
                                   remedy='mend it, and look again')]
        except OSError as error:  # a file of this machine's, which nobody else can mend
            self.findings = [wrong(
                f'{error.filename or "a file"}: {in_words(error)}',
                expected='a place that this user can read',
                remedy='namei -l shows who may go where; run the doctor as the user that the '
                'nodes run as')]
        except BaseException as error:  # a third party's, or our own: it must not hide the others
            self.findings = [warning(
                f'the check itself failed: {type(error).__name__}: {error}',
                expected='a finding', remedy='tell those who maintain it')]
