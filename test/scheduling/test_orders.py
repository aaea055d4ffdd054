# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What operators' orders are, when they hold, and what they do, without a scheduler."""
import numpy as np
import pytest
from fleets import SPACE
from fleets import S

from active_collection.config import parse
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.orders import Orders
from active_collection.scheduling.orders import RobotOrder
from active_collection.scheduling.orders import ScenarioOrder
from active_collection.scheduling.orders import ends_ns
from active_collection.scheduling.places import Places


@pytest.fixture(scope='module')
def places():
    return Places(parse(SPACE, ScenarioSpace, where='space.yaml'))


def order(command, task='', environment='', **more):
    given = {'factor': 1.0, 'until_ns': 0, 'author': 'ann', 'reason': 'why', **more}
    return ScenarioOrder(command, task, environment, **given)


def standing(*orders, now_ns=0):
    given = Orders()
    for each in orders:
        given.apply(each)
    return given.standing(now_ns)


def of(places, task='', environment=''):
    return [task in {'', t} and environment in {'', e} for t, e in places.names]


def test_an_order_holds_until_its_time_and_says_when_that_is():
    timed = order('ban', 'push', until_ns=ends_ns(1_700_000_000 * S, 30.0))

    assert standing(timed, now_ns=timed.until_ns - 1).orders == (timed,)
    assert standing(timed, now_ns=timed.until_ns).orders == ()
    assert timed.until() == ' until 2023-11-14 22:13:50 UTC'
    assert ends_ns(S, 0.0) == 0
    assert order('ban').until() == ''


def test_bans_caps_and_boosts_are_of_the_places_that_they_name(places):
    now = standing(order('ban', 'push', 'lab'), order('boost', 'push', factor=3.0),
                   order('boost', '', 'lab', factor=0.5), order('cap', 'pick', limit=2))

    assert list(now.banned(places)) == of(places, 'push', 'lab')
    assert list(now.boosts(places)) == list(
        np.where(of(places, 'push'), 3.0, 1.0) * np.where(of(places, '', 'lab'), 0.5, 1.0))
    assert not now.capped(places, [{('pick', 'lab'): 1, ('push', 'lab'): 9}]).any()
    assert list(now.capped(places, [{('pick', 'lab'): 1}, {('pick', 'kitchen'): 1}])) == of(
        places, 'pick')
    assert (now.is_banned('push'), now.boost('push'), now.boost('pick')) == (False, 3.0, 1.0)


def test_preemptions_go_first_the_highest_of_them_before_the_others_and_pins_last(places):
    now = standing(order('pin', 'pour'), order('preempt', 'push', priority=1),
                   order('preempt', '', 'lab', priority=5))

    assert [list(mask) for mask in now.first(places)] == [
        of(places, '', 'lab'), of(places, 'push'), of(places, 'pour')]
    assert now.priority('push', 'lab') == 5
    assert now.priority('push', 'kitchen') == 1
    assert now.priority('pick', 'kitchen') == 0


def test_only_a_drain_with_a_deadline_revokes_and_resuming_ends_it():
    given = Orders()
    for robot, command, deadline_ns in (
            ('arm1', 'drain', 5 * S), ('arm2', 'drain', 0), ('arm3', 'pause', 5 * S)):
        given.apply(RobotOrder(command, robot, deadline_ns, 'ann', 'oil'))

    assert given.drains() == {'arm1': 5 * S}
    given.apply(RobotOrder('resume', 'arm1', 0, 'ann', 'done'))
    assert given.drains() == {}
    assert set(given.robots) == {'arm2', 'arm3'}


def test_who_signed_is_told_once():
    now = standing(order('ban', 'push'), order('ban', '', 'lab'), order('ban', 'pick'))

    assert now.signed('ban', ['push'], ['lab']) == ('ann: why',)
    assert now.signed('cap', ['push'], ['lab']) == ()
