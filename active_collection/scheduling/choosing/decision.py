# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""One decision: which scenario, acted out by whom, for the robot that asks."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from functools import cache

import numpy as np

from active_collection.errors import ConfigError
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import MINIMUM_QUOTA
from active_collection.scheduling.assignment import REPEAT
from active_collection.scheduling.assignment import RETRY
from active_collection.scheduling.assignment import TRIAL
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.assignment import RunnerUp
from active_collection.scheduling.assignment import Term
from active_collection.scheduling.beliefs.factor_space import check_feasible
from active_collection.scheduling.beliefs.task_arrays import Floats
from active_collection.scheduling.beliefs.task_field import Best
from active_collection.scheduling.beliefs.task_field import Level
from active_collection.scheduling.beliefs.task_field import Want
from active_collection.scheduling.choosing.acquisition import Candidates
from active_collection.scheduling.choosing.collectors import Choice
from active_collection.scheduling.choosing.collectors import CollectorChoice
from active_collection.scheduling.choosing.costs import Costs
from active_collection.scheduling.choosing.eligibility import Eligibility
from active_collection.scheduling.choosing.eligibility import Eligible
from active_collection.scheduling.choosing.place_choice import Drawn
from active_collection.scheduling.choosing.place_choice import PlaceChoice
from active_collection.scheduling.fleet.refusal import Refusal
from active_collection.scheduling.fleet.refusal import RefusalReason
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.fleet.state import Retry
from active_collection.scheduling.places import Integers
from active_collection.scheduling.places import Mask
from active_collection.scheduling.places import Places
from active_collection.scheduling.repeats import Repeat
from active_collection.scheduling.settings import SchedulerSettings

#: Reasons that are given at most where nothing can be arranged.
MOST_REASONS = 8


@dataclass(frozen=True, slots=True)
class _Option:
    """Places that a robot may be sent to, with what a rule sees of them."""

    places: Eligible
    candidates: Candidates


@dataclass(frozen=True, slots=True)
class _Options:
    """
    What may be done at which places.

    :param tried: where the policy may be tried; None where it is not up to chance
    :param shown: where it may be demonstrated; None for nowhere
    """

    every: _Option
    tried: _Option | None
    shown: _Option | None


class DecisionMaker:
    """
    Decides from the fleet, a request, a time and a number, and from nothing else.

    :raises ConfigError: where there is no such acquisition rule
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings) -> None:
        self._space = space
        self._settings = settings
        self._choice = PlaceChoice(space, settings)
        self.places = Places(space)
        self.eligibility = Eligibility(space, self.places, where=settings.space)
        self.costs = Costs(space, settings, self.places)
        self._collectors = CollectorChoice(space, settings)
        for name, task in space.tasks.items():
            check_feasible(task, where=f'tasks.{name}.constraints')
        self._importance = np.array([t.importance for t in space.tasks.values()])

    def decide(self, fleet: FleetState, request: Request, *, now_ns: int,
               number: Sequence[int]) -> Assignment | Refusal:
        """
        Return what a robot that holds no lease is to collect, or why there is nothing for it.

        :param now_ns: ROS time (ns): which of the operators' orders stand
        :param number: the decision's own; together with the seed it fixes every draw
        """
        random = np.random.default_rng([self._settings.seed, *number])
        eligible = self.eligibility.find(fleet, request, now_ns=now_ns)
        if not eligible.places.size:
            return self._nothing(eligible.reasons)
        repeat = fleet.repeats.get(request.robot)
        if repeat is not None and self._may(eligible, repeat.scenario):
            return self._repeated(fleet, request, repeat, eligible, now_ns=now_ns)
        retry = self._retry(fleet, request, eligible)
        if retry is not None:
            return self._again(fleet, request, retry, eligible, now_ns=now_ns)
        possible = eligible.among(self._is_possible(fleet, eligible))
        if not possible.places.size:
            return self._nothing(tuple(
                self.eligibility.remedies.no_configuration(*self.places.names[k])
                for k in eligible.places[:MOST_REASONS]))
        drawn, places = self._draw(self._options(fleet, request, possible), random)
        return self._chosen(fleet, request, drawn, places, random, now_ns=now_ns)

    def candidates(self, fleet: FleetState, request: Request, eligible: Eligible) -> Candidates:
        """Return what a rule sees of the places that a robot may be sent to."""
        task, here = self.places.task[eligible.places], eligible.places
        cost = self.costs.of(fleet, request, self.eligibility.chained(fleet, request))[here]
        return Candidates(
            task=task,
            environment=self.places.environment[here],
            worth=(self._importance[task] * eligible.boost
                   / cost ** self._settings.cost_weight),
            is_chained=eligible.is_chained,
            beliefs=fleet.beliefs.arrays(),
            pending=np.array([fleet.pending(name) for name in self.places.tasks]),
            pending_demonstrations=np.array(
                [fleet.pending_demonstrations(name) for name in self.places.tasks]),
            cover=cache(lambda want: self._cover(fleet, here, want)),
        )

    def probabilities(self, fleet: FleetState, *, now_ns: int, draws: int) -> Floats:
        """
        Return each task's chance to be the next one assigned to a robot that can do everything.

        :param draws: simulated decisions; the standard error is at most 0.5 / sqrt(draws)
        """
        everything = tuple(sorted(
            {c for t in self._space.tasks.values() for c in t.capabilities}))
        count = np.zeros(len(self._space.tasks))
        request = Request('', capabilities=everything,
                          collectors=('teleoperation', 'scripted', 'policy'))
        eligible = self.eligibility.find(fleet, request, now_ns=now_ns, anywhere=True)
        eligible = eligible.among(self._is_possible(fleet, eligible))
        if not eligible.places.size:
            return count
        random = np.random.default_rng([self._settings.seed, fleet.sequence, draws])
        options = self._options(fleet, request, eligible)
        for _ in range(draws):
            drawn, places = self._draw(options, random)
            count[self.places.task[places.places[drawn.index]]] += 1
        return count / draws

    def _options(self, fleet: FleetState, request: Request, eligible: Eligible) -> _Options:
        """Return what may be done at places for a robot, however often one is drawn of them."""
        every = _Option(eligible, self.candidates(fleet, request, eligible))
        if not self._choice.spreads_trials or self._choice.deficit(every.candidates).any():
            return _Options(every, None, every)
        able = [self._collectors.able(fleet.beliefs, name, request.collectors)
                for name in self.places.tasks]
        task = self.places.task[eligible.places]

        def among(can: list[bool]) -> _Option | None:
            mask = np.array(can)[task]
            if mask.all():
                return every
            places = eligible.among(mask)
            return _Option(places, self.candidates(fleet, request, places)) if mask.any() else None

        return _Options(every, among(['policy' in a for a in able]),
                        among([any(c != 'policy' for c in a) for a in able]))

    def _draw(self, options: _Options, random: np.random.Generator) -> tuple[Drawn, Eligible]:
        """Choose a place, and return it with the places that were its candidates."""
        tried, shown = options.tried, options.shown
        if tried is not None and (
                shown is None or random.random() < self._settings.policy_share):
            return self._choice.trial(tried.candidates, random), tried.places
        shown = shown or options.every
        return self._choice.draw(shown.candidates, random), shown.places

    def _is_possible(self, fleet: FleetState, eligible: Eligible) -> Mask:
        """Return at which places there is an object configuration that nothing forbids."""
        if not self._space.exclusions:
            return np.ones(len(eligible.places), dtype=bool)
        return np.asarray(self._cover(fleet, eligible.places, 'even') >= 0)

    def _cover(self, fleet: FleetState, places: Integers, want: Want) -> Floats:
        """Return what a demonstration at each place covers, shape (P,); see `Candidates`."""
        covered = np.empty(len(places))
        task = self.places.task[places]
        is_random = self._choice.configurations == 'random'
        for index in np.unique(task):
            best = self._best(fleet, int(index), want)
            mine = task == index
            gain = best.average if is_random else best.gain
            covered[mine] = gain[self.places.local[places[mine]]]
        return covered

    def _best(self, fleet: FleetState, task: int, want: Want) -> Best:
        beliefs = fleet.beliefs.arrays()
        return fleet.fields.task(self.places.tasks[task]).best(want, Level(
            float(beliefs.failure[task]),
            float(beliefs.epistemic[task]) if beliefs.is_measured[task] else None))

    def _chosen(self, fleet: FleetState, request: Request, drawn: Drawn, eligible: Eligible,
                random: np.random.Generator, *, now_ns: int) -> Assignment | Refusal:
        """Return the assignment of a place that was chosen among the eligible ones."""
        place = int(eligible.places[drawn.index])
        name, environment = self.places.names[place]
        choice = self._who(fleet, request, drawn.rule, name, random)
        values, informs = self._configuration(
            fleet, place, random, evaluates=_tries_own_policy(choice, name))
        if values is None:
            return self._nothing((self.eligibility.remedies.no_configuration(name, environment),))
        assignment = self._assignment(
            fleet, request, Scenario.of(name, environment, values), choice,
            is_chained=bool(eligible.is_chained[drawn.index]), now_ns=now_ns)
        return replace(
            assignment, rule=drawn.rule, score=float(drawn.score[drawn.index]),
            terms=(*drawn.terms(), Term('policy_draw', choice.draw, 0.0),
                   Term('policy_share', choice.share, 0.0), *informs),
            runners_up=tuple(
                RunnerUp(task, where, float(drawn.score[k])) for k in drawn.runners_up()
                for task, where in [self.places.names[eligible.places[k]]]),
            draw=drawn.draw)

    def _assignment(self, fleet: FleetState, request: Request, scenario: Scenario,
                    choice: Choice, *, is_chained: bool, now_ns: int) -> Assignment:
        """Return the assignment of a scenario, which whoever chose it gives its reasons."""
        task = self._space.tasks[scenario.task]
        return Assignment(
            assignment_id='', request=request, scenario=scenario, collector=choice.collector,
            reset_required=not is_chained and task.reset != 'none', deadline_ns=0,
            time_limit_s=task.time_limit_s, rule='', score=0.0, terms=(), runners_up=(),
            ensemble_id=fleet.beliefs.newest_id, policy_task=_policy_task(choice, scenario.task),
            priority=fleet.orders.standing(now_ns).priority(scenario.task, scenario.environment))

    def _nothing(self, reasons: tuple[RefusalReason, ...]) -> Refusal:
        return Refusal.nothing(reasons, retry_after_s=self._settings.retry_after_s)

    def _who(self, fleet: FleetState, request: Request, rule: str, task: str,
             random: np.random.Generator) -> Choice:
        """Return who acts out what was chosen."""
        if rule == TRIAL:
            return Choice('policy', float(random.random()), 1.0)
        spreads = self._choice.spreads_trials and rule != MINIMUM_QUOTA
        return self._collectors.choose(
            fleet.beliefs, task, request.collectors, random,
            tried=self._settings.policy_share if spreads else 0.0)

    def _configuration(self, fleet: FleetState, place: int, random: np.random.Generator, *,
                       evaluates: bool,
                       ) -> tuple[dict[str, str | float] | None, tuple[Term, ...]]:
        """
        Return the object configuration of a place, and what is believed of it.

        A policy is tried at random configurations, so that its success rate is an estimate of the
        success over the whole space.
        """
        task, environment = self.places.names[place]
        want = self._choice.configurations
        if evaluates or want == 'random':
            return fleet.fields.task(task).random(environment, random), ()
        best, local = self._best(
            fleet, int(self.places.task[place]), want), self.places.local[place]
        if best.gain[local] < 0:
            return None, ()
        return fleet.fields.task(task).decode(int(best.candidate[local])), (
            Term('covered', float(best.gain[local]), 0.0),
            Term('feasible', float(best.feasible[local]), 0.0))

    def _retry(self, fleet: FleetState, request: Request, eligible: Eligible) -> Retry | None:
        """Return the oldest scenario handed back that this robot may do."""
        return next((retry for retry in fleet.retries if retry.not_by != request.robot
                     and self._may(eligible, retry.scenario)), None)

    def _may(self, eligible: Eligible, scenario: Scenario) -> bool:
        """Tell whether a scenario of old is of the space, and at one of these places."""
        place = self.places.index.get((scenario.task, scenario.environment))
        if place is None or place not in eligible.places:
            return False
        try:
            self._space.check(scenario)
        except ConfigError:
            return False
        return True

    def _again(self, fleet: FleetState, request: Request, retry: Retry,
               eligible: Eligible, *, now_ns: int) -> Assignment:
        task = retry.scenario.task
        assignment = self._once_more(
            fleet, request, retry.scenario, self._demonstrator(fleet, request, task), eligible,
            now_ns=now_ns)
        return replace(
            assignment, rule=RETRY, score=float(retry.attempt), attempt=retry.attempt,
            terms=(Term('attempt', float(retry.attempt), 1.0),))

    def _repeated(self, fleet: FleetState, request: Request, repeat: Repeat,
                  eligible: Eligible, *, now_ns: int) -> Assignment:
        """Return what an operator asked for, acted out by who did it before where they can."""
        task = repeat.scenario.task
        able = {'policy' if name == 'proxy' else name for name in self._collectors.able(
            fleet.beliefs, task, request.collectors)}
        choice = (Choice(repeat.collector, 0.0, 0.0, repeat.policy_task)
                  if repeat.collector in able else self._demonstrator(fleet, request, task))
        assignment = self._once_more(
            fleet, request, repeat.scenario, choice, eligible, now_ns=now_ns)
        return replace(assignment, rule=REPEAT, repeats=repeat.episode_id, asked_by=repeat.signed)

    def _demonstrator(self, fleet: FleetState, request: Request, task: str) -> Choice:
        able = self._collectors.able(fleet.beliefs, task, request.collectors)
        demonstrators = [name for name in able if name != 'policy']
        return (self._collectors.demonstrator(task, demonstrators[0], draw=0.0, share=0.0)
                if demonstrators else Choice('policy', 0.0, 1.0))

    def _once_more(self, fleet: FleetState, request: Request, scenario: Scenario, choice: Choice,
                   eligible: Eligible, *, now_ns: int) -> Assignment:
        """Return the assignment of a scenario of old, at one of these places."""
        place = self.places.index[scenario.task, scenario.environment]
        return self._assignment(
            fleet, request, scenario, choice,
            is_chained=bool(eligible.is_chained[eligible.places == place][0]), now_ns=now_ns)


def _tries_own_policy(choice: Choice, task: str) -> bool:
    return choice.collector == 'policy' and choice.policy_task in {'', task}


def _policy_task(choice: Choice, task: str) -> str:
    """Return the task whose policy acts; empty where none does."""
    return (choice.policy_task or task) if choice.collector == 'policy' else ''
