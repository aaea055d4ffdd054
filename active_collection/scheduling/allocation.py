# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Robots that ask at once are answered together: what is worth collecting, and who does which."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.books import Books
from active_collection.scheduling.decision import Decision
from active_collection.scheduling.decision import DecisionMaker
from active_collection.scheduling.decision import NothingEligible
from active_collection.scheduling.eligibility import Mask
from active_collection.scheduling.events import Assigned
from active_collection.scheduling.events import Request
from active_collection.scheduling.events import Term
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.scheduling.suppositions import Suppositions

Answer = Decision | NothingEligible
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

    :param chosen_for: index of the robot for which the rule chose it
    :param is_spare: whether that robot has another one already
    :param not_by: robot that has handed it back
    """

    decision: Decision
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
        self._places = {place: k for k, place in enumerate(space.places)}

    def allocate(self, books: Books, requests: Sequence[Request], *, now_ns: int,
                 number: int) -> list[Answer]:
        """
        Return what robots that hold no lease are to collect, in the order of their requests.

        :param requests: of different robots
        :param now_ns: ROS time (ns)
        :param number: the decision's own; together with the seed it fixes every draw
        """
        if len(requests) == 1:
            return [self._maker.decide(books, requests[0], now_ns=now_ns, number=(number,))]
        robots = [self._look_at(books, request) for request in requests]
        answers, jobs = self._choose(books, robots, now_ns=now_ns, number=number)
        does = self._match(robots, jobs)
        return [self._given(robots, k, does[k]) if k in does else _nothing(answer)
                for k, answer in enumerate(answers)]

    def _look_at(self, books: Books, request: Request) -> _Robot:
        eligibility = self._maker.eligibility
        is_chained = eligibility.chained(books, request)
        return _Robot(
            request, eligibility.suits(books, request), is_chained,
            self._maker.costs(books, request, np.arange(len(is_chained)), is_chained))

    def _choose(self, books: Books, robots: Sequence[_Robot], *, now_ns: int,
                number: int) -> tuple[list[Answer], list[_Job]]:
        """Return each robot's own answer, and the scenarios among which to assign them."""
        answers: list[Answer] = [NothingEligible('')] * len(robots)
        jobs: list[_Job] = []
        not_by: dict[Scenario, str] = {r.scenario: r.not_by for r in books.retries}
        order = sorted(range(len(robots)), key=lambda k: int(robots[k].suits.sum()))

        def choose(k: int, *, is_spare: bool) -> Answer:
            decision = self._maker.decide(
                books, robots[k].request, now_ns=now_ns, number=(number, int(is_spare), k))
            if isinstance(decision, Decision):
                scenario = decision.scenario
                jobs.append(_Job(
                    decision, self._places[scenario.task, scenario.environment], k, is_spare,
                    not_by.get(scenario, '') if decision.attempt > 1 else ''))
                supposed.give(_supposed(robots[k].request, decision, len(jobs)))
            return decision

        with Suppositions(books) as supposed:
            for k in order:
                answers[k] = choose(k, is_spare=False)
            if len(jobs) < len(robots):
                for k in [k for k in order if isinstance(answers[k], Decision)]:
                    choose(k, is_spare=True)
        return answers, jobs

    def _match(self, robots: Sequence[_Robot], jobs: Sequence[_Job]) -> dict[int, _Job]:
        """Return what each robot does that gets something to do."""
        if not jobs:
            return {}
        scores = np.array([[self._score(robot, robots, job) for job in jobs] for robot in robots])
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
            return job.decision.score
        if (not robot.suits[job.place] or job.decision.collector not in robot.request.collectors
                or job.not_by == robot.request.robot):
            return UNSUITED
        ratio = robots[job.chosen_for].cost[job.place] / robot.cost[job.place]
        return float(job.decision.score * ratio ** self._settings.cost_weight)

    def _given(self, robots: Sequence[_Robot], k: int, job: _Job) -> Decision:
        """Return a scenario as the robot gets it that is to collect it."""
        decision, robot = job.decision, robots[k]
        if job.chosen_for == k:
            return decision
        chooser = robots[job.chosen_for]
        task = self._space.tasks[decision.scenario.task]
        return replace(
            decision,
            reset_required=not robot.is_chained[job.place] and task.reset != 'none',
            score=self._score(robot, robots, job),
            terms=(*decision.terms,
                   Term('cost_to_chosen', float(chooser.cost[job.place]), 0.0),
                   Term('cost_to_robot', float(robot.cost[job.place]), 0.0)),
            chosen_for=chooser.request.robot)


def assigned_of(decision: Decision, *, assignment_id: str, request: Request, deadline_ns: int,
                batch: int = 0) -> Assigned:
    """Return the event of an assignment."""
    return Assigned(
        assignment_id=assignment_id, request=request, deadline_ns=deadline_ns, batch=batch,
        **{field.name: getattr(decision, field.name) for field in fields(Decision)})


def _nothing(answer: Answer) -> NothingEligible:
    """Return the answer for a robot that gets nothing in the end."""
    if isinstance(answer, NothingEligible):
        return answer
    return NothingEligible('robots that asked at the same moment do what it could have done')


def _supposed(request: Request, decision: Decision, number: int) -> Assigned:
    return assigned_of(decision, assignment_id=f'?{number}', request=request, deadline_ns=0)
