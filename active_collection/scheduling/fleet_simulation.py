# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A fleet on paper: the same scheduler against learning curves, faster than real time."""
from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import UncertaintySummary
from active_collection.errors import ConfigError
from active_collection.errors import SchedulingError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.answers import Grant
from active_collection.scheduling.answers import Refusal
from active_collection.scheduling.answers import Refused
from active_collection.scheduling.events import Assigned
from active_collection.scheduling.events import Request
from active_collection.scheduling.learning_curves import LearningCurves
from active_collection.scheduling.ledger import Ledger
from active_collection.scheduling.scene import Scene
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings

NS = 1_000_000_000
START_NS = 1_700_000_000 * NS
UNNAMED_ROBOTS = 4
COLLECTORS = ('teleoperation', 'scripted', 'policy')


@dataclass(frozen=True, slots=True)
class Run:
    """
    What one rule achieved with one seed.

    :param cost: what the episodes had cost at each retraining, in the unit of tasks, the last one
        at the end
    :param success: mean success over the tasks then, weighed by importance, 0 to 1
    :param episodes: how many were collected in all
    :param ended: why no robot got anything to do before the budget was spent; empty where it was
    """

    rule: str
    seed: int
    cost: tuple[float, ...]
    success: tuple[float, ...]
    episodes: int = 0
    ended: str = ''


def fleet_of(space: ScenarioSpace, count: int | None, *, where: str) -> list[str]:
    """
    Return the names of a fleet's robots.

    :param count: how many; None: all that the scenario space names, 4 where it names none
    :param where: what asks for so many, for the message
    :raises ConfigError: where the space names fewer: it says where each robot can go and what it
        can do, which nobody said of more
    """
    known = list(space.robots)
    if known and count is not None and count > len(known):
        raise ConfigError(where, found=count, expected=f'at most {len(known)}, the robots that '
                          f'the scenario space names ({", ".join(known)})')
    return known[:count] if known else [f'robot_{k}' for k in range(count or UNNAMED_ROBOTS)]


@dataclass(order=True, slots=True)
class _Turn:
    """
    When a robot asks (ns), having finished an episode if it has an assignment.

    :param number: of the robot
    :param environment: that the robot is in; empty where nobody says
    :param cost: of the episode with its travel and reset, in the unit of tasks
    """

    at_ns: int
    number: int
    environment: str = field(compare=False)
    assigned: Assigned | None = field(default=None, compare=False)
    cost: float = field(default=0.0, compare=False)


class FleetSimulation:
    """
    Robots that ask, collect for as long as an episode lasts, report, and ask again.

    A robot of which the space says what it can do can do only that; where the space says it of no
    robot, all can do everything.

    :param curves: how each task's policy really learns, which the scheduler does not see
    :param robots: their names, known to the space where it names any
    :param retrain: episodes between two retrainings
    """

    def __init__(self, space: ScenarioSpace, curves: LearningCurves, *, robots: Sequence[str],
                 retrain: int, seed: int) -> None:
        self._space = space
        self._curves = curves.tasks
        self._robots = list(robots)
        self._retrain = retrain
        self._seed = seed
        self._capabilities: tuple[str, ...] = ()
        if not any(robot.capabilities for robot in space.robots.values()):
            self._capabilities = tuple(sorted(
                {c for t in space.tasks.values() for c in t.capabilities}))
        missing = [name for name in space.tasks if name not in curves.tasks]
        if missing:
            raise SchedulingError('learning curves', found='none for ' + ', '.join(missing),
                                  expected='one for every task of the scenario space')

    def run(self, settings: SchedulerSettings, budget: float) -> Run:
        """
        Collect episodes under a rule until they have cost so much, and return what was learnt.

        :param settings: the rule and its parameters; its ledger is a temporary one
        :param budget: in the unit of tasks: what an episode costs, and its travel and reset where
            the settings say what they do
        """
        with TemporaryDirectory(prefix='simulate-') as directory:
            ledger = Ledger(Path(directory) / 'ledger.sqlite3', is_durable=False)
            try:
                scheduler = Scheduler(self._space, settings, ledger, now_ns=START_NS)
                return self._collect(scheduler, settings, budget)
            finally:
                ledger.close()

    def _collect(self, scheduler: Scheduler, settings: SchedulerSettings, budget: float) -> Run:
        random = np.random.default_rng([self._seed, 1])
        collected = dict.fromkeys(self._space.tasks, 0)
        learnt = dict(collected)
        known = self._space.robots
        turns = [_Turn(START_NS, number, known[name].environment if name in known else '')
                 for number, name in enumerate(self._robots)]
        waiting: list[_Turn] = []
        refusals: dict[object, Refusal] = {}
        marks, success = [0.0], [self._mean_success(learnt)]
        done, spent, ended = 0, 0.0, ''
        while spent < budget and turns:
            turn = heapq.heappop(turns)
            if turn.assigned is not None:
                record = self._episode(turn.assigned, turn.at_ns, learnt, done // self._retrain,
                                       random)
                collected[record.scenario.task] += record.is_demonstration
                scheduler.finished(record, turn.at_ns)
                done += 1
                spent += turn.cost
                if done % self._retrain == 0:
                    learnt = dict(collected)
                    marks.append(spent)
                    success.append(self._mean_success(learnt))
                for asked in waiting:
                    heapq.heappush(turns, self._again(asked, turn.at_ns, settings))
                waiting.clear()
                refusals.clear()
            kind = self._kind(scheduler, turn)
            answer = refusals.get(kind) or self._ask(scheduler, turn)
            if isinstance(answer, Grant):
                heapq.heappush(turns, self._work(answer.assigned, turn, settings, random))
                continue
            ended = answer.message
            refusals[kind] = answer
            if answer.code is not Refused.FINISHED:
                waiting.append(turn)
        if spent > marks[-1]:
            marks.append(spent)
            success.append(self._mean_success(collected))
        return Run(settings.rule, self._seed, tuple(marks), tuple(success), done,
                   ended if spent < budget else '')

    def _kind(self, scheduler: Scheduler, turn: _Turn) -> object:
        """
        Return what the scheduler can tell robots that did not just ask apart by.

        Until an episode ends, what was refused to one robot is refused to all of its kind.
        """
        name = self._robots[turn.number]
        scene = scheduler.books.scenes.get(name, Scene())
        entry = self._space.robots.get(name)
        return (tuple(self._space.can_reach(name, e) for e in self._space.environments),
                entry and (entry.capabilities, entry.environment),
                scene.environment,
                None if scene.facts is None else tuple(sorted(scene.facts.items())))

    @staticmethod
    def _again(asked: _Turn, now_ns: int, settings: SchedulerSettings) -> _Turn:
        """Return when a robot that is refused pause after pause next asks after an episode."""
        pause_ns = int(settings.retry_after_s * NS)
        pauses = (now_ns - asked.at_ns) // pause_ns + 1
        return _Turn(asked.at_ns + pauses * pause_ns, asked.number, asked.environment)

    def _ask(self, scheduler: Scheduler, turn: _Turn) -> Grant | Refusal:
        return scheduler.request(
            Request(self._robots[turn.number], capabilities=self._capabilities,
                    collectors=COLLECTORS), turn.at_ns)

    def _work(self, assigned: Assigned, turn: _Turn, settings: SchedulerSettings,
              random: np.random.Generator) -> _Turn:
        """Return when the robot has collected what it was assigned, and what that costs."""
        task, environment = assigned.scenario.task, assigned.scenario.environment
        travel_s = (self._space.environments[environment].travel_s
                    if environment != turn.environment else 0.0)
        cost = (self._space.tasks[task].cost + travel_s * settings.travel_cost
                + assigned.reset_required * settings.reset_cost)
        length_s = travel_s + self._curves[task].duration_s * random.uniform(0.7, 1.3)
        return _Turn(turn.at_ns + int(length_s * NS), turn.number, environment, assigned, cost)

    def _episode(self, assigned: Assigned, ends_ns: int, learnt: dict[str, int], epoch: int,
                 random: np.random.Generator) -> EpisodeRecord:
        curve = self._curves[assigned.scenario.task]
        n = learnt[assigned.scenario.task]
        is_policy = assigned.collector == 'policy'
        chance = curve.success(n) if is_policy else curve.demonstrator
        epistemic = curve.epistemic(n) * random.lognormal(0.0, 0.3)
        return EpisodeRecord(
            f'e-{assigned.assignment_id}', assigned.scenario, assigned.request.robot,
            Source(assigned.collector), START_NS, ends_ns,
            Outcome.SUCCESS if random.random() < chance else Outcome.FAILURE, revision=1,
            assignment_id=assigned.assignment_id,
            uncertainty=UncertaintySummary(
                'e', f'{epoch:06d}' if epoch else '', 1 if epoch else 0, min(epistemic, 1.0)))

    def _mean_success(self, learnt: dict[str, int]) -> float:
        weights = np.array([task.importance for task in self._space.tasks.values()])
        values = np.array([self._curves[name].success(learnt[name]) for name in self._space.tasks])
        return float((values * weights).sum() / max(weights.sum(), 1e-12))
