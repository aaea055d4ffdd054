# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler's memory: the fold of its events. Nothing in it comes from anywhere else."""
from __future__ import annotations

from collections import Counter
from collections import deque
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from active_collection.episode import Outcome
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs import COUNTED
from active_collection.scheduling.beliefs import Beliefs
from active_collection.scheduling.coverage import Coverage
from active_collection.scheduling.coverage import PointSource
from active_collection.scheduling.events import RETRY
from active_collection.scheduling.events import Assigned
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import EnsembleSeen
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import Mode
from active_collection.scheduling.events import ModeChanged
from active_collection.scheduling.events import Result
from active_collection.scheduling.events import decode
from active_collection.scheduling.events import encode
from active_collection.scheduling.orders import RobotSteered
from active_collection.scheduling.orders import Steered
from active_collection.scheduling.scene import Scene
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.scheduling.steering import Steering


@dataclass(frozen=True, slots=True)
class Lease:
    """An assignment that is out, with the time at which it was granted (ns)."""

    issued_ns: int
    assigned: Assigned

    @property
    def robot(self) -> str:
        """Return who holds it."""
        return self.assigned.request.robot


@dataclass(frozen=True, slots=True)
class Retry:
    """
    A scenario that was handed back.

    :param attempt: number that its next assignment will have
    :param not_by: robot that could not do it; empty where any may try
    """

    assignment_id: str
    scenario: Scenario
    attempt: int
    not_by: str


def is_covering(result: Result) -> bool:
    """Tell whether an episode covers its object configuration: demonstrated, well or not."""
    return result.outcome in COUNTED and not result.tries_own_policy


class Books:
    """
    Beliefs, leases, steering, retries, scenes and coverage after a series of events.

    :param points: what was collected of a task before the books were opened; None for nothing
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings, *,
                 points: PointSource | None = None) -> None:
        self.space = space
        self.settings = settings
        self.sequence = 0
        self.mode: Mode = 'running'
        self.mode_reason = ''
        self.drain_deadline_ns = 0
        self.revoked = 0
        self.beliefs = Beliefs(space, discount=settings.discount)
        self.steering = Steering()
        self.leases: dict[str, Lease] = {}
        self.held_by: dict[str, str] = {}
        self.pending: Counter[str] = Counter()
        self.pending_demonstrations: Counter[str] = Counter()
        self.busy: Counter[str] = Counter()
        self.out: Counter[tuple[str, str]] = Counter()
        self.retries: list[Retry] = []
        self.recent: deque[str] = deque(maxlen=settings.share_window)
        self.scenes: dict[str, Scene] = {}
        self.coverage = Coverage(
            space, candidates=settings.candidates, collected=points or (lambda task: ()),
            out=self._covering_leases)
        #: Assignments that are out in a supposition alone, see `suppositions`.
        self.supposed: list[Assigned] = []

    def _covering_leases(self, task: str) -> Iterable[tuple[str, Scenario]]:
        for assigned in (*(lease.assigned for lease in self.leases.values()), *self.supposed):
            if assigned.scenario.task == task and not assigned.acts_own_policy:
                yield assigned.assignment_id, assigned.scenario

    def apply(self, entry: Entry) -> None:
        """Take an event into account. Events come in order, each once."""
        event = entry.event
        self.sequence = entry.sequence
        if isinstance(event, Assigned):
            self._hold(Lease(entry.time_ns, event))
            self.send_out(event)
        elif isinstance(event, Ended):
            self._end(event)
        elif isinstance(event, Finished):
            self._finish(event)
        elif isinstance(event, EnsembleSeen):
            self.beliefs.see_ensemble(event.ensemble_id)
        elif isinstance(event, Steered):
            self.steering.apply(event)
        elif isinstance(event, RobotSteered):
            self.steering.steer_robot(event)
        elif isinstance(event, ModeChanged):
            self.mode, self.mode_reason = event.mode, _by(event.author, event.reason)
            self.drain_deadline_ns = event.deadline_ns

    def send_out(self, assigned: Assigned, *, is_supposed: bool = False) -> None:
        """Remember what went out, and where; for a moment where it is but supposed."""
        self.recent.append(assigned.scenario.task)
        if assigned.rule == RETRY:
            self._take_retry(assigned.scenario)
        if not assigned.acts_own_policy:
            self.coverage.send_out(
                assigned.assignment_id, assigned.scenario, is_supposed=is_supposed)

    def _hold(self, lease: Lease) -> None:
        self.leases[lease.assigned.assignment_id] = lease
        self.held_by[lease.robot] = lease.assigned.assignment_id
        self.count_out(lease.assigned, 1)

    def _let_go(self, assignment_id: str) -> Lease:
        lease = self.leases.pop(assignment_id)
        del self.held_by[lease.robot]
        self.count_out(lease.assigned, -1)
        return lease

    def count_out(self, assigned: Assigned, sign: int) -> None:
        """Count what is out of its task and place: 1 more or, with -1, one less."""
        scenario = assigned.scenario
        self.pending[scenario.task] += sign
        self.busy[scenario.environment] += sign
        self.out[scenario.task, scenario.environment] += sign
        if not assigned.acts_own_policy:
            self.pending_demonstrations[scenario.task] += sign

    def _take_retry(self, scenario: Scenario) -> None:
        for k, retry in enumerate(self.retries):
            if retry.scenario == scenario:
                del self.retries[k]
                return

    def _end(self, event: Ended) -> None:
        lease = self._let_go(event.assignment_id)
        self.coverage.discard(event.assignment_id, lease.assigned.scenario.task)
        self.scenes[lease.robot] = Scene()
        if event.cause != 'released':
            self.revoked += 1
        if event.retry:
            self._hand_back(lease, not_by=lease.robot if event.cause == 'released' else '',
                            was_tried=event.cause in {'released', 'revoked'})

    def _hand_back(self, lease: Lease, *, not_by: str, was_tried: bool) -> None:
        assigned = lease.assigned
        attempt = assigned.attempt + was_tried
        if attempt <= self.settings.attempts:
            self.retries.append(
                Retry(assigned.assignment_id, assigned.scenario, attempt, not_by))

    def _finish(self, event: Finished) -> None:
        result, task, comes_back = event.result, event.result.scenario.task, False
        if event.previous is not None:
            self.beliefs.count(event.previous, -1)
            self.coverage.discard(event.episode_id, event.previous.scenario.task)
            self._count_capped(event.previous, -1)
        self.beliefs.count(result, 1)
        self._count_capped(result, 1)
        if event.fulfils:
            lease = self._let_go(event.assignment_id)
            is_as_assigned = is_covering(result) and result.scenario == lease.assigned.scenario
            if is_as_assigned and not lease.assigned.acts_own_policy:
                self.coverage.come_back(event.assignment_id, event.episode_id, task)
                comes_back = True
            else:
                self.coverage.discard(event.assignment_id, lease.assigned.scenario.task)
            if result.outcome in {Outcome.ABORTED, Outcome.DISCARDED}:
                self._hand_back(lease, not_by='', was_tried=True)
            known = self.space.tasks.get(task)
            if known is not None:
                self.scenes[event.robot] = self.scenes.get(event.robot, Scene()).after(
                    known, result.scenario.environment,
                    was_reset=lease.assigned.reset_required,
                    success=result.outcome is Outcome.SUCCESS)
        elif result.outcome in COUNTED:
            self.retries = [r for r in self.retries if r.assignment_id != event.assignment_id]
        if is_covering(result) and not comes_back:
            self.coverage.collect(event.episode_id, result.scenario)

    def _count_capped(self, result: Result, sign: int) -> None:
        if result.outcome in COUNTED:
            self.steering.count(result.scenario.task, result.scenario.environment, sign)

    def to_dict(self) -> dict[str, Any]:
        """Return what `restore` takes: plain JSON types, without what coverage reads anew."""
        return {
            'sequence': self.sequence,
            'mode': [self.mode, self.mode_reason, self.drain_deadline_ns],
            'revoked': self.revoked,
            'beliefs': self.beliefs.to_dict(),
            'steering': self.steering.to_dict(),
            'leases': [[lease.issued_ns, encode(lease.assigned)]
                       for lease in self.leases.values()],
            'retries': [[r.assignment_id, r.scenario.to_dict(), r.attempt, r.not_by]
                        for r in self.retries],
            'recent': list(self.recent),
            'scenes': {robot: [scene.environment, scene.facts]
                       for robot, scene in sorted(self.scenes.items())},
        }

    def restore(self, data: Mapping[str, Any], *, where: str) -> None:
        """
        Take over what `to_dict` returned, under this space and these settings.

        :param where: what holds it, for messages
        """
        self.sequence = int(data['sequence'])
        self.mode, self.mode_reason, *deadline = data['mode']
        self.drain_deadline_ns = int(deadline[0]) if deadline else 0
        self.revoked = int(data['revoked'])
        self.beliefs.restore(data['beliefs'])
        self.steering.restore(data['steering'], where=where)
        for issued_ns, text in data['leases']:
            assigned = decode('assigned', text, where=where)
            if isinstance(assigned, Assigned):
                self._hold(Lease(issued_ns, assigned))
        self.retries = [Retry(a, Scenario.from_dict(s), n, r) for a, s, n, r in data['retries']]
        self.recent.extend(data['recent'])
        self.scenes = {robot: Scene(environment, facts)
                       for robot, (environment, facts) in data['scenes'].items()}


def _by(author: str, reason: str) -> str:
    return f'{author}: {reason}' if author else reason
