# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Blocking calls of actions, against a real action server."""
import gc
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
import rclpy
from active_collection.action import CollectEpisode
from active_collection.msg import Episode
from fleet_peers import Rig
from fleet_peers import until
from rclpy.action import ActionClient
from rclpy.task import Future
from spinner import Spinner

from active_collection.collecting.collection_robot import RefusedError
from active_collection.collecting.collection_robot import StoppedError
from active_collection.collecting.collection_robot import UnavailableError
from active_collection.nodes.calls import MOST_UNANSWERED
from active_collection.nodes.calls import Calls


class Asking:
    """A node that spins in one thread, and asks a robot's action server from this one."""

    def __init__(self, rig):
        self.rig = rig
        self.node = rclpy.create_node('asking', namespace='/arm1')
        self.client = ActionClient(self.node, CollectEpisode, 'collect_episode')
        self.stop = threading.Event()
        self.calls = Calls(self.stop, self.node)
        self.spinners = [Spinner(self.node, threads=1), Spinner(rig)]

    def collect(self, accept_s=10.0, check=lambda: None):
        return self.calls.action(
            self.client, CollectEpisode.Goal(episode_id='e1'), name='collect_episode',
            accept_s=accept_s, limit_s=10.0, feedback=lambda _: None, check=check)

    def close(self):
        self.rig.let_go()
        for spinner in self.spinners:
            spinner.close()


@pytest.fixture
def asking(ros):
    one = Asking(Rig('arm1'))
    yield one
    one.close()


def test_an_action_is_called_to_its_end(asking):
    assert asking.collect().result.outcome == Episode.SUCCESS


def test_an_answer_that_comes_while_the_goal_is_still_written_down_is_not_lost(asking):
    """In rclpy it is, where another thread than the executor's sends (its issue 1123)."""
    class Slow(dict):
        def __setitem__(self, key, value):
            until(lambda: asking.rig.goals, what='the goal, executed')
            time.sleep(0.3)  # its answer is here by now
            super().__setitem__(key, value)

    asking.client._feedback_callbacks = Slow()

    assert asking.collect(accept_s=3.0).result.outcome == Episode.SUCCESS


def test_what_interrupts_an_action_cancels_it(asking):
    asking.rig.act.clear()

    def check():
        if asking.rig.goals:
            raise UnavailableError('the lease is gone')

    with pytest.raises(UnavailableError, match='the lease is gone'):
        asking.collect(check=check)
    assert asking.rig.cancelled == ['e1']


def test_nothing_is_asked_after_a_stop(asking):
    asking.stop.set()

    with pytest.raises(StoppedError):
        asking.collect()
    assert asking.rig.goals == []


def test_goals_that_have_ended_leave_nothing_behind(asking):
    asking.collect()
    before = futures()

    for _ in range(5):
        asking.collect()
    asking.rig.refuses_attempts = True
    for _ in range(5):
        with pytest.raises(RefusedError):
            asking.collect()

    until(lambda: futures() <= before, what='as many futures as before')
    assert not asking.client._feedback_callbacks


def test_of_goals_that_nobody_answers_the_last_are_remembered(asking):
    asking.rig.accept.clear()

    for _ in range(MOST_UNANSWERED + 5):
        with pytest.raises(UnavailableError):
            asking.collect(accept_s=0.1)

    until(lambda: len(asking.client._pending_goal_requests) <= MOST_UNANSWERED,
          what='that the first are forgotten')
    assert len(asking.client._feedback_callbacks) <= MOST_UNANSWERED


def futures():
    """Return how many futures of rclpy there are in this process."""
    gc.collect()
    return sum(isinstance(thing, Future) for thing in gc.get_objects())
