# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A fleet on paper: the same scheduler, assumed learning curves, faster than real time."""
from __future__ import annotations

import heapq
from collections.abc import Callable
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
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.fleet.refusal import Refusal
from active_collection.scheduling.fleet.refusal import Refused
from active_collection.scheduling.fleet.scene import Scene
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.scheduling.simulation.learning_curves import LearningCurves

NS = 1_000_000_000
S_PER_H = 3600.0
START_NS = 1_700_000_000 * NS
UNNAMED_ROBOTS = 4
COLLECTORS = ('teleoperation', 'scripted', 'policy')


@dataclass(slots=True)
class TaskLoad:
    """
    What a task took.

    :param episodes: collected in all
    :param demonstrations: those of them that a policy can learn from
    :param robot_s: time of robots that it took, with travel (s)
    :param operator_s: time of the episodes that a person teleoperated (s)
    :param cost: of the episodes with travel and reset, in the unit of tasks
    :param success: of the policy by the assumed curve, after the last retraining, 0 to 1
    :param stopped: why the scheduler stopped it; empty where it did not
    """

    episodes: int = 0
    demonstrations: int = 0
    robot_s: float = 0.0
    operator_s: float = 0.0
    cost: float = 0.0
    success: float = 0.0
    stopped: str = ''


@dataclass(frozen=True, slots=True)
class Load:
    """
    What a fleet had to do.

    :param lasted_s: time from the start to the end, or until no robot got anything to do (s)
    :param busy_s: time that each robot worked (s)
    :param ended: why no robot got anything to do before the end; empty where there was work
    """

    lasted_s: float
    tasks: dict[str, TaskLoad]
    busy_s: dict[str, float]
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
    :param travel_s: what getting there took, and `lasts_s`, what the episode did (s)
    """

    at_ns: int
    number: int
    environment: str = field(compare=False)
    assigned: Assignment | None = field(default=None, compare=False)
    travel_s: float = field(default=0.0, compare=False)
    lasts_s: float = field(default=0.0, compare=False)


class FleetSimulation:
    """
    Robots that ask, collect for as long as an episode lasts, report, and ask again.

    A robot of which the space says what it can do can do only that; where the space says it of no
    robot, all can do everything.

    It says what a fleet gets to do, not what a rule is worth: a curve is assumed, and knows how
    many demonstrations there are but not of which object configurations.

    :param curves: how each task's policy learns, which the scheduler does not see
    :param robots: their names, known to the space where it names any
    :param retrain: episodes between two retrainings
    """

    def __init__(self, space: ScenarioSpace, curves: LearningCurves, *, robots: Sequence[str],
                 retrain: int) -> None:
        self._space = space
        self._curves = curves.tasks
        self._robots = list(robots)
        self._retrain = retrain
        self._capabilities: tuple[str, ...] = ()
        if not any(robot.capabilities for robot in space.robots.values()):
            self._capabilities = tuple(sorted(
                {c for t in space.tasks.values() for c in t.capabilities}))
        missing = [name for name in space.tasks if name not in curves.tasks]
        if missing:
            raise SchedulingError('learning curves', found='none for ' + ', '.join(missing),
                                  expected='one for every task of the scenario space')

    def run(self, settings: SchedulerSettings, hours: float,
            update: Callable[[int, int, str], None] = lambda done, of, note: None) -> Load:
        """
        Let the fleet work, and return what it did.

        :param settings: of the scheduler; its ledger is a temporary one
        :param hours: how long the fleet works, without a pause (h)
        :param update: told (seconds worked, of how many, episodes so far)
        """
        with TemporaryDirectory(prefix='simulate-') as directory:
            ledger = Ledger(Path(directory) / 'ledger.sqlite3', is_durable=False)
            try:
                scheduler = Scheduler(self._space, settings, ledger, now_ns=START_NS)
                return self._collect(scheduler, settings, hours * S_PER_H, update)
            finally:
                ledger.close()

    def _collect(self, scheduler: Scheduler, settings: SchedulerSettings, seconds: float,
                 update: Callable[[int, int, str], None]) -> Load:
        random = np.random.default_rng([settings.seed, 1])
        tasks = {name: TaskLoad() for name in self._space.tasks}
        busy_s = dict.fromkeys(self._robots, 0.0)
        learnt = dict.fromkeys(self._space.tasks, 0)
        known = self._space.robots
        turns = [_Turn(START_NS, number, known[name].environment if name in known else '')
                 for number, name in enumerate(self._robots)]
        waiting: list[_Turn] = []
        refusals: dict[object, Refusal] = {}
        done, last_ns, ended = 0, START_NS, ''
        while turns and turns[0].at_ns <= START_NS + seconds * NS:
            turn = heapq.heappop(turns)
            if turn.assigned is not None:
                record = self._episode(turn.assigned, turn, learnt, done // self._retrain, random)
                self._add(tasks[record.scenario.task], turn, record,
                          turn.assigned.reset_required * settings.reset_cost,
                          settings.travel_cost)
                busy_s[record.robot] += turn.travel_s + turn.lasts_s
                scheduler.finished(record, turn.at_ns)
                done, last_ns = done + 1, turn.at_ns
                update(int((turn.at_ns - START_NS) / NS), int(seconds), f'{done} episodes')
                if done % self._retrain == 0:
                    learnt = {name: task.demonstrations for name, task in tasks.items()}
                for asked in waiting:
                    heapq.heappush(turns, self._again(asked, turn.at_ns, settings))
                waiting.clear()
                refusals.clear()
            kind = self._kind(scheduler, turn)
            answer = refusals.get(kind) or self._ask(scheduler, turn)
            if isinstance(answer, Assignment):
                heapq.heappush(turns, self._work(answer, turn, random))
                continue
            ended = answer.message
            refusals[kind] = answer
            if answer.code is not Refused.FINISHED:
                waiting.append(turn)
        for name, task in tasks.items():
            task.success = self._curves[name].success(learnt[name])
            task.stopped = scheduler.fleet.stopped.get(name, ('', 0))[0]
        return Load(seconds if turns else (last_ns - START_NS) / NS, tasks, busy_s,
                    '' if turns else ended)

    def _add(self, task: TaskLoad, turn: _Turn, record: EpisodeRecord, reset_cost: float,
             travel_cost: float) -> None:
        """Add an episode to what its task took."""
        task.episodes += 1
        task.demonstrations += record.is_demonstration
        task.robot_s += turn.travel_s + turn.lasts_s
        if record.source is Source.TELEOPERATION:
            task.operator_s += turn.lasts_s
        task.cost += (self._space.tasks[record.scenario.task].cost
                      + turn.travel_s * travel_cost + reset_cost)

    def _kind(self, scheduler: Scheduler, turn: _Turn) -> object:
        """
        Return what the scheduler can tell robots that did not just ask apart by.

        Until an episode ends, what was refused to one robot is refused to all of its kind.
        """
        name = self._robots[turn.number]
        scene = scheduler.fleet.scenes.get(name, Scene())
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

    def _ask(self, scheduler: Scheduler, turn: _Turn) -> Assignment | Refusal:
        return scheduler.request(
            Request(self._robots[turn.number], capabilities=self._capabilities,
                    collectors=COLLECTORS), turn.at_ns)

    def _work(self, assigned: Assignment, turn: _Turn, random: np.random.Generator) -> _Turn:
        """Return when the robot has collected what it was assigned."""
        environment = assigned.scenario.environment
        travel_s = (self._space.environments[environment].travel_s
                    if environment != turn.environment else 0.0)
        lasts_s = self._curves[assigned.scenario.task].duration_s * random.uniform(0.7, 1.3)
        return _Turn(turn.at_ns + int((travel_s + lasts_s) * NS), turn.number, environment,
                     assigned, travel_s, lasts_s)

    def _episode(self, assigned: Assignment, turn: _Turn, learnt: dict[str, int], epoch: int,
                 random: np.random.Generator) -> EpisodeRecord:
        curve = self._curves[assigned.scenario.task]
        n = learnt[assigned.scenario.task]
        is_policy = assigned.collector == 'policy'
        chance = curve.success(n) if is_policy else curve.demonstrator
        epistemic = curve.epistemic(n) * random.lognormal(0.0, 0.3)
        return EpisodeRecord(
            f'e-{assigned.assignment_id}', assigned.scenario, assigned.request.robot,
            Source(assigned.collector), turn.at_ns - int(turn.lasts_s * NS), turn.at_ns,
            Outcome.SUCCESS if random.random() < chance else Outcome.FAILURE, revision=1,
            assignment_id=assigned.assignment_id,
            uncertainty=UncertaintySummary(
                'e', f'{epoch:06d}' if epoch else '', 1 if epoch else 0, min(epistemic, 1.0)))
