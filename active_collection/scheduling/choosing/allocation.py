# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Robots that ask at once are answered together: what is worth collecting, and who does which."""
from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from typing import TypeGuard

import numpy as np
from scipy.optimize import linear_sum_assignment

from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import REPEAT
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.assignment import Term
from active_collection.scheduling.beliefs.task_arrays import Floats
from active_collection.scheduling.choosing.decision import DecisionMaker
from active_collection.scheduling.choosing.suppositions import Suppositions
from active_collection.scheduling.fleet.refusal import Cause
from active_collection.scheduling.fleet.refusal import Refusal
from active_collection.scheduling.fleet.refusal import RefusalReason
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.places import Mask
from active_collection.scheduling.settings import SchedulerSettings

Answer = Assignment | Refusal
#: Of a score, what a robot that cannot do it gets: nothing, and no robot is sent.
UNSUITED = -1.0


@dataclass(frozen=True)
class _Robot:
    """
    A robot that asks, with what it can do at every place and at what cost.

    :param suits: places that it can do, shape of all places
    :param is_chained: places whose task can follow its last without a reset
    :param cost: of an episode with travel and reset, shape of all places
    """

    request: Request
    suits: Mask
    is_chained: Mask
    cost: Floats


@dataclass(frozen=True)
class _Job:
    """
    A scenario worth collecting in this batch.

    :param assignment: to the robot for which the rule chose it
    :param chosen_for: index of that robot
    :param is_spare: whether that robot has another one already
    :param not_by: robot that has handed it back
    """

    assignment: Assignment
    place: int
    chosen_for: int
    is_spare: bool
    not_by: str


class Allocator:
    """
    Answers robots that ask at once, as an assignment problem.

    First the rule chooses one scenario after the other, for each robot among what it can do, and
    with all that was chosen before counted as out: so two robots are not sent after the same
    thing, and quotas, caps and the room in each environment are kept. Robots with the fewest
    places to choose from come first. Where some still get nothing, because others took the only
    thing that they can do, a spare scenario is chosen for each of those others.

    Then the robots are assigned to the scenarios (Kuhn 1955; `scipy.optimize`) such that, in
    this order, the most robots work, the fewest spares are used, and the sum of scores is
    largest, each at what the scenario costs the robot that does it (travel, changeover, reset).
    What was chosen together fits together, so each part of it does.
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings,
                 maker: DecisionMaker) -> None:
        self._space = space
        self._settings = settings
        self._maker = maker

    def allocate(self, fleet: FleetState, requests: Sequence[Request], *, now_ns: int,
                 number: int) -> list[Answer]:
        """
        Return what robots that hold no lease are to collect, in the order of their requests.

        :param requests: of different robots
        :param now_ns: ROS time (ns)
        :param number: the decision's own; together with the seed it fixes every draw
        """
        if len(requests) == 1:
            return [self._maker.decide(fleet, requests[0], now_ns=now_ns, number=(number,))]
        robots = [self._look_at(fleet, request) for request in requests]
        answers, jobs = self._choose(fleet, robots, now_ns=now_ns, number=number)
        repeating = {k for k, answer in enumerate(answers) if _is_repeat(answer)}
        does = self._match(robots, jobs, besides=repeating)
        return [answer if k in repeating else self._given(robots, k, does[k]) if k in does
                else self._nothing(answer) for k, answer in enumerate(answers)]

    def _look_at(self, fleet: FleetState, request: Request) -> _Robot:
        eligibility = self._maker.eligibility
        is_chained = eligibility.chained(fleet, request)
        return _Robot(
            request, eligibility.suits(fleet, request), is_chained,
            self._maker.costs.of(fleet, request, is_chained))

    def _choose(self, fleet: FleetState, robots: Sequence[_Robot], *, now_ns: int,
                number: int) -> tuple[list[Answer], list[_Job]]:
        """Return each robot's own answer, and the scenarios among which to assign them."""
        answers: dict[int, Answer] = {}
        jobs: list[_Job] = []
        not_by: dict[Scenario, str] = {r.scenario: r.not_by for r in fleet.retries}
        # What an operator has a robot repeat is its own, and the others' choices see it.
        order = sorted(range(len(robots)), key=lambda k: (
            robots[k].request.robot not in fleet.repeats, int(robots[k].suits.sum())))

        def choose(k: int, *, is_spare: bool) -> Answer:
            answer = self._maker.decide(
                fleet, robots[k].request, now_ns=now_ns, number=(number, int(is_spare), k))
            if _is_repeat(answer):
                supposed.give(answer)
            elif isinstance(answer, Assignment):
                scenario = answer.scenario
                jobs.append(_Job(
                    answer, self._maker.places.index[scenario.task, scenario.environment], k,
                    is_spare, not_by.get(scenario, '') if answer.attempt > 1 else ''))
                supposed.give(answer)
            return answer

        with Suppositions(fleet) as supposed:
            for k in order:
                answers[k] = choose(k, is_spare=False)
            chosen = [k for k in order if isinstance(answers[k], Assignment)]
            if len(chosen) < len(robots):
                for k in [k for k in chosen if not _is_repeat(answers[k])]:
                    choose(k, is_spare=True)
        return [answers[k] for k in range(len(robots))], jobs

    def _match(self, robots: Sequence[_Robot], jobs: Sequence[_Job], *,
               besides: Collection[int]) -> dict[int, _Job]:
        """Return what each robot does that gets something to do, besides those that have it."""
        if not jobs:
            return {}
        scores = np.array([[self._score(robot, robots, job) for job in jobs] for robot in robots])
        scores[list(besides)] = UNSUITED
        largest = max(float(scores.max()), np.finfo(np.float64).tiny)
        spare = np.array([job.is_spare for job in jobs])
        # Each aim outweighs the sum of all that come after it.
        aim = len(robots) + 1.0
        gain = np.where(scores < 0, 0.0, scores / largest + aim * ~spare + 2 * aim ** 2)
        pairs = zip(*linear_sum_assignment(gain, maximize=True), strict=True)
        return {int(k): jobs[j] for k, j in pairs if scores[k, j] >= 0}

    def _score(self, robot: _Robot, robots: Sequence[_Robot], job: _Job) -> float:
        """Return a scenario's score at what it costs a robot; UNSUITED where it cannot do it."""
        if robots[job.chosen_for] is robot:
            return job.assignment.score
        if (not robot.suits[job.place] or job.assignment.collector not in robot.request.collectors
                or job.not_by == robot.request.robot):
            return UNSUITED
        ratio = robots[job.chosen_for].cost[job.place] / robot.cost[job.place]
        return float(job.assignment.score * ratio ** self._settings.cost_weight)

    def _given(self, robots: Sequence[_Robot], k: int, job: _Job) -> Assignment:
        """Return a scenario as the robot gets it that is to collect it."""
        assignment, robot = job.assignment, robots[k]
        if job.chosen_for == k:
            return assignment
        chooser = robots[job.chosen_for]
        task = self._space.tasks[assignment.scenario.task]
        return replace(
            assignment,
            request=robot.request,
            reset_required=not robot.is_chained[job.place] and task.reset != 'none',
            score=self._score(robot, robots, job),
            terms=(*assignment.terms,
                   Term('cost_to_chosen', float(chooser.cost[job.place]), 0.0),
                   Term('cost_to_robot', float(robot.cost[job.place]), 0.0)),
            chosen_for=chooser.request.robot)

    def _nothing(self, answer: Answer) -> Refusal:
        """Return the answer for a robot that gets nothing in the end."""
        if isinstance(answer, Refusal):
            return answer
        return Refusal.nothing((RefusalReason(
            Cause.TAKEN, (), 'robots that asked at the same moment do what it could have done'),),
            retry_after_s=self._settings.retry_after_s)


def _is_repeat(answer: Answer) -> TypeGuard[Assignment]:
    return isinstance(answer, Assignment) and answer.rule == REPEAT
