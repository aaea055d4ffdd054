# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""One decision: which scenario, acted out by whom, for the robot that asks."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from active_collection.errors import ConfigError
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.acquisition import Candidates
from active_collection.scheduling.beliefs import Floats
from active_collection.scheduling.beliefs import Integers
from active_collection.scheduling.books import Books
from active_collection.scheduling.books import Retry
from active_collection.scheduling.collectors import Choice
from active_collection.scheduling.collectors import CollectorChoice
from active_collection.scheduling.collectors import usable
from active_collection.scheduling.curves import FittedCurves
from active_collection.scheduling.design import check_feasible
from active_collection.scheduling.eligibility import Eligibility
from active_collection.scheduling.eligibility import Eligible
from active_collection.scheduling.eligibility import Mask
from active_collection.scheduling.events import RETRY
from active_collection.scheduling.events import Request
from active_collection.scheduling.events import RunnerUp
from active_collection.scheduling.events import Term
from active_collection.scheduling.place_choice import Place
from active_collection.scheduling.place_choice import PlaceChoice
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.scheduling.steering import priority_of
from active_collection.scheduling.stopping import Stopping


@dataclass(frozen=True, slots=True)
class Decision:
    """What a robot is to collect, and why. The fields are those of `events.Assigned`."""

    scenario: Scenario
    collector: str
    reset_required: bool
    time_limit_s: float
    rule: str
    score: float
    terms: tuple[Term, ...]
    runners_up: tuple[RunnerUp, ...]
    ensemble_id: str
    attempt: int = 1
    policy_task: str = ''
    priority: int = 0
    draw: float | None = None
    chosen_for: str = ''


@dataclass(frozen=True, slots=True)
class NothingEligible:
    """Why there is nothing for a robot to do: one line for a person."""

    reason: str


class DecisionMaker:
    """
    Decides from the books, a request, a time and a number, and from nothing else.

    :raises ConfigError: where there is no such acquisition rule
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings) -> None:
        self._space = space
        self._settings = settings
        self._choice = PlaceChoice(space, settings)
        self.eligibility = Eligibility(space)
        self.stopping = Stopping(space, settings)
        self._collectors = CollectorChoice(space, settings)
        self._environments: dict[str, list[str]] = {name: [] for name in space.tasks}
        for name, environment in space.places:
            self._environments[name].append(environment)
        for name, task in space.tasks.items():
            check_feasible(task, where=f'tasks.{name}.constraints')
        self._curves: FittedCurves | None = None
        self._importance = np.array([t.importance for t in space.tasks.values()])
        self._needs_no_reset = np.array([t.reset == 'none' for t in space.tasks.values()])
        self._cost = np.array([t.cost for t in space.tasks.values()])
        self._travel_s = np.array([e.travel_s for e in space.environments.values()])

    def decide(self, books: Books, request: Request, *, now_ns: int,
               number: Sequence[int]) -> Decision | NothingEligible:
        """
        Return what a robot that holds no lease is to collect.

        :param now_ns: ROS time (ns): which of the operators' orders stand
        :param number: the decision's own; together with the seed it fixes every draw
        """
        random = np.random.default_rng([self._settings.seed, *number])
        eligible = self.eligibility.find(
            books, request, now_ns=now_ns, stopped=self.stopping.stopped_tasks(books.beliefs))
        if not eligible.places.size:
            return NothingEligible(eligible.reason)
        retry = self._retry(books, request, eligible)
        if retry is not None:
            return self._again(books, request, retry, eligible, now_ns=now_ns)
        drawn = self._choice.draw(self.candidates(books, request, eligible), random)
        place = self._choice.explained(drawn, eligible)
        return self._decision(books, request, place, eligible, random, now_ns=now_ns)

    def costs(self, books: Books, request: Request, places: Integers, is_chained: Mask) -> Floats:
        """
        Return what one episode at each place costs a robot, with travel and reset, shape (P,).

        :param is_chained: whether the task can follow there without a reset, shape (P,)
        """
        task = self.eligibility.task[places]
        where = self._whereabouts(books, request)
        here = np.array([e == where for e in self.eligibility.environment_names])
        travel = np.where(here, 0.0, self._travel_s)[self.eligibility.environment[places]]
        return np.asarray(
            self._cost[task] + travel * self._settings.travel_cost
            + np.where(is_chained | self._needs_no_reset[task], 0.0, self._settings.reset_cost))

    def _whereabouts(self, books: Books, request: Request) -> str:
        """Return the environment that a robot is in, as far as is known."""
        scene, entry = books.scenes.get(request.robot), self._space.robots.get(request.robot)
        return (request.environment or (scene.environment if scene else '')
                or (entry.environment if entry else ''))

    def candidates(self, books: Books, request: Request, eligible: Eligible) -> Candidates:
        """Return what a rule sees of the places that a robot may be sent to."""
        names, beliefs = self.eligibility.task_names, books.beliefs.arrays()
        if self._curves is None or self._curves.beliefs is not beliefs:
            self._curves = FittedCurves(beliefs)
        shares = np.array([books.recent.count(name) for name in names], dtype=np.float64)
        return Candidates(
            task=self.eligibility.task[eligible.places],
            environment=self.eligibility.environment[eligible.places],
            cost=self.costs(books, request, eligible.places, eligible.is_chained),
            boost=eligible.boost,
            is_chained=eligible.is_chained,
            importance=self._importance,
            beliefs=beliefs,
            pending=np.array([books.pending[name] for name in names]),
            pending_demonstrations=np.array(
                [books.pending_demonstrations[name] for name in names]),
            share=shares / self._settings.share_window,
            curves=self._curves,
            gap=lambda index: books.coverage.task(names[index]).gap(
                self._environments[names[index]]),
            points=lambda index, count: books.coverage.task(names[index]).features(count),
        )

    def probabilities(self, books: Books, *, now_ns: int, draws: int) -> Floats:
        """
        Return each task's chance to be the next one assigned to a robot that can do everything.

        :param draws: simulated decisions; the standard error is at most 0.5 / sqrt(draws)
        """
        everything = tuple(sorted(
            {c for t in self._space.tasks.values() for c in t.capabilities}))
        count = np.zeros(len(self._space.tasks))
        request = Request('', capabilities=everything,
                          collectors=('teleoperation', 'scripted', 'policy'))
        eligible = self.eligibility.find(
            books, request, now_ns=now_ns, anywhere=True,
            stopped=self.stopping.stopped_tasks(books.beliefs))
        if not eligible.places.size:
            return count
        candidates = self.candidates(books, request, eligible)
        random = np.random.default_rng([self._settings.seed, books.sequence, draws])
        for _ in range(draws):
            count[candidates.task[self._choice.draw(candidates, random).index]] += 1
        return count / draws

    def _decision(self, books: Books, request: Request, place: Place, eligible: Eligible,
                  random: np.random.Generator, *, now_ns: int) -> Decision | NothingEligible:
        name, environment = self._space.places[eligible.places[place.index]]
        task = self._space.tasks[name]
        choice = self._collectors.choose(books.beliefs, name, request.collectors, random)
        values, gap = self._configuration(
            books, name, environment, random, evaluates=_tries_own_policy(choice, name))
        if values is None:
            return NothingEligible(f'exclusions and constraints rule out the object '
                                   f'configurations of {name} in {environment}')
        informs = [Term('policy_draw', choice.draw, 0.0), Term('policy_share', choice.share, 0.0)]
        if gap is not None and np.isfinite(gap):
            informs.append(Term('coverage_distance', gap, 0.0))
        is_chained = bool(eligible.is_chained[place.index])
        return Decision(
            scenario=Scenario.of(name, environment, values),
            collector=choice.collector,
            reset_required=not is_chained and task.reset != 'none',
            time_limit_s=task.time_limit_s,
            rule=place.rule,
            score=place.score,
            terms=(*place.terms, *informs),
            runners_up=place.runners_up,
            ensemble_id=(books.beliefs.ensembles or ('',))[-1],
            policy_task=_policy_task(choice, name),
            priority=priority_of(books.steering.standing(now_ns), name, environment),
            draw=place.draw,
        )

    def _configuration(self, books: Books, task: str, environment: str,
                       random: np.random.Generator, *, evaluates: bool,
                       ) -> tuple[dict[str, str | float] | None, float | None]:
        """
        Return the object configuration, and its distance from all that were collected.

        A policy is tried at random configurations, so that its success rate is an estimate of the
        success over the whole space and not of that at its rim.
        """
        design = self._settings.configuration
        if design == 'rule':
            design = self._choice.configurations
        coverage = books.coverage.task(task)
        if evaluates or design == 'random':
            return coverage.random(environment, random), None
        found = coverage.farthest(environment)
        return found if found is not None else (None, None)

    def _retry(self, books: Books, request: Request, eligible: Eligible) -> Retry | None:
        """Return the oldest scenario handed back that this robot may do."""
        if not books.retries:
            return None
        places = {self._space.places[k] for k in eligible.places}
        for retry in books.retries:
            scenario = retry.scenario
            if (retry.not_by == request.robot
                    or (scenario.task, scenario.environment) not in places):
                continue
            try:
                self._space.check(scenario)
            except ConfigError:
                continue
            return retry
        return None

    def _again(self, books: Books, request: Request, retry: Retry,
               eligible: Eligible, *, now_ns: int) -> Decision:
        scenario = retry.scenario
        task = self._space.tasks[scenario.task]
        able = usable(task, request.collectors, has_policy=bool(books.beliefs.ensembles))
        demonstrators = [name for name in able if name != 'policy']
        choice = (self._collectors.demonstrator(scenario.task, demonstrators[0], draw=0.0,
                                                share=0.0)
                  if demonstrators else Choice('policy', 0.0, 1.0))
        index = next(k for k, place in enumerate(eligible.places)
                     if self._space.places[place] == (scenario.task, scenario.environment))
        return Decision(
            scenario=scenario,
            collector=choice.collector,
            reset_required=not eligible.is_chained[index] and task.reset != 'none',
            time_limit_s=task.time_limit_s,
            rule=RETRY,
            score=float(retry.attempt),
            terms=(Term('attempt', float(retry.attempt), 1.0),),
            runners_up=(),
            ensemble_id=(books.beliefs.ensembles or ('',))[-1],
            attempt=retry.attempt,
            policy_task=_policy_task(choice, scenario.task),
            priority=priority_of(
                books.steering.standing(now_ns), scenario.task, scenario.environment),
        )


def _tries_own_policy(choice: Choice, task: str) -> bool:
    return choice.collector == 'policy' and choice.policy_task in {'', task}


def _policy_task(choice: Choice, task: str) -> str:
    """Return the task whose policy acts; empty where none does."""
    return (choice.policy_task or task) if choice.collector == 'policy' else ''
