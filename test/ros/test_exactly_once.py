# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Recorder and scheduler die and come back in random orders: each episode is counted once."""
import random
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Episode
from active_collection.msg import Scenario
from active_collection.srv import AmendEpisode
from active_collection.srv import FinishEpisode
from active_collection.srv import RequestAssignment
from active_collection.srv import StartEpisode
from fleet_peers import SPACE
from fleet_peers import Process
from fleet_peers import finished
from fleet_peers import until

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.recording.store import EpisodeStore
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.ledger.verification import problems

#: More than the topic keeps.
MANY = 105


class Ordeal:
    """
    A robot's recorder and a scheduler that are killed and started again, by a seed.

    The robot's agent is played by whoever calls `record`: it asks for an assignment if it can,
    and asks the recorder again until that answers.
    """

    def __init__(self, peer, folder, seed):
        self.random = random.Random(seed)
        self.peer = peer
        self.data, self.ledger = folder / 'data', folder / 'ledger.sqlite3'
        self.log = folder / 'nodes.log'
        self.space = folder / 'space.yaml'
        self.space.write_text(SPACE)
        self.scheduler = self.recorder = None
        self.count = 0
        self.clients = {
            StartEpisode: peer.create_client(StartEpisode, 'recorder/start_episode'),
            FinishEpisode: peer.create_client(FinishEpisode, 'recorder/finish_episode'),
            AmendEpisode: peer.create_client(AmendEpisode, 'recorder/amend_episode'),
            RequestAssignment: peer.create_client(
                RequestAssignment, '/scheduler/request_assignment')}

    def start_scheduler(self):
        if self.scheduler is None:
            self.scheduler = Process(
                'scheduler', log=self.log, space=self.space, ledger=self.ledger)

    def start_recorder(self):
        if self.recorder is None:
            self.recorder = Process(
                'recorder', log=self.log, namespace=self.peer.get_namespace().strip('/'),
                data_directory=self.data, disk_reserve_bytes=0)

    def end_scheduler(self):
        if self.scheduler is not None:
            self.scheduler.stop(self.random.choice([signal.SIGKILL, signal.SIGTERM]), 30)
            self.scheduler = None

    def end_recorder(self):
        """End the recorder while it idles, records or closes an episode."""
        if self.recorder is None:
            return
        doing = self.random.choice(['nothing', 'recording', 'closing'])
        if doing != 'nothing':
            name = self.begin()
            if doing == 'closing':
                self.clients[FinishEpisode].call_async(
                    FinishEpisode.Request(episode_id=name, outcome=Episode.SUCCESS))
        self.recorder.stop(self.random.choice([signal.SIGKILL, signal.SIGTERM]), 30)
        self.recorder = None

    def record(self, number=3):
        self.start_recorder()
        for _ in range(number):
            name = self.begin()
            outcome = self.random.choice([Episode.SUCCESS, Episode.FAILURE, Episode.UNKNOWN])
            self.answer(FinishEpisode, episode_id=name, outcome=outcome)

    def begin(self):
        """Start an episode, perhaps of an assignment, and return its id."""
        self.count += 1
        name, assignment = f'e{self.count:04}', ''
        if self.scheduler is not None and self.random.random() < 0.5:
            answer = self.answer(RequestAssignment, 1, robot=self.peer.get_namespace()[1:],
                                 collectors=['scripted'])
            assignment = answer.assignment.assignment_id if answer else ''
        answer = self.answer(
            StartEpisode, episode_id=name, source='scripted', assignment_id=assignment,
            scenario=Scenario(task='pick', environment='cell'))
        if answer.code == answer.BUSY:  # what was asked of one that was killed
            self.answer(FinishEpisode, episode_id=answer.episode_id, outcome=Episode.ABORTED)
            return self.begin()
        return name

    def amend(self):
        """Correct any episode that is closed."""
        closed = find_episodes(self.data)
        if closed:
            self.start_recorder()
            self.answer(AmendEpisode, episode_id=self.random.choice(closed).name, author='ann',
                        notes=f'note {self.random.random()}')

    def answer(self, kind, attempts=60, **fields):
        """Return a service's answer; one that was killed seems to be there for a while."""
        for _ in range(attempts):
            future = self.clients[kind].call_async(kind.Request(**fields))
            with suppress(AssertionError):
                until(future.done, 1.0)
            if future.done():
                return future.result()
            self.clients[kind].remove_pending_request(future)
        if attempts > 1:
            raise AssertionError(f'no answer from {kind.__name__}')
        return None

    def go(self, steps):
        """Take random steps, the first of them without a scheduler."""
        self.record(MANY)
        for _ in range(steps):
            self.random.choice([
                self.start_scheduler, self.start_scheduler, self.start_recorder, self.record,
                self.record, self.amend, self.end_scheduler, self.end_recorder])()
        self.start_scheduler()
        self.start_recorder()

    def on_disk(self):
        """Return episode id to revision; nothing while an episode waits to be salvaged."""
        if EpisodeStore(self.data).abandoned():
            return None
        return {path.name: read_record(path).revision for path in find_episodes(self.data)}

    def counted(self):
        """Return episode id to the revisions that were counted."""
        found = {}
        for event in finished(self.ledger):
            found.setdefault(event.episode_id, []).append(
                (event.revision, event.previous is None))
        return found

    def agree(self):
        newest = {name: events[-1][0] for name, events in self.counted().items()}
        return self.on_disk() == newest

    def close(self):
        for process in filter(None, (self.scheduler, self.recorder)):
            process.close()
        print(self.log.read_text()[-5000:])


@pytest.fixture
def ordeal(peer, tmp_path):
    """Return a maker of ordeals."""
    made = []

    def make(seed):
        made.append(Ordeal(peer, tmp_path, seed))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize(('seed', 'steps'), [
    (1, 10), *(pytest.param(seed, 80, marks=pytest.mark.slow) for seed in range(2, 8))])
def test_each_episode_is_counted_once_whatever_dies(ordeal, seed, steps):
    fleet = ordeal(seed)

    fleet.go(steps)

    until(fleet.agree, 120.0, 'that the ledger knows what is on the disk')
    for name, events in fleet.counted().items():
        revisions = [revision for revision, _ in events]
        assert revisions == sorted(set(revisions)), (name, events)
        assert [is_first for _, is_first in events] == [True] + [False] * (len(events) - 1), name
    with LedgerReader(fleet.ledger) as reader:
        assert list(problems(reader)) == []
