# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The whole loop on one machine: collect, train, evaluate, steer, select, export, report."""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import rclpy
import yaml
from ament_index_python.packages import get_package_prefix
from ament_index_python.packages import get_package_share_directory
from rclpy.executors import ExternalShutdownException
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rich.console import Console
from rich.progress import BarColumn
from rich.progress import MofNCompleteColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeElapsedColumn

from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.files import write_whole
from active_collection.msg import SchedulerState
from active_collection.nodes.demo.fleet_client import FleetClient
from active_collection.nodes.demo.processes import Processes
from active_collection.nodes.demo.processes import ProcessFailedError
from active_collection.nodes.launching.description import NodeProcess
from active_collection.nodes.launching.description import fleet_processes
from active_collection.nodes.launching.description import robot_processes
from active_collection.nodes.launching.description import simulated_processes
from active_collection.pipeline.data_layout import EVALUATIONS
from active_collection.pipeline.data_layout import POOL
from active_collection.pipeline.data_layout import ROUNDS
from active_collection.simulation.demo_options import DemoOptions
from active_collection.simulation.demo_options import parse
from active_collection.simulation.demo_options import scenario_space
from active_collection.simulation.demo_summary import summary
from active_collection.uncertainty.ensemble_directory import newest as newest_ensemble

#: A demonstration takes seconds: a fleet that finishes none for this long is stuck (s).
STALL_S = 120.0
#: Control steps of an attempt, here and in the evaluation: twice what the slowest expert needs.
MAXIMUM_STEPS = 200
FREE_BYTES = 3 * 1024**3

#: Python drops an exception that a signal raises while an object is being destroyed.
#: Signals so far; no Event, whose lock a signal that comes within a signal would wait for.
_interrupts: list[int] = []
console = Console(stderr=True, highlight=False)


class Demo:
    """
    One run of the demo in its own data directory.

    :param options: how much to do
    """

    def __init__(self, options: DemoOptions) -> None:
        self._options = options
        self._data = _new_directory(Path(options.data))
        self._share = Path(get_package_share_directory('active_collection'))
        self._prefix = Path(get_package_prefix('active_collection'))
        self._space = self._data / 'scenario_space.yaml'
        self._ensembles = self._data / 'ensembles'

    def run(self) -> None:
        """Run every step; what is written before an error stays."""
        options = self._options
        space = scenario_space(self._share / 'config' / 'metaworld_mt10.yaml', options)
        write_whole(self._space, yaml.safe_dump(space, sort_keys=False))
        tasks = len(space['tasks'])
        console.print(
            f'[bold]active_collection demo[/]: {options.robots} simulated robots, {tasks} tasks, '
            f'{options.demonstrations} demonstrations a task, then {options.rounds} '
            f'round{"s" * (options.rounds != 1)} of {options.budget} episodes. '
            f'Data: {self._data}. '
            f'Look in with ROS_DOMAIN_ID={os.environ["ROS_DOMAIN_ID"]}.')
        with self._fleet() as (fleet, processes):
            self._collect(fleet, processes, tasks * options.demonstrations, 'bootstrap')
            self._learn(fleet, 0)
            for number in range(1, options.rounds + 1):
                self._collect(fleet, processes, options.budget, f'round {number}')
                self._learn(fleet, number)
        self._select()
        console.rule()
        for line in summary(self._data):
            console.print(line, soft_wrap=True)
        console.print(f'Report: [bold]{self._data / "report.html"}[/]', soft_wrap=True)

    @contextmanager
    def _fleet(self) -> Iterator[tuple[FleetClient, Processes]]:
        """Start every node and a client of the fleet; stop all of them at the end."""
        options = self._options
        # Each node does little; torch's own threads would only fight over the cores.
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        with Processes(self._data / 'logs', environment) as processes:
            for node in self._nodes():
                name = '-'.join(filter(None, (node.namespace, node.executable)))
                processes.start(name, node.command(self._prefix))
            rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
            client = FleetClient(options.robot_names)
            executor = SingleThreadedExecutor()
            executor.add_node(client)
            spinner = threading.Thread(target=_spin, args=[executor], daemon=True)
            spinner.start()
            try:
                yield client, processes
            finally:
                executor.shutdown(timeout_sec=1.0)
                rclpy.try_shutdown()
                spinner.join(timeout=2.0)

    def _nodes(self) -> Iterator[NodeProcess]:
        """Give every node of the fleet, the scheduler first."""
        options, data, config = self._options, str(self._data), str(self._share / 'config')
        for scheduler in fleet_processes(data=data, space=str(self._space), config=config):
            yield scheduler.given(seed=options.seed, rule=options.rule)
        for robot in options.robot_names:
            for simulated in simulated_processes(robot=robot, config=config):
                yield simulated.given(
                    rate_hz=options.rate, camera=options.camera, max_steps=MAXIMUM_STEPS)
            yield from robot_processes(
                robot=robot, data=data, ensembles=str(self._ensembles), scheduler='/scheduler',
                config=config)

    def _collect(self, fleet: FleetClient, processes: Processes, episodes: int,
                 title: str) -> None:
        """Let the fleet collect this many more episodes, then pause it and wait for the rest."""
        with Progress(
                TextColumn('{task.description:<32}'), BarColumn(), MofNCompleteColumn(),
                TimeElapsedColumn(), console=console) as progress:
            bar = progress.add_task(f'collect, {title}', total=episodes)
            start: list[int] = []

            def show(state: SchedulerState) -> None:
                processes.check()
                if _interrupts:
                    raise KeyboardInterrupt
                start[:] = start or [state.episodes]
                progress.update(bar, completed=min(episodes, state.episodes - start[0]))

            fleet.resume()
            fleet.wait(lambda state: bool(start) and state.episodes >= start[0] + episodes,
                       timeout_s=STALL_S + 10.0 * episodes, meanwhile=show)
            fleet.pause()
            fleet.wait(lambda state: state.leases == 0, timeout_s=STALL_S, meanwhile=show)

    def _learn(self, fleet: FleetClient, number: int) -> None:
        """Train on all episodes so far, evaluate, and give the ensemble to every robot."""
        options = self._options
        self._command(
            'train', '--data', self._data, '--spec',
            self._share / 'config' / 'observation_metaworld.yaml',
            '--config', self._share / 'config' / 'training.yaml', '--out', self._ensembles,
            '--members', options.members, '--seed', options.seed)
        newest = newest_ensemble(self._ensembles)
        if newest is None:
            raise ProcessFailedError(
                str(self._ensembles), found='no ensemble', expected='one that was just trained')
        self._command(
            'evaluate', '--ensemble', newest, '--space', self._space,
            '--episodes', options.evaluations, '--seed', options.seed, '--round', number,
            '--max-steps', MAXIMUM_STEPS,
            '--out', self._data / EVALUATIONS / f'{newest.name}.json')
        fleet.load_ensemble(newest)

    def _select(self) -> None:
        """Index the bags, select frames, export them and write the report."""
        options, pool = self._options, self._data / POOL
        report = ['report', '--data', self._data, '--out', self._data / 'report.html']
        if options.camera and self._has_pictures():
            chosen = self._data / ROUNDS / '1'
            self._command('index', self._data / 'episodes', '--pool', pool)
            self._command('select', '--pool', pool, '--count', options.frames, '--seed',
                          options.seed, '--out', chosen)
            self._command('export', '--round', chosen, '--format', 'coco')
            report += ['--round', '1']
        self._command(*report)

    def _has_pictures(self) -> bool:
        """Tell whether the robots rendered: without a GL library they go on without a camera."""
        from active_collection.bags.episodes import find_episodes
        from active_collection.bags.reader import open_bag

        for path in find_episodes(self._data):
            with open_bag(path) as bag:
                return any(info.type == 'sensor_msgs/msg/Image' for info in bag.topics.values())
        return False

    def _command(self, *arguments: object) -> None:
        """Run a subcommand of active-collection in this terminal."""
        command = [sys.executable, str(self._prefix / 'bin' / 'active-collection'),
                   *map(str, arguments)]
        status = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
        if status:
            raise ProcessFailedError(
                f'active-collection {arguments[0]}', found=f'exit status {status}', expected='0')


def _spin(executor: SingleThreadedExecutor) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        return


def _new_directory(wanted: Path) -> Path:
    """Return a directory of this run's own: demonstrations of an earlier one are never touched."""
    wanted = wanted.expanduser().absolute()
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        number = 1 + max(
            (int(p.name) for p in wanted.iterdir() if p.name.isdigit()), default=0)
        (wanted / f'{number:03d}').mkdir()
    except OSError as error:
        raise ConfigError(f'demo options: data {wanted}', found=error.strerror,
                          expected='a directory that can be written') from error
    free = shutil.disk_usage(wanted).free
    if free < FREE_BYTES:
        raise ConfigError(f'demo options: data {wanted}', found=f'{free / 1024**3:.1f} GiB free',
                          expected=f'at least {FREE_BYTES / 1024**3:.0f} GiB')
    return wanted / f'{number:03d}'


def _interrupt(number: int, _: object) -> NoReturn:
    _interrupts.append(number)
    raise KeyboardInterrupt


def main() -> int:
    """Run the demo; 2 after one line where it cannot, 130 after Ctrl-C."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    # The robots of two demos, or of a real fleet, must not meet.
    os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    try:
        Demo(parse(None)).run()
    except ActiveCollectionError as error:
        print(f'demo: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('demo: interrupted; what was recorded is kept', file=sys.stderr)
        return 130
    return 0
