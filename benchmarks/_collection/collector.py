# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""One round of collecting: the scheduler says what, the simulated robot does it."""
from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from _collection.lesson import Lesson
from active_collection.episode import HELP_GIVEN
from active_collection.episode import HELP_REQUESTED
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import SchedulingError
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.fleet.refusal import Refusal
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.uncertainty.monitor import UncertaintyMonitor

ROBOT = 'robot_1'
STEP_NS = 20_000_000
RESET_NS = 10_000_000_000
#: Share of an episode's steps after which the policy is late and the expert takes over.
LATE = 2 / 3
#: Episodes of a round at most, in batches: policies that need no help are demonstrated nothing.
LONGEST = 10


@dataclass
class Collected:
    """
    What a round of collecting gave and cost.

    :param demonstrations: episodes that the expert acted in, failed ones included
    """

    lessons: list[Lesson] = field(default_factory=list)
    demonstrations: int = 0
    failed: int = 0
    expert_steps: int = 0
    attempts: int = 0
    attempt_steps: int = 0
    now_ns: int = 0

    def added_to(self, row):
        """Return a row with this round's counts on top of those before it."""
        counts = {name: row[name] + getattr(self, name) for name in (
            'demonstrations', 'failed', 'expert_steps', 'attempts', 'attempt_steps')}
        of_task = {task: count + sum(lesson.task == task for lesson in self.lessons)
                   for task, count in row['of_task'].items()}
        return {**counts, 'of_task': of_task, 'start': row['start'], 'now_ns': self.now_ns}


class Collector:
    """
    A scheduler on its ledger and a robot that works for it, one episode at a time.

    :param ledger: path; made where it is missing
    :param policy: what the robot runs
    :param tasks: names of those that are collected
    """

    def __init__(self, world, arm, options, ledger, policy, *, tasks, seed, now_ns):
        self._world, self._arm, self._options, self._policy = world, arm, options, policy
        self._ledger, self._seed = ledger, seed
        # Quotas would spread the first demonstrations evenly whatever the rule: the start did.
        self._space = ScenarioSpace(
            format=1, environments=world.space.environments, robots=world.space.robots,
            tasks={name: world.space.tasks[name].model_copy(update={'minimum_episodes': 0})
                   for name in tasks})
        self._environment = next(iter(self._space.environments))
        self._told = Collected(now_ns=now_ns)
        self._monitor = UncertaintyMonitor(policy.ensemble) if arm.corrects else None

    def collect(self, lessons):
        """
        Collect a batch of demonstrations.

        :param lessons: what was demonstrated before there was a scheduler
        """
        told = self._told
        ledger = Ledger(self._ledger, is_durable=False)
        try:
            scheduler = Scheduler(
                self._space, SchedulerSettings(seed=self._seed, **self._arm.settings), ledger,
                now_ns=told.now_ns)
            scheduler.finished_many([self._record_of(lesson) for lesson in lessons], told.now_ns)
            most = LONGEST * self._options.batch
            while (told.demonstrations < self._options.batch
                   and told.demonstrations + told.attempts < most):
                answer = scheduler.request(Request(ROBOT, collectors=(
                    'scripted', *['policy'] * self._arm.tries)), told.now_ns)
                if isinstance(answer, Refusal):
                    raise SchedulingError(f'arm {self._arm.name}', found=answer.message,
                                          expected='something to collect')
                scheduler.finished(self._episode(answer), told.now_ns)
        finally:
            ledger.close()
        return told

    def _record_of(self, lesson):
        scenario = Scenario.of(lesson.task, self._environment, lesson.configuration)
        return EpisodeRecord(
            lesson.episode_id, scenario, ROBOT, Source.SCRIPTED, self._told.now_ns - RESET_NS,
            self._told.now_ns, Outcome.SUCCESS, revision=1)

    def _episode(self, assignment):
        """Act out an assignment, count it, and return its record."""
        told, options, scenario = self._told, self._options, assignment.scenario
        name = f'e-{assignment.assignment_id}'
        began_ns = told.now_ns + RESET_NS
        tags = {}
        taken_over = 0
        if assignment.collector == 'policy':
            source, act = Source.POLICY, self._policy
        elif self._monitor is not None:
            source, act = Source.POLICY, Corrected(self._world, self._monitor, options)
        else:
            source, act = Source.SCRIPTED, self._world.expert
        acted = self._world.act_out(
            scenario, act, max_steps=options.max_steps, hold_steps=options.hold_steps)
        if isinstance(act, Corrected):
            taken_over = acted.steps if act.since is None else act.since
            if act.since is not None:
                tags = {HELP_REQUESTED: act.reason, HELP_GIVEN: 'scripted'}
        is_attempt = source is Source.POLICY and not tags
        told.now_ns = began_ns + acted.steps * STEP_NS
        if is_attempt:
            told.attempts += 1
            told.attempt_steps += acted.steps
        else:
            told.demonstrations += 1
            told.failed += not acted.success
            told.expert_steps += acted.steps - taken_over
            told.attempt_steps += taken_over
            if acted.success:
                told.lessons.append(Lesson(
                    name, scenario.task, scenario.values, acted.since(taken_over)))
        return EpisodeRecord(
            name, scenario, ROBOT, source, began_ns, told.now_ns,
            Outcome.SUCCESS if acted.success else Outcome.FAILURE, revision=1, tags=tags,
            assignment_id=assignment.assignment_id,
            uncertainty=self._policy.summary(name, acted.observations))


class Corrected:
    """The policy until it is unsure or late, then the expert to the end."""

    def __init__(self, world, monitor, options):
        self._world, self._monitor = world, monitor
        self._late = int(LATE * options.max_steps)
        self._step = 0
        self.since = None
        self.reason = ''

    def __call__(self, values):
        """Return the next action."""
        if self.since is None:
            estimate = self._monitor.observe(values, self._step)
            if estimate.high or self._step >= self._late:
                self.since = self._step
                self.reason = 'unsure' if estimate.high else 'late'
        self._step += 1
        return estimate.action_mean if self.since is None else self._world.expert(values)
