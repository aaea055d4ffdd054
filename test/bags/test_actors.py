# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Who acted when in an episode, from real bags."""
from __future__ import annotations

import numpy as np
import pytest
from bag_factory import ACTOR
from bag_factory import START_NS
from bag_factory import STORE
from bag_factory import actor
from bag_factory import joints
from bag_factory import write_bag

from active_collection.bags.actors import read_actors
from active_collection.bags.reader import open_bag
from active_collection.episode import Actor
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import BagError
from active_collection.scenario import Scenario

S = 10**9
#: The policy begins, stands still and a person goes on: when (s), and who.
TAKEN_OVER = ((0, Actor.POLICY), (2, Actor.NOBODY), (3, Actor.PERSON), (5, Actor.NOBODY))


@pytest.fixture
def actors(tmp_path):
    """Return a function that gives the actors of a bag with these messages."""
    def read(*messages, source=Source.POLICY, is_episode=True, topic='/arm_1/actor'):
        record = EpisodeRecord('e1', Scenario('push', 'cell'), 'arm_1', source, START_NS,
                               START_NS + 6 * S, Outcome.SUCCESS) if is_episode else None
        bag = write_bag(tmp_path / 'bag', [
            ('/arm_1/joint_states', START_NS, joints()),
            *((topic, START_NS + k, message) for k, message in enumerate(messages))],
            record=record)
        with open_bag(bag) as opened:
            return read_actors(opened)

    return read


def ns(seconds):
    return START_NS + round(seconds * S)


def at(*seconds):
    return np.array([ns(s) for s in seconds], np.int64)


def told(changes, episode_id='e1'):
    return [actor(ns(seconds), who, episode_id) for seconds, who in changes]


def test_the_numbers_are_those_of_the_message():
    assert {name: getattr(STORE.types[ACTOR], name) for name in Actor.__members__} == dict(
        Actor.__members__)


@pytest.mark.parametrize(('source', 'expected'), [
    (Source.TELEOPERATION, Actor.PERSON), (Source.SCRIPTED, Actor.SCRIPT),
    (Source.POLICY, Actor.POLICY)])
def test_without_a_message_it_is_who_the_record_says(actors, source, expected):
    found = actors(source=source)

    assert found.at(at(-1, 0, 99)).tolist() == [expected] * 3
    assert found.demonstrated(at(0, 9)).tolist() == [True, True]
    assert found.took_over(at(0, 9)).tolist() == [False, False]


def test_each_message_holds_from_its_stamp_until_the_next(actors):
    found = actors(*told(TAKEN_OVER))

    assert found.at(at(-1, 0, 1.99, 2, 2.99, 3, 4.99, 5, 6)).tolist() == [
        Actor.POLICY, Actor.POLICY, Actor.POLICY, Actor.NOBODY, Actor.NOBODY, Actor.PERSON,
        Actor.PERSON, Actor.NOBODY, Actor.NOBODY]
    assert [(s.start_ns, s.stop_ns, s.actor) for s in found.stretches(ns(1), ns(4))] == [
        (ns(1), ns(2), Actor.POLICY), (ns(3), ns(4), Actor.PERSON)]


def test_the_stamps_say_the_order_and_where_there_is_none_the_time_of_receipt(actors):
    messages = told(TAKEN_OVER)
    without = actor(0, Actor.SCRIPT, 'e1')

    found = actors(*messages[::-1], without)

    assert found.at(at(1, 2.5, 4)).tolist() == [Actor.SCRIPT, Actor.NOBODY, Actor.PERSON]


def test_what_is_left_of_another_episode_does_not_count(actors):
    found = actors(*told([(-9, Actor.POLICY)], 'e0'), *told([(1, Actor.SCRIPT)], ''),
                   source=Source.TELEOPERATION)

    assert found.at(at(0, 1)).tolist() == [Actor.PERSON, Actor.SCRIPT]


def test_what_another_robot_says_does_not_count(actors):
    found = actors(*told(TAKEN_OVER), topic='/arm_10/actor')

    assert found.at(at(4)).tolist() == [Actor.POLICY]


@pytest.mark.parametrize(('source', 'changes', 'demonstrated', 'took_over'), [
    (Source.POLICY, TAKEN_OVER, [0, 0, 1, 0], [0, 0, 1, 0]),
    (Source.POLICY, TAKEN_OVER[:2], [1, 1, 1, 1], [0, 0, 0, 0]),
    (Source.TELEOPERATION, ((0, Actor.PERSON), (2, Actor.NOBODY)), [1, 1, 1, 1], [0, 0, 0, 0]),
    (Source.TELEOPERATION, ((0, Actor.PERSON), (3, Actor.POLICY)), [1, 1, 0, 0], [0, 0, 0, 0]),
    (Source.POLICY, ((0, Actor.POLICY), (3, Actor.SCRIPT)), [0, 0, 1, 1], [0, 0, 1, 1])])
def test_demonstrators_teach_where_the_policy_acted_too(
        actors, source, changes, demonstrated, took_over):
    found = actors(*told(changes), source=source)

    assert found.demonstrated(at(1, 2.5, 4, 6)).tolist() == [bool(d) for d in demonstrated]
    assert found.took_over(at(1, 2.5, 4, 6)).tolist() == [bool(t) for t in took_over]


def test_a_bag_that_is_no_episode_does_not_say(actors):
    assert actors(*told(TAKEN_OVER), is_episode=False) is None


def test_an_unknown_actor_is_named(actors):
    with pytest.raises(BagError, match=r'/arm_1/actor at \d+ ns.*9 is not a valid Actor.*3 \(SCR'):
        actors(*told([(0, 9)]))
