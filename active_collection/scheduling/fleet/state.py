# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The state of a fleet: the fold of its events. Nothing in it comes from anywhere else."""
from __future__ import annotations

from collections import Counter
from collections import deque
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

from active_collection.episode import Outcome
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import RETRY
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.beliefs.fields import Fields
from active_collection.scheduling.beliefs.fields import ResultSource
from active_collection.scheduling.beliefs.task_beliefs import Beliefs
from active_collection.scheduling.encoding import decode_as
from active_collection.scheduling.encoding import encode
from active_collection.scheduling.events import COUNTED
from active_collection.scheduling.events import GIVEN_UP
from active_collection.scheduling.events import Ended
from active_collection.scheduling.events import EnsembleSeen
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import Mode
from active_collection.scheduling.events import ModeChanged
from active_collection.scheduling.events import Result
from active_collection.scheduling.events import TaskGoesOn
from active_collection.scheduling.events import TaskStopped
from active_collection.scheduling.fleet.scene import Scene
from active_collection.scheduling.fleet.unjudged import Unjudged
from active_collection.scheduling.orders import Orders
from active_collection.scheduling.orders import RobotOrder
from active_collection.scheduling.orders import ScenarioOrder
from active_collection.scheduling.repeats import Repeat
from active_collection.scheduling.settings import SchedulerSettings

#: What cannot be set up of a task, and what is to be tried again of all, that is remembered.
HANDED_BACK = 64
RETRIES = 256


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


class FleetState:
    """
    Beliefs, leases, orders, retries and scenes after a series of events.

    :param results: what was counted of a task before the first of them; None for nothing
    """

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings, *,
                 results: ResultSource | None = None) -> None:
        self.space = space
        self.settings = settings
        self.sequence = 0
        self.mode: Mode = 'running'
        self.mode_reason = ''
        self.drain_deadline_ns = 0
        self.revoked = 0
        self.beliefs = Beliefs(space)
        self.orders = Orders()
        self.leases: dict[str, Assignment] = {}
        self._leases_of: dict[str, dict[str, Assignment]] = {}
        self.held_by: dict[str, str] = {}
        self.leased: Counter[str] = Counter()
        self.leased_demonstrations: Counter[str] = Counter()
        self.busy: Counter[str] = Counter()
        self.out: Counter[tuple[str, str]] = Counter()
        self.retries: list[Retry] = []
        #: What an operator has each robot collect once more.
        self.repeats: dict[str, Repeat] = {}
        #: What could not be set up of each task, last last.
        self.handed_back: dict[str, deque[Scenario]] = {}
        #: Tasks that have stopped, with the reason and their trials by then.
        self.stopped: dict[str, tuple[str, int]] = {}
        #: Tasks whose stop an operator lifted, with their trials by then.
        self.lifted: dict[str, int] = {}
        self.unjudged = Unjudged()
        self.scenes: dict[str, Scene] = {}
        self.fields = Fields(
            space, seed=settings.seed, attempts=settings.attempts,
            age=self.beliefs.ensembles.age, counted=results or (lambda task: ()),
            out=self._demonstrating, handed_back=lambda task: self.handed_back.get(task, ()))
        #: Assignments that are out in a supposition alone, see `suppositions`.
        self.supposed: list[Assignment] = []

    def _demonstrating(self, task: str) -> Iterable[tuple[str, Scenario]]:
        for lease in (*self._leases_of.get(task, {}).values(), *self.supposed):
            if lease.scenario.task == task and not lease.acts_own_policy:
                yield lease.assignment_id, lease.scenario

    def apply(self, entry: Entry) -> None:
        """Take an event into account. Events come in order, each once."""
        event = entry.event
        self.sequence = entry.sequence
        if isinstance(event, Assignment):
            self._hold(replace(event, issued_ns=entry.time_ns))
            self.send_out(event)
        elif isinstance(event, Ended):
            self._end(event)
        elif isinstance(event, Finished):
            self._finish(event, entry.time_ns)
        elif isinstance(event, EnsembleSeen):
            self.beliefs.see_ensemble(event, time_ns=entry.time_ns)
            self.fields.see_ensemble()
        elif isinstance(event, ScenarioOrder | RobotOrder):
            self.orders.apply(event)
        elif isinstance(event, Repeat):
            self._repeat(event)
        elif isinstance(event, ModeChanged):
            self.mode, self.mode_reason = event.mode, _by(event.author, event.reason)
            self.drain_deadline_ns = event.deadline_ns
        elif isinstance(event, TaskStopped):
            self.stopped[event.task] = (event.reason, self.beliefs.task(event.task).trials)
            self.lifted.pop(event.task, None)
        elif isinstance(event, TaskGoesOn):
            self.stopped.pop(event.task, None)
            if event.is_lifted:
                self.lifted[event.task] = self.beliefs.task(event.task).trials

    def send_out(self, assignment: Assignment) -> None:
        """Remember what went out, and where."""
        if assignment.rule == RETRY:
            self._take_retry(assignment.scenario)
        if not assignment.acts_own_policy:
            self.fields.send_out(assignment.assignment_id, assignment.scenario)

    def _hold(self, lease: Assignment) -> None:
        self.leases[lease.assignment_id] = lease
        self._leases_of.setdefault(lease.scenario.task, {})[lease.assignment_id] = lease
        self.held_by[lease.robot] = lease.assignment_id
        self.count_out(lease, 1)

    def _let_go(self, assignment_id: str) -> Assignment:
        lease = self.leases.pop(assignment_id)
        del self._leases_of[lease.scenario.task][assignment_id]
        del self.held_by[lease.robot]
        self.count_out(lease, -1)
        return lease

    def count_out(self, assignment: Assignment, sign: int) -> None:
        """Count what is out of its task and place: 1 more or, with -1, one less."""
        scenario = assignment.scenario
        self.leased[scenario.task] += sign
        self.busy[scenario.environment] += sign
        self.out[scenario.task, scenario.environment] += sign
        if not assignment.acts_own_policy:
            self.leased_demonstrations[scenario.task] += sign

    def _take_retry(self, scenario: Scenario) -> None:
        for k, retry in enumerate(self.retries):
            if retry.scenario == scenario:
                del self.retries[k]
                return

    def _repeat(self, event: Repeat) -> None:
        """Take an order to repeat an episode, which is not to be tried again by others too."""
        self.repeats.pop(event.robot, None)
        if not event.is_cancelled:
            self.repeats[event.robot] = event
            self.retries = [r for r in self.retries if r.assignment_id != event.assignment_id]

    def _repeated(self, lease: Assignment) -> None:
        """Let a lease be the last that an order to repeat has given."""
        if self._is_repeating(lease):
            del self.repeats[lease.robot]

    def _is_repeating(self, lease: Assignment) -> bool:
        order = self.repeats.get(lease.robot)
        return order is not None and order.episode_id == lease.repeats

    def _end(self, event: Ended) -> None:
        lease = self._let_go(event.assignment_id)
        scenario = lease.scenario
        self.fields.come_back(event.assignment_id, scenario.task)
        self.scenes[lease.robot] = Scene()
        if event.cause != 'released':
            self.revoked += 1
        if event.set_up_failed or not event.retry:
            self._repeated(lease)
        if event.retry and not self._is_repeating(lease):
            self._hand_back(lease, not_by=lease.robot if event.set_up_failed else '',
                            was_tried=event.cause in {'released', 'revoked'})
        if event.set_up_failed:
            last = self.handed_back.setdefault(scenario.task, deque(maxlen=HANDED_BACK))
            last.append(scenario)
            self.fields.hand_back(scenario.task)

    def _hand_back(self, lease: Assignment, *, not_by: str, was_tried: bool) -> None:
        """Let a scenario be tried again, once where it is handed back twice."""
        attempt = lease.attempt + was_tried
        if attempt <= self.settings.attempts:
            self._take_retry(lease.scenario)
            self.retries.append(Retry(lease.assignment_id, lease.scenario, attempt, not_by))
            del self.retries[:-RETRIES]

    def _finish(self, event: Finished, time_ns: int) -> None:
        result, task = event.result, event.result.scenario.task
        if event.previous is not None:
            self.beliefs.count(event.previous, -1)
            self.unjudged.count(event.previous, -1, time_ns)
            self._count_capped(event.previous, -1)
        self.beliefs.count(result, 1)
        self.unjudged.count(result, 1, time_ns)
        self._count_capped(result, 1)
        self.fields.count(event.episode_id, result, event.previous)
        if event.fulfils:
            lease = self._let_go(event.assignment_id)
            self.fields.come_back(event.assignment_id, lease.scenario.task)
            self._repeated(lease)
            if result.outcome in GIVEN_UP:
                self._hand_back(lease, not_by='', was_tried=True)
            known = self.space.tasks.get(task)
            if known is not None:
                self.scenes[event.robot] = self.scenes.get(event.robot, Scene()).after(
                    known, result.scenario.environment,
                    was_reset=lease.reset_required,
                    success=result.outcome is Outcome.SUCCESS)
        elif result.outcome in COUNTED:
            self.retries = [r for r in self.retries if r.assignment_id != event.assignment_id]

    def pending(self, task: str) -> int:
        """Return what is out of a task: leases, and episodes that wait for a judgement."""
        return self.leased[task] + self.unjudged.tasks[task]

    def pending_demonstrations(self, task: str) -> int:
        """Return those of them that may be demonstrations."""
        return self.leased_demonstrations[task] + self.unjudged.demonstrations[task]

    def _count_capped(self, result: Result, sign: int) -> None:
        if result.outcome in COUNTED:
            self.orders.count(result.scenario.task, result.scenario.environment, sign)

    def to_dict(self) -> dict[str, Any]:
        """Return what `restore` takes: plain JSON types, without what the fields read anew."""
        return {
            'sequence': self.sequence,
            'mode': [self.mode, self.mode_reason, self.drain_deadline_ns],
            'revoked': self.revoked,
            'beliefs': self.beliefs.to_dict(),
            'steering': self.orders.to_dict(),
            'leases': [[lease.issued_ns, encode(lease)] for lease in self.leases.values()],
            'retries': [[r.assignment_id, r.scenario.to_dict(), r.attempt, r.not_by]
                        for r in self.retries],
            'repeats': [encode(order) for order in self.repeats.values()],
            'handed_back': {task: [s.to_dict() for s in last]
                            for task, last in sorted(self.handed_back.items())},
            'stopped': {task: list(why) for task, why in self.stopped.items()},
            'lifted': dict(self.lifted),
            'waiting': self.unjudged.to_list(),
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
        self.orders.restore(data['steering'], where=where)
        for issued_ns, text in data['leases']:
            lease = decode_as(Assignment, text, where=where)
            self._hold(replace(lease, issued_ns=issued_ns))
        self.retries = [Retry(a, Scenario.from_dict(s), n, r) for a, s, n, r in data['retries']]
        repeats = [decode_as(Repeat, text, where=where) for text in data.get('repeats', ())]
        self.repeats = {order.robot: order for order in repeats}
        self.handed_back = {
            task: deque(map(Scenario.from_dict, last), maxlen=HANDED_BACK)
            for task, last in data['handed_back'].items()}
        self.stopped = {task: (reason, trials)
                        for task, (reason, trials) in data['stopped'].items()}
        self.lifted = dict(data['lifted'])
        self.unjudged.restore(data['waiting'])
        self.scenes = {robot: Scene(environment, facts)
                       for robot, (environment, facts) in data['scenes'].items()}


def _by(author: str, reason: str) -> str:
    return f'{author}: {reason}' if author else reason
