# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A small scenario space, episodes of it, and a scheduler on a real ledger."""
from dataclasses import dataclass
from dataclasses import field

from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import UncertaintySummary
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.answers import Grant
from active_collection.scheduling.events import Request
from active_collection.scheduling.ledger import Ledger
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
            source=None, robot=None, **more):
    """Return the record that a robot's recorder would publish for an assignment."""
    return EpisodeRecord(
        episode_id=episode_id or f'e-{assigned.assignment_id}', scenario=assigned.scenario,
        robot=robot or assigned.request.robot, source=source or Source(assigned.collector),
        started_ns=START, finished_ns=START + 20 * S, outcome=outcome, revision=1,
        assignment_id=assigned.assignment_id,
        uncertainty=UncertaintySummary(
            episode_id='e', ensemble_id=ensemble, steps=10 if ensemble else 0,
            epistemic_mean=epistemic), **more)


@dataclass
class Fleet:
    """A scheduler on a ledger, with a clock that a test moves and a way to kill and restart it."""

    space: ScenarioSpace
    path: object
    settings: SchedulerSettings = field(default_factory=SchedulerSettings)
    now: int = START

    def __post_init__(self):
        self.ledger = Ledger(self.path, is_durable=False)
        self.scheduler = Scheduler(self.space, self.settings, self.ledger, now_ns=self.now)

    def restart(self):
        self.ledger.close()
        self.__post_init__()

    def ask(self, robot='arm1', **more):
        return self.scheduler.request(request(robot, **more), self.now)

    def grant(self, robot='arm1', **more):
        answer = self.ask(robot, **more)
        assert isinstance(answer, Grant), answer
        return answer.assigned

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

    def close(self):
        self.ledger.close()
