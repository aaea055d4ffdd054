# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What operators may order: caps, preemption, and robots that pause or drain."""
import pytest
from fleets import S

from active_collection.config import parse
from active_collection.episode import Outcome
from active_collection.errors import ActiveCollectionError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.events import Ended
from active_collection.scheduling.fleet.refusal import Refused
from active_collection.scheduling.fleet.results import Counted
from active_collection.scheduling.ledger.replay import remember
from active_collection.scheduling.ledger.verification import problems
from active_collection.scheduling.orders import RobotOrder
from active_collection.scheduling.orders import ScenarioOrder


def cap(limit, task='', environment=''):
    return ScenarioOrder('cap', task, environment, 1.0, 0, 'ann', 'enough', limit=limit)


def preempt(priority, task='', environment='', until_ns=0):
    return ScenarioOrder(
        'preempt', task, environment, 1.0, until_ns, 'ann', 'demo', priority=priority)


def robot_order(command, robot='arm1', deadline_ns=0, author='ann', reason='oil'):
    return RobotOrder(command, robot, deadline_ns, author, reason)


def endings(one):
    return [e.event.cause for e in one.ledger.entries(kinds=(Ended.kind,))]


def test_a_cap_counts_what_is_out_and_what_counts_from_here_on(fleet):
    one = fleet()
    one.collect()
    one.scheduler.steer(cap(3), one.now)
    held = [one.grant(f'arm{k}') for k in range(3)]
    assert 'cap' in one.ask('late').message

    one.report(held[0])
    assert 'cap' in one.ask('late').message
    one.report(held[1], outcome=Outcome.ABORTED)
    one.restart()

    assert one.grant('late')
    assert one.ask('later').code is Refused.NOTHING_ELIGIBLE


def test_an_amendment_gives_a_cap_its_episode_back(fleet):
    from dataclasses import replace

    from fleets import episode

    one = fleet()
    one.scheduler.steer(cap(1), one.now)
    assigned = one.collect()
    assert one.ask().code is Refused.NOTHING_ELIGIBLE

    one.scheduler.finished(
        replace(episode(assigned), revision=2, outcome=Outcome.DISCARDED), one.now)

    assert one.grant()


def test_a_cap_on_one_task_leaves_the_others(fleet):
    one = fleet()
    one.scheduler.steer(cap(0, 'push'), one.now)

    tasks = {one.collect().scenario.task for _ in range(20)}

    assert tasks == {'pick', 'pour'}
    one.scheduler.steer(ScenarioOrder('clear', 'push', '', 1.0, 0, 'ann', 'test'), one.now)
    assert 'push' in {one.collect().scenario.task for _ in range(20)}


NARROW = """
format: 1
tasks: {urgent: {capabilities: [strong]}, push: {}}
environments: {cell: {capacity: 9}, bench: {capacity: 2}}
"""


def test_a_preemption_takes_robots_from_what_is_less_urgent(fleet):
    one = fleet(parse(NARROW, ScenarioSpace, where='space.yaml'))
    one.scheduler.steer(ScenarioOrder('pin', 'push', '', 1.0, 0, 'ann', 'test'), one.now)
    strong, weak = ('strong',), ()
    held = {name: one.grant(name, capabilities=able) for name, able in (
        ('old', strong), ('weak', weak), ('young', strong))}
    one.now += S

    said = one.scheduler.steer(preempt(5, 'urgent', 'bench'), one.now)

    assert '2 leases taken back' in said
    assert endings(one) == ['preempted', 'preempted']
    assert one.grant('weak').assignment_id == held['weak'].assignment_id
    again = one.grant('old', capabilities=strong)
    assert (again.scenario.task, again.scenario.environment, again.priority) == (
        'urgent', 'bench', 5)
    assert problems(one.ledger) == []


def test_a_preemption_takes_no_more_robots_than_there_is_room_for(fleet):
    text = NARROW.replace('{capacity: 2}', '{capacity: 1}')
    one = fleet(parse(text, ScenarioSpace, where='space.yaml'))
    one.scheduler.steer(ScenarioOrder('pin', 'push', 'cell', 1.0, 0, 'ann', 'test'), one.now)
    first = one.grant('first', capabilities=('strong',))
    one.now += S
    one.grant('second', capabilities=('strong',))

    one.scheduler.steer(preempt(1, 'urgent', 'bench'), one.now)

    assert endings(one) == ['preempted']
    again = one.grant('first', capabilities=('strong',))
    assert again.assignment_id == first.assignment_id


def test_what_was_preempted_is_collected_later_and_its_late_result_counts_once(fleet):
    one = fleet()
    one.scheduler.steer(
        ScenarioOrder('pin', 'push', '', 1.0, one.now + 5 * S, 'ann', 'x'), one.now)
    held = one.grant('arm1')
    one.scheduler.steer(preempt(2, 'pour', until_ns=one.now + 5 * S), one.now)
    urgent = one.grant('arm1')
    assert (urgent.scenario.task, urgent.priority) == ('pour', 2)

    assert one.report(held, outcome=Outcome.ABORTED) is Counted.COUNTED
    assert one.report(held, outcome=Outcome.ABORTED) is Counted.DUPLICATE
    assert 'preempted' in one.ledger.last_finished(f'e-{held.assignment_id}').remark
    assert one.grant('arm1').assignment_id == urgent.assignment_id
    one.report(urgent)
    one.now += 9 * S

    again = one.grant('arm1')

    assert (again.scenario, again.attempt, again.rule) == (held.scenario, 1, 'retry')


def test_a_restart_carries_a_preemption_out_that_its_death_cut_short(fleet):
    one = fleet()
    one.scheduler.steer(ScenarioOrder('pin', 'push', '', 1.0, one.now + S, 'ann', 'x'), one.now)
    one.grant('arm1')
    one.scheduler._journal.record([preempt(2, 'pour')], one.now)  # and nothing after it

    one.restart()

    assert endings(one) == ['preempted']
    assert one.grant('arm1').scenario.task == 'pour'


@pytest.mark.parametrize(('bad', 'says'), [
    (cap(-1), 'limit'), (preempt(0), 'priority'), (preempt(-3), 'priority')])
def test_orders_that_make_no_sense_are_refused(fleet, bad, says):
    one = fleet()

    with pytest.raises(ActiveCollectionError, match=says):
        one.scheduler.steer(bad, one.now)


def test_a_paused_robot_gets_nothing_until_it_is_resumed_also_after_a_restart(fleet):
    one = fleet()
    held = one.grant('arm1')
    one.scheduler.steer_robot(robot_order('pause'), one.now)
    assert one.grant('arm1').assignment_id == held.assignment_id
    one.report(held)
    one.restart()

    refused = one.ask('arm1')
    assert refused.code is Refused.PAUSED
    assert 'ann' in refused.message and 'oil' in refused.message
    assert one.grant('arm2')
    assert 'arm1 is paused' in one.scheduler.status(one.now).message
    assert one.scheduler.steer_robot(robot_order('resume'), one.now) == 'arm1 gets leases'

    assert one.grant('arm1')


def test_a_drained_robot_finishes_or_loses_its_lease_at_the_deadline(fleet):
    one = fleet(lease_s=1000)
    held = one.grant('arm1')
    other = one.grant('arm2')
    one.scheduler.steer_robot(robot_order('drain', deadline_ns=one.now + 5 * S), one.now)
    one.wait(4)
    assert one.grant('arm1').assignment_id == held.assignment_id

    one.wait(2)

    assert endings(one) == ['drained']
    assert one.ask('arm1').code is Refused.PAUSED
    assert one.grant('arm2').assignment_id == other.assignment_id


def test_the_fleets_drain_has_a_deadline_that_survives_a_restart(fleet):
    one = fleet(lease_s=1000)
    one.grant('arm1')
    one.grant('arm2')
    one.scheduler.steer_robot(robot_order('drain', '', one.now + 5 * S), one.now)
    one.wait(2)
    one.restart()
    assert one.scheduler.status(one.now).mode == 'draining'

    one.wait(4)

    assert endings(one) == ['drained', 'drained']
    state = one.scheduler.status(one.now)
    assert state.mode == 'paused' and 'ann' in state.message
    one.scheduler.steer_robot(robot_order('resume', ''), one.now)
    assert one.grant('arm1').rule == 'retry'


def test_a_clock_that_jumps_brings_no_drain_to_its_deadline(fleet):
    one = fleet(lease_s=10_000)
    one.grant('arm1')
    one.scheduler.steer_robot(robot_order('drain', deadline_ns=one.now + 5 * S), one.now)
    one.wait(1)
    one.set_clock(3600)
    one.wait(2)
    assert endings(one) == []

    one.wait(4)

    assert endings(one) == ['drained']


@pytest.mark.parametrize(('order', 'says'), [
    (robot_order('pause', author=''), 'author'), (robot_order('pause', reason=' '), 'reason'),
    (robot_order('pause', '../x'), 'robot'), (robot_order('pause', 'arm3'), 'did you mean')])
def test_orders_on_robots_are_checked(fleet, order, says):
    text = NARROW + 'robots: {arm1: {}, arm2: {}}'
    one = fleet(parse(text, ScenarioSpace, where='space.yaml'))

    with pytest.raises(ActiveCollectionError, match=says):
        one.scheduler.steer_robot(order, one.now)


def test_orders_are_remembered_as_they_were_given(fleet):
    one = fleet(snapshot_events=2)
    one.scheduler.steer(cap(3, 'push'), one.now)
    one.scheduler.steer_robot(robot_order('drain', deadline_ns=one.now + S), one.now)
    for _ in range(4):
        one.collect('arm2')

    assert remember(one.ledger).to_dict() == one.scheduler.fleet.to_dict()
