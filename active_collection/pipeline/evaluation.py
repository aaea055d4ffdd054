# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Let the mean policy of an ensemble act in simulation, several episodes at a time.

Nothing is rendered.
"""
from __future__ import annotations

import multiprocessing
import os
import signal
import statistics
import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import torch

from active_collection.bags.alignment import ObservationAligner
from active_collection.bags.observation import resolve_topics
from active_collection.errors import BagError
from active_collection.errors import SimulationError
from active_collection.errors import UncertaintyError
from active_collection.scenario import Scenario
from active_collection.simulation.messages import ACTION_TOPIC
from active_collection.simulation.messages import SCENARIO_TOPIC
from active_collection.simulation.messages import STATE_TOPICS
from active_collection.simulation.messages import scenario_message
from active_collection.simulation.messages import state_messages
from active_collection.simulation.observation import Array
from active_collection.simulation.observation import Observation
from active_collection.simulation.robot import SimulatedRobot
from active_collection.simulation.rollout import roll_out
from active_collection.uncertainty.ensemble_files import load_newest
from active_collection.uncertainty.monitor import UncertaintyMonitor

#: Control steps a second of the simulated robot: sets the stamps that observations align by.
RATE_HZ = 50


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
    try:
        return resolve_topics(names, available, where=where)
    except BagError as error:
        raise SimulationError(error.where, found='not a topic of the simulated robot',
                              expected=', '.join(available)) from error


def attempts(job: Job, scenarios: Sequence[Scenario], processes: int) -> Iterator[Attempt]:
    """
    Give attempts as they end, in any order.

    :param processes: episodes at a time
    :raises ActiveCollectionError: where a scenario cannot be set up, the policy needs what the
        simulated robot does not sense, or a process died
    """
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


def summary(attempts: Iterable[Attempt]) -> dict[str, dict[str, float]]:
    """Return of each task the successes, the episodes and the mean epistemic uncertainty."""
    by_task: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_task.setdefault(attempt.task, []).append(attempt)
    return {task: {'success': sum(attempt.success for attempt in mine), 'episodes': len(mine),
                   'epistemic': statistics.fmean(attempt.epistemic for attempt in mine)}
            for task, mine in by_task.items()}
