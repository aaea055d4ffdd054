# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A small scenario space, episodes of it, and a scheduler on a real ledger."""
from dataclasses import dataclass
from dataclasses import field

from hypothesis import strategies as st

from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import UncertaintySummary
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings

S = 1_000_000_000
START = 1_700_000_000 * S

SPACE = """
format: 1
tasks:
  pick:
    collectors: [teleoperation, scripted, policy]
    factors:
      x: {low: -0.5, high: 0.5, unit: m}
      y: {low: 0.0, high: 1.0, unit: m}
      mug: {values: [red, blue, green]}
  push:
    collectors: [scripted, policy]
    factors:
      x: {low: -0.5, high: 0.5, unit: m}
  pour:
    collectors: [scripted, policy]
    minimum_episodes: 0
environments:
  kitchen: {capacity: 4}
  lab: {capacity: 4}
"""


def request(robot='arm1', collectors=('scripted', 'policy'), **more):
    return Request(robot, collectors=collectors, **more)


def episode(assigned, *, episode_id=None, outcome=Outcome.SUCCESS, ensemble='', epistemic=0.1,
            created=0, trained=None, source=None, robot=None, **more):
    """Return the record that a robot's recorder would publish for an assignment."""
    return EpisodeRecord(
        episode_id=episode_id or f'e-{assigned.assignment_id}', scenario=assigned.scenario,
        robot=robot or assigned.request.robot, source=source or Source(assigned.collector),
        started_ns=START, finished_ns=START + 20 * S, outcome=outcome, revision=1,
        assignment_id=assigned.assignment_id,
        uncertainty=UncertaintySummary(
            episode_id='e', ensemble_id=ensemble, steps=10 if ensemble else 0,
            epistemic_mean=epistemic, ensemble_created_ns=created, trained_on=trained or {}),
        **more)


@dataclass
class Fleet:
    """A scheduler on a ledger, with a clock that a test moves and a way to kill and restart it."""

    space: ScenarioSpace
    path: object
    settings: SchedulerSettings = field(default_factory=SchedulerSettings)
    now: int = START
    set_by: int = 0
    snapshot_events: int = 1000

    def __post_init__(self):
        self.ledger = Ledger(self.path, is_durable=False)
        self.scheduler = Scheduler(self.space, self.settings, self.ledger, now_ns=self.now,
                                   steady_ns=lambda: self.now - self.set_by,
                                   snapshot_events=self.snapshot_events)

    def restart(self):
        self.ledger.close()
        self.__post_init__()

    def ask(self, robot='arm1', **more):
        return self.scheduler.request(request(robot, **more), self.now)

    def grant(self, robot='arm1', **more):
        answer = self.ask(robot, **more)
        assert isinstance(answer, Assignment), answer
        return answer

    def report(self, assigned, **more):
        return self.scheduler.finished(episode(assigned, **more), self.now)

    def collect(self, robot='arm1', **more):
        assigned = self.grant(robot)
        self.report(assigned, **more)
        return assigned

    def wait(self, seconds):
        """Let time pass as the node does: a tick each second."""
        for _ in range(int(seconds)):
            self.now += S
            self.scheduler.tick(self.now)

    def set_clock(self, seconds):
        """Set ROS time ahead or, with a negative number, back; no time passes."""
        self.set_by += int(seconds * S)
        self.now += int(seconds * S)

    def close(self):
        self.ledger.close()


STEPS = st.lists(st.tuples(
    st.sampled_from(['ask', 'report', 'fail', 'abort', 'amend', 'release', 'wait', 'ensemble']),
    st.integers(0, 3)), max_size=30)


def play(one, steps):
    """Let robots do something of everything, and return every assignment."""
    held, reported, assigned, ensemble = {}, [], [], 0
    for what, k in steps:
        robot = f'arm{k}'
        if what == 'ask' and robot not in held:
            held[robot] = one.grant(robot)
            assigned.append(held[robot])
        elif what in {'report', 'fail', 'abort'} and robot in held:
            outcome = {'report': Outcome.SUCCESS, 'fail': Outcome.FAILURE,
                       'abort': Outcome.ABORTED}[what]
            reported.append(held.pop(robot))
            one.report(reported[-1], outcome=outcome, epistemic=0.1 * (k + 1),
                       ensemble=f'e{ensemble}' if ensemble else '')
        elif what == 'release' and robot in held:
            one.scheduler.release(held.pop(robot).assignment_id, robot=robot, reason='x',
                                  retry=True, set_up_failed=k % 2 == 0, now_ns=one.now)
        elif what == 'wait':
            one.wait(3)
        elif what == 'ensemble':
            ensemble += 1
        if what == 'ask' and one.scheduler.fleet.held_by.get(robot) is None:
            held.pop(robot, None)
    return assigned
