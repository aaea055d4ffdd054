# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Let the mean policy of an ensemble act in simulation, on object configurations kept for this.

The configurations depend only on the seed and the task: every ensemble meets the same ones, and no
scheduler draws them. Nothing is rendered.
"""
from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import statistics
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

from active_collection.cli.options import path

if TYPE_CHECKING:
    from active_collection.scenario import Scenario

NAME = 'evaluate'
HELP = "act out an ensemble's mean policy in simulation, on held-out configurations"

#: Control steps a second of the simulated robot: sets the stamps that observations align by.
RATE_HZ = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--ensemble', required=True, type=path, metavar='DIR',
                        help='an ensemble, or a directory of ensembles: the newest')
    parser.add_argument('--space', required=True, type=path, metavar='YAML',
                        help='scenario space that the configurations are drawn from')
    parser.add_argument('--out', required=True, type=path, metavar='FILE',
                        help='JSON file for the result')
    parser.add_argument('--tasks', nargs='+', default=[], metavar='TASK',
                        help='tasks of the space (default: all)')
    parser.add_argument('--episodes', default=5, type=int,
                        help='configurations of each task (default: %(default)s)')
    parser.add_argument('--seed', default=0, type=int,
                        help='of the configurations (default: %(default)s)')
    parser.add_argument('--round', default=0, type=int,
                        help='collection round, for the report (default: %(default)s)')
    parser.add_argument('--max-steps', default=200, type=int,
                        help='control steps after which an episode has failed '
                             '(default: %(default)s)')
    parser.add_argument('--hold-steps', default=5, type=int,
                        help='control steps in a row that must be a success '
                             '(default: %(default)s)')
    parser.add_argument('--processes', default=min(2, os.cpu_count() or 1), type=int,
                        help='episodes at a time (default: %(default)s)')


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, write the result and print it as a table."""
    from active_collection import config
    from active_collection.cli.options import positive
    from active_collection.cli.progress import progress
    from active_collection.files import write_whole
    from active_collection.scenario import ScenarioSpace
    from active_collection.simulation.held_out import held_out_scenarios
    from active_collection.uncertainty.ensemble_files import load_newest

    for name in ('episodes', 'max_steps', 'hold_steps', 'processes'):
        positive(getattr(arguments, name), f'--{name.replace("_", "-")}')
    positive(arguments.seed, '--seed', zero=True)
    positive(arguments.round, '--round', zero=True)
    space = config.load(arguments.space, ScenarioSpace)
    scenarios = [
        scenario for task in dict.fromkeys(arguments.tasks or space.tasks)
        for scenario in held_out_scenarios(
            space, task, episodes=arguments.episodes, seed=arguments.seed)]
    ensemble = load_newest(arguments.ensemble)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    job = Job(arguments.ensemble, arguments.max_steps, arguments.hold_steps)
    attempts = []
    with progress('evaluating the policy') as update:
        for attempt in _attempts(job, scenarios, arguments.processes):
            attempts.append(attempt)
            done = sum(a.success for a in attempts)
            update(len(attempts), len(scenarios), f'{done} of {len(attempts)} successful')
    result = {
        'ensemble_id': ensemble.description.ensemble_id,
        'round': arguments.round,
        'seed': arguments.seed,
        'tasks': {task: _summary([a for a in attempts if a.task == task])
                  for task in dict.fromkeys(s.task for s in scenarios)}}
    write_whole(arguments.out, json.dumps(result, indent=1) + '\n')
    _print(result)
    return 0


@dataclass(frozen=True)
class Job:
    """
    What every worker does the same.

    :param ensemble: directory of the ensemble
    :param max_steps: control steps after which an episode has failed
    :param hold_steps: control steps in a row that must be a success
    """

    ensemble: Path
    max_steps: int
    hold_steps: int


@dataclass(frozen=True)
class Attempt:
    """
    One episode of the policy.

    :param epistemic: mean over its steps, normalised, 0 to 1
    """

    task: str
    success: bool
    steps: int
    epistemic: float


class Evaluator:
    """A simulated robot and the policy that drives it."""

    def __init__(self, job: Job) -> None:
        import torch

        from active_collection.simulation.messages import ACTION_TOPIC
        from active_collection.simulation.messages import SCENARIO_TOPIC
        from active_collection.simulation.messages import STATE_TOPICS
        from active_collection.simulation.robot import SimulatedRobot
        from active_collection.uncertainty.ensemble_files import load_newest

        # Episodes run side by side in processes; the threads of small networks only disturb them.
        torch.set_num_threads(1)
        self._job = job
        self._ensemble = load_newest(job.ensemble)
        self._spec = self._ensemble.description.observation
        self._robot = SimulatedRobot()
        self._topics = _resolve(
            self._spec.observation_topics, [*STATE_TOPICS, SCENARIO_TOPIC, ACTION_TOPIC],
            where=f'ensemble {self._ensemble.description.ensemble_id}')

    def attempt(self, scenario: Scenario) -> Attempt:
        """
        Let the mean policy act in a scenario, seeing what it would see over ROS.

        :raises ActiveCollectionError: where the scenario cannot be set up, or the policy needs
            what the simulated robot does not sense
        """
        from active_collection.bags.alignment import ObservationAligner
        from active_collection.errors import UncertaintyError
        from active_collection.simulation.messages import SCENARIO_TOPIC
        from active_collection.simulation.messages import scenario_message
        from active_collection.simulation.messages import state_messages
        from active_collection.simulation.observation import Array
        from active_collection.simulation.observation import Observation
        from active_collection.simulation.rollout import roll_out
        from active_collection.uncertainty.monitor import UncertaintyMonitor

        aligner = ObservationAligner(self._spec, sizes=self._ensemble.description.sizes)
        monitor = UncertaintyMonitor(self._ensemble)
        monitor.start_episode('evaluation')
        action: Array | None = None
        stamp_ns = 0

        def act(observation: Observation) -> Array:
            nonlocal action, stamp_ns
            stamp_ns += 1_000_000_000 // RATE_HZ
            sent = {**state_messages(observation, stamp_ns),
                    SCENARIO_TOPIC: scenario_message(scenario)}
            for name, topic in self._topics.items():
                for seen in aligner.add(name, sent[topic], stamp_ns):
                    action = monitor.observe(seen.values, seen.stamp_ns).action_mean
            if action is None:
                raise UncertaintyError('observation', found=aligner.statistics.problem or 'none',
                                       expected='one at the first control step')
            return action

        self._robot.set_up(scenario)
        rolled = roll_out(self._robot, act, max_steps=self._job.max_steps,
                          hold_steps=self._job.hold_steps)
        return Attempt(scenario.task, rolled.success, rolled.steps,
                       monitor.finish_episode().epistemic_mean)


def _resolve(names: tuple[str, ...], available: list[str], *, where: str) -> dict[str, str]:
    from active_collection.bags.observation import resolve_topics
    from active_collection.errors import BagError
    from active_collection.errors import SimulationError

    try:
        return resolve_topics(names, available, where=where)
    except BagError as error:
        raise SimulationError(error.where, found='not a topic of the simulated robot',
                              expected=', '.join(available)) from error


def _attempts(job: Job, scenarios: list[Scenario], processes: int) -> Iterator[Attempt]:
    """Give attempts as they end, in any order."""
    from active_collection.errors import SimulationError

    if processes == 1:
        evaluator = Evaluator(job)
        yield from map(evaluator.attempt, scenarios)
        return
    pool = ProcessPoolExecutor(
        min(processes, len(scenarios)), mp_context=multiprocessing.get_context('spawn'),
        initializer=_start_worker, initargs=(job,))
    try:
        futures: list[Future[Attempt]] = [
            pool.submit(_attempt, scenario) for scenario in scenarios]
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool as error:
        raise SimulationError('evaluate', found='a worker process that died', expected='enough '
                              'memory; fewer --processes') from error
    finally:
        pool.shutdown(cancel_futures=True)


#: What a worker process keeps from one episode to the next: its evaluator, or why there is none.
_evaluate: Callable[[Scenario], Attempt]


def _start_worker(job: Job) -> None:
    global _evaluate  # noqa: PLW0603 - a pool's initialiser has no other way to leave something

    # Ctrl-C is for the parent, which lets a running episode end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    evaluators: list[Evaluator] = []

    def evaluate(scenario: Scenario) -> Attempt:
        if not evaluators:
            evaluators.append(Evaluator(job))
        return evaluators[0].attempt(scenario)

    _evaluate = evaluate


def _end_with_parent() -> None:
    """Leave no worker behind when the command is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _attempt(scenario: Scenario) -> Attempt:
    return _evaluate(scenario)


def _summary(attempts: list[Attempt]) -> dict[str, float]:
    return {'success': sum(attempt.success for attempt in attempts), 'episodes': len(attempts),
            'epistemic': statistics.fmean(attempt.epistemic for attempt in attempts)}


def _print(result: dict[str, Any]) -> None:
    width = max(len('task'), *map(len, result['tasks']))
    print(f'{"task":<{width}}  success  epistemic')
    for task, row in result['tasks'].items():
        print(f'{task:<{width}}  {row["success"]:>3}/{row["episodes"]:<3}  {row["epistemic"]:.4f}')
    success = sum(row['success'] for row in result['tasks'].values())
    episodes = sum(row['episodes'] for row in result['tasks'].values())
    print(f'{"all":<{width}}  {success:>3}/{episodes:<3}  ensemble {result["ensemble_id"]}')
    sys.stdout.flush()
