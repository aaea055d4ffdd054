# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""An operator has a robot repeat an episode: who gets what, what counts, what the ledger knows."""
from dataclasses import replace

import numpy as np
import pytest
from fleets import episode
from fleets import request

from active_collection.episode import REDONE
from active_collection.episode import Outcome
from active_collection.errors import ConfigError
from active_collection.scheduling.beliefs.task_field import Level
from active_collection.scheduling.choosing.explain import explain
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.ledger.tables import tables
from active_collection.scheduling.ledger.verification import problems
from active_collection.scheduling.orders import ScenarioOrder


def repeat(one, assigned, *, robot='arm1', instead_of='', is_cancelled=False):
    return one.scheduler.repeat(
        robot, f'e-{assigned.assignment_id}', author='ada', reason='the gripper slipped',
        instead_of=instead_of, is_cancelled=is_cancelled, now_ns=one.now)


def discard(one, assigned, outcome=Outcome.DISCARDED, revision=2):
    one.scheduler.finished(replace(
        episode(assigned), outcome=outcome, revision=revision, tags={REDONE: 'ada'}), one.now)


def test_a_robot_repeats_the_very_scenario_before_anything_else(fleet):
    one = fleet()
    done = one.collect()
    discard(one, done)

    assert repeat(one, done) == f'arm1 repeats e-{done.assignment_id} (ada: the gripper slipped)'
    again = one.grant()

    assert (again.scenario, again.collector) == (done.scenario, done.collector)
    assert (again.rule, again.repeats, again.asked_by) == (
        'repeat', f'e-{done.assignment_id}', 'ada: the gripper slipped')
    one.report(again)
    assert one.grant().rule != 'repeat'


def test_what_is_repeated_was_never_counted(fleet):
    one, untouched = fleet(), fleet()
    done = one.collect()
    discard(one, done)
    repeat(one, done)

    task = done.scenario.task
    assert one.scheduler.fleet.beliefs.task(task).episodes == 0
    assert one.scheduler.fleet.pending(task) == 0
    covers, before = (
        each.scheduler.fleet.fields.task(task).best('even', Level(0.5, None))
        for each in (one, untouched))
    for name in ('gain', 'candidate', 'feasible', 'average'):
        assert np.array_equal(getattr(covers, name), getattr(before, name)), name


def test_a_discarded_episode_that_is_repeated_says_nothing_of_its_configuration(fleet):
    one = fleet()
    done, bad = one.collect(), one.collect()
    discard(one, done)
    one.scheduler.finished(replace(
        episode(bad), outcome=Outcome.DISCARDED, revision=2), one.now)

    with LedgerReader(one.path) as reader:
        told = {name: reader.last_finished(f'e-{name}').result for name in (
            done.assignment_id, bad.assignment_id)}
    assert [result.is_interrupted for result in told.values()] == [True, False]


def test_it_takes_the_robot_from_the_lease_that_it_is_about_to_begin(fleet):
    one = fleet()
    done = one.collect()
    held = one.grant()

    repeat(one, done, instead_of=held.assignment_id)
    again = one.grant()

    assert again.repeats
    one.report(again)
    assert one.grant().scenario == held.scenario


def test_without_that_the_robot_goes_on_with_what_it_has(fleet):
    one = fleet()
    done, held = one.collect(), one.grant()
    somebody_elses = one.grant('arm2')

    repeat(one, done, instead_of=somebody_elses.assignment_id)

    assert one.grant().assignment_id == held.assignment_id
    assert one.grant('arm2').assignment_id == somebody_elses.assignment_id
    one.report(held)
    assert one.grant().repeats


def test_it_comes_again_where_its_lease_gave_nothing_and_not_where_it_cannot_be_set_up(fleet):
    one = fleet()
    done = one.collect()
    repeat(one, done)

    def hand_back(lease, *, set_up_failed):
        one.scheduler.release(lease.assignment_id, robot='arm1', reason='why', retry=True,
                              set_up_failed=set_up_failed, now_ns=one.now)

    hand_back(one.grant(), set_up_failed=False)
    again = one.grant()
    assert again.repeats
    hand_back(again, set_up_failed=True)

    assert not one.grant().repeats


def test_an_episode_discarded_at_once_is_repeated_once_and_by_its_own_robot(fleet):
    """Otherwise what is handed back goes to whoever asks first."""
    one = fleet()
    done = one.collect(outcome=Outcome.DISCARDED)
    repeat(one, done)

    assert one.grant('arm2').rule != 'retry'
    assert one.grant().repeats


def test_robots_that_ask_together_leave_it_to_the_one_that_was_asked(fleet):
    one = fleet()
    done = one.collect('arm2')
    one.scheduler.repeat('arm2', f'e-{done.assignment_id}', author='ada', reason='again',
                         instead_of='', is_cancelled=False, now_ns=one.now)

    answers = one.scheduler.request_many(
        [request(name) for name in ('arm1', 'arm2', 'arm3')], one.now)

    assert [bool(answer.repeats) for answer in answers] == [False, True, False]
    assert answers[1].scenario == done.scenario
    with LedgerReader(one.path) as reader:
        for answer in answers:
            assert explain(reader, answer.assignment_id).differences == ()


def test_a_ban_stands_above_it(fleet):
    one = fleet()
    done = one.collect()
    repeat(one, done)

    def steer(command):
        one.scheduler.steer(ScenarioOrder(
            command, done.scenario.task, '', 1.0, 0, 'bob', 'broken'), one.now)

    steer('ban')
    first = one.grant()
    assert not first.repeats
    one.report(first)
    steer('clear')
    assert one.grant().repeats


def test_it_can_be_taken_back(fleet):
    one = fleet()
    done = one.collect()
    repeat(one, done)

    assert repeat(one, done, is_cancelled=True) == f'arm1 does not repeat e-{done.assignment_id}'

    assert not one.grant().repeats


@pytest.mark.parametrize(('changes', 'words'), [
    ({'robot': 'arm2'}, 'an episode that arm2 reported'),
    ({'episode_id': 'never'}, 'found never'),
    ({'author': ' '}, 'author'),
    ({'reason': ''}, 'reason'),
])
def test_what_nobody_stands_for_or_the_robot_did_not_do_is_refused(fleet, changes, words):
    one = fleet()
    done = one.collect()
    given = {'robot': 'arm1', 'episode_id': f'e-{done.assignment_id}', 'author': 'ada',
             'reason': 'why', 'instead_of': '', 'is_cancelled': False, 'now_ns': one.now}

    with pytest.raises(ConfigError, match=words):
        one.scheduler.repeat(**{**given, **changes})


@pytest.mark.parametrize('snapshot_events', [1, 1000])
def test_the_ledger_knows_who_asked_and_decides_the_same_again(fleet, snapshot_events):
    one = fleet(snapshot_events=snapshot_events)
    done = one.collect()
    discard(one, done)
    repeat(one, done)
    one.restart()
    again = one.grant()

    with LedgerReader(one.path) as reader:
        explained = explain(reader, again.assignment_id)
        assert explained.differences == ()
        lines = list(explained.lines())
        assert (f'  repeats episode e-{done.assignment_id}, asked for by '
                'ada: the gripper slipped') in lines
        assert problems(reader) == []
        row = tables(reader)['operators'][-1]
    assert (row['action'], row['robot'], row['author']) == ('repeat', 'arm1', 'ada')
