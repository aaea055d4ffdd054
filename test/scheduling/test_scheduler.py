# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What robots, recorders and operators may rely on."""
import random
from dataclasses import replace

import pytest
from fleets import SPACE
from fleets import STEPS
from fleets import Fleet
from fleets import S
from fleets import episode
from fleets import play
from fleets import request
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.config import parse
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import ConfigError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.fleet.leases import Released
from active_collection.scheduling.fleet.refusal import Refused
from active_collection.scheduling.fleet.results import Counted
from active_collection.scheduling.ledger.verification import problems
from active_collection.scheduling.orders import ScenarioOrder
from active_collection.scheduling.settings import SchedulerSettings


def order(command, task='', environment='', factor=1.0, until_ns=0, author='ann', reason='test'):
    return ScenarioOrder(command, task, environment, factor, until_ns, author, reason)


def test_a_robot_gets_a_scenario_of_the_space_with_its_reasons(fleet, space):
    assigned = fleet().grant()

    space.check(assigned.scenario)
    assert assigned.collector == 'scripted'
    assert assigned.terms and len(assigned.runners_up) == 3
    assert sum(t.value * t.weight for t in assigned.terms) == pytest.approx(assigned.score)


def test_a_robot_that_asks_again_gets_the_same_lease(fleet):
    one = fleet()

    assert one.grant().assignment_id == one.grant().assignment_id
    assert one.grant('arm2') != one.grant('arm1')


def test_the_same_seed_and_history_give_the_same_assignments(fleet):
    def run(seed):
        one = fleet(seed=seed)
        return [one.collect(robot, ensemble='e1').scenario for robot in ('arm1', 'arm2') * 10]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_lease_without_heartbeats_is_revoked_and_handed_to_another(fleet):
    one = fleet(lease_s=5)
    lost = one.grant('arm1')
    one.wait(6)

    again = one.grant('arm2')

    assert again.scenario == lost.scenario
    assert (again.rule, again.attempt) == ('retry', 2)
    assert one.scheduler.status(one.now).revoked == 1


def test_heartbeats_keep_a_lease_up_to_its_longest(fleet):
    one = fleet(lease_s=3, longest_lease_s=20)
    held = one.grant()
    for _ in range(18):
        one.wait(1)
        one.scheduler.heartbeat('arm1', held.assignment_id)
    assert one.scheduler.status(one.now).revoked == 0
    for _ in range(4):
        one.wait(1)
        one.scheduler.heartbeat('arm1', held.assignment_id)

    assert one.scheduler.status(one.now).revoked == 1


def test_a_heartbeat_for_somebody_elses_lease_renews_nothing(fleet):
    one = fleet(lease_s=3)
    held = one.grant('arm1')
    for _ in range(5):
        one.wait(1)
        one.scheduler.heartbeat('arm2', held.assignment_id)

    assert one.scheduler.status(one.now).revoked == 1


@pytest.mark.parametrize('jump_s', [3600, -3600])
def test_a_jump_of_the_clock_ends_no_lease(fleet, jump_s):
    one = fleet(lease_s=5)
    one.grant()
    one.wait(1)
    one.set_clock(jump_s)
    one.wait(3)
    assert one.scheduler.status(one.now).revoked == 0

    one.wait(5)

    assert one.scheduler.status(one.now).revoked == 1


@pytest.mark.parametrize('jump_s', [3600, -3600, 9, -9])
def test_a_robot_heard_before_the_jump_is_seen_has_no_more_and_no_less_than_its_lease(
        fleet, jump_s):
    one = fleet(lease_s=5)
    held, lost = one.grant('arm1'), one.grant('lost')
    one.wait(4)
    one.set_clock(jump_s)
    one.scheduler.heartbeat('arm1', held.assignment_id)

    out = {lease.robot: lease.deadline_ns for lease in one.scheduler.status(one.now).leases}
    assert out == {'arm1': one.now + 5 * S, 'lost': one.now + S}
    one.wait(2)
    assert list(one.scheduler.fleet.held_by) == ['arm1']
    one.wait(4)
    assert one.scheduler.status(one.now).revoked == 2
    assert lost.assignment_id != held.assignment_id


def test_a_scheduler_that_was_stopped_waits_for_the_robots_that_it_could_not_hear(fleet):
    one = fleet(lease_s=5)
    held, lost = one.grant('arm1'), one.grant('lost')
    one.wait(1)
    one.now += 600 * S
    one.scheduler.heartbeat('arm1', held.assignment_id)
    one.wait(4)
    assert one.scheduler.status(one.now).revoked == 0

    one.wait(1)

    assert list(one.scheduler.fleet.held_by) == ['arm1'] != [lost.robot]


def test_an_episode_is_counted_once(fleet):
    one = fleet()
    assigned = one.grant()

    assert one.report(assigned) is Counted.COUNTED
    assert one.report(assigned) is Counted.DUPLICATE
    assert one.scheduler.status(one.now).episodes == 1
    assert one.grant() != assigned


def test_an_amendment_takes_back_what_the_episode_gave(fleet):
    one = fleet()
    assigned = one.grant()
    record = episode(assigned)
    one.scheduler.finished(record, one.now)
    later = replace(record, outcome=Outcome.DISCARDED, revision=3)
    between = replace(record, outcome=Outcome.FAILURE, revision=2)

    assert one.scheduler.finished(later, one.now) is Counted.AMENDED
    assert one.scheduler.finished(between, one.now) is Counted.DUPLICATE
    state = one.scheduler.status(one.now)
    assert state.episodes == 0
    assert sum(task.aborted for task in state.tasks) == 1


def test_an_episode_that_is_still_recorded_does_not_count(fleet):
    one = fleet()
    record = replace(episode(one.grant()), finished_ns=0)

    assert one.scheduler.finished(record, one.now) is Counted.RECORDING


def test_a_late_result_counts_and_withdraws_the_retry(fleet):
    one = fleet(lease_s=5)
    lost = one.grant('arm1')
    one.wait(6)
    assert one.report(lost) is Counted.COUNTED

    assert one.grant('arm2').rule != 'retry'
    last = one.ledger.last_finished(f'e-{lost.assignment_id}')
    assert 'late' in last.remark


def test_a_report_for_somebody_elses_assignment_leaves_its_lease(fleet):
    one = fleet()
    held = one.grant('arm1')

    assert one.report(held, robot='arm2') is Counted.COUNTED
    assert one.grant('arm1').assignment_id == held.assignment_id
    assert 'not the holder' in one.ledger.last_finished(f'e-{held.assignment_id}').remark


def test_an_aborted_episode_hands_its_scenario_back(fleet):
    one = fleet(attempts=2)
    first = one.grant()
    one.report(first, outcome=Outcome.ABORTED)
    again = one.grant()
    assert again.scenario == first.scenario
    one.report(again, outcome=Outcome.ABORTED)

    assert one.grant().attempt == 1


def test_a_released_scenario_goes_to_another_robot(fleet):
    one = fleet()
    first = one.grant('arm1')

    def release(robot):
        return one.scheduler.release(
            first.assignment_id, robot=robot, reason='drawer blocked', retry=True,
            set_up_failed=True, now_ns=one.now)

    assert release('arm2') is Released.NOT_HOLDER
    assert release('arm1') is Released.RELEASED
    assert release('arm1') is Released.ENDED
    assert one.scheduler.release('nobody', robot='arm1', reason='', retry=False,
                                 now_ns=one.now) is Released.UNKNOWN_ASSIGNMENT
    assert one.grant('arm1').attempt == 1
    assert one.grant('arm2').scenario == first.scenario


@pytest.mark.parametrize(('robot', 'collectors', 'code', 'says'), [
    ('', ('scripted',), Refused.INVALID, 'robot name'),
    ('a/b', ('scripted',), Refused.INVALID, 'robot name'),
    ('arm1', (), Refused.INVALID, 'collector'),
    ('arm1', ('policy',), Refused.NOTHING_ELIGIBLE, 'collector'),
])
def test_a_refusal_says_why(fleet, robot, collectors, code, says):
    answer = fleet().ask(robot, collectors=collectors)

    assert answer.code is code and says in answer.message
    assert answer.retry_after_s > 0


RESTRICTED = """
format: 1
tasks:
  lift: {capabilities: [strong], maximum_episodes: 1}
environments:
  cell: {capacity: 1, robots: [big, small, idle]}
robots:
  big: {capabilities: [strong]}
  small: {}
  idle: {capabilities: [strong]}
  far: {capabilities: [strong]}
"""


def test_reach_capability_capacity_and_quota_are_kept(fleet):
    one = fleet(parse(RESTRICTED, ScenarioSpace, where='space.yaml'))

    assert 'capabilities' in one.ask('small').message
    assert 'reaches' in one.ask('far').message
    assert one.ask('stranger').code is Refused.UNKNOWN_ROBOT
    held = one.grant('big')
    assert one.ask('idle').code is Refused.NOTHING_ELIGIBLE
    one.report(held)
    assert 'maximum' in one.ask('idle').message


CAPACITY = """
format: 1
tasks: {lift: {}}
environments: {cell: {capacity: 1}}
"""


def test_a_full_environment_is_refused_until_it_is_free(fleet):
    one = fleet(parse(CAPACITY, ScenarioSpace, where='space.yaml'))
    held = one.grant('arm1')
    assert 'full' in one.ask('arm2').message

    one.report(held)

    assert one.grant('arm2')


MINIMA = """
format: 1
tasks:
  rare: {minimum_episodes: 4, importance: 0}
  often: {minimum_episodes: 2, importance: 9}
environments: {cell: {capacity: 9}}
"""


def test_minimum_quotas_come_first_and_count_what_is_out(fleet):
    one = fleet(parse(MINIMA, ScenarioSpace, where='space.yaml'))

    tasks = [one.grant(f'arm{k}') for k in range(8)]

    assert [a.rule for a in tasks] == ['minimum_quota'] * 6 + ['value'] * 2
    assert sorted(a.scenario.task for a in tasks[:6]) == ['often'] * 2 + ['rare'] * 4
    assert [a.scenario.task for a in tasks[6:]] == ['often'] * 2


def test_the_policy_acts_in_its_share_once_there_is_an_ensemble(fleet):
    one = fleet(policy_share=0.5, parity_share=0.5, seed=3)
    before = [one.collect().collector for _ in range(10)]
    one.collect(ensemble='e1')
    after = [one.collect(ensemble='e1').collector for _ in range(200)]

    assert set(before) == {'scripted'}
    assert 0.4 < after.count('policy') / 200 < 0.6


def test_pin_ban_and_clear(fleet):
    one = fleet()
    one.scheduler.steer(order('pin', 'push'), one.now)
    assert {one.collect().scenario.task for _ in range(6)} == {'push'}
    one.scheduler.steer(order('clear', 'push'), one.now)
    one.scheduler.steer(order('ban', 'push'), one.now)
    one.scheduler.steer(order('ban', environment='lab'), one.now)

    places = {(a.scenario.task, a.scenario.environment) for a in
              (one.collect() for _ in range(20))}

    assert places == {('pick', 'kitchen'), ('pour', 'kitchen')}
    one.scheduler.steer(order('clear'), one.now)
    assert not one.scheduler.fleet.orders.standing(one.now).orders


def test_an_order_for_a_while_ends_by_itself(fleet):
    one = fleet()
    one.scheduler.steer(order('pin', 'push', until_ns=one.now + 10 * S), one.now)
    assert one.collect().scenario.task == 'push'

    one.wait(11)

    assert {one.collect().scenario.task for _ in range(12)} != {'push'}


def test_a_boost_multiplies_the_score(fleet):
    one = fleet(rule='ensemble')
    one.scheduler.steer(order('boost', 'pour', 'lab', factor=50), one.now)

    assigned = one.grant()

    assert (assigned.scenario.task, assigned.scenario.environment) == ('pour', 'lab')


@pytest.mark.parametrize(('bad', 'says'), [
    (order('pin', 'pik'), "did you mean 'pick'"),
    (order('pin', environment='kitchn'), "did you mean 'kitchen'"),
    (order('pin', author=' '), 'author'),
    (order('pin', reason=''), 'reason'),
    (order('boost', factor=0.0), 'factor'),
    (order('boost', factor=float('nan')), 'factor'),
])
def test_orders_that_make_no_sense_are_refused(fleet, bad, says):
    one = fleet()

    with pytest.raises(ConfigError, match=says):
        one.scheduler.steer(bad, one.now)


def test_pause_resume_and_drain(fleet):
    one = fleet()
    held = one.grant('arm1')
    one.scheduler.pause(one.now)
    assert one.ask('arm2').code is Refused.PAUSED
    assert one.grant('arm1').assignment_id == held.assignment_id
    one.scheduler.resume(one.now)
    one.grant('arm2')
    one.scheduler.drain(one.now)
    assert one.scheduler.status(one.now).mode == 'draining'
    one.report(held)
    one.report(one.grant('arm2'))

    assert one.scheduler.status(one.now).mode == 'paused'


def test_a_spent_budget_finishes_and_says_so(fleet):
    one = fleet(budget_episodes=3)
    for _ in range(3):
        one.collect()

    answer = one.ask()

    assert answer.code is Refused.FINISHED
    assert '3 of 3' in answer.message


def test_the_state_tells_of_every_task(fleet):
    one = fleet()
    for _ in range(12):
        one.collect(ensemble='e1', outcome=Outcome.SUCCESS)
    one.grant('arm2')

    state = one.scheduler.status(one.now)

    assert [t.task for t in state.tasks] == ['pick', 'push', 'pour']
    assert sum(t.probability for t in state.tasks) == pytest.approx(1)
    assert sum(t.episodes for t in state.tasks) == state.episodes == 12
    assert all(0 <= t.success_low <= t.success_rate <= t.success_high <= 1 for t in state.tasks)
    assert state.ensemble_id == 'e1' and len(state.leases) == 1


def test_demonstrations_say_nothing_of_what_the_policy_fails_at(fleet):
    one = fleet()
    for _ in range(5):
        one.collect(outcome=Outcome.SUCCESS, source=Source.SCRIPTED)

    assert all(t.success_rate == 0.5 for t in one.scheduler.status(one.now).tasks)


def test_million_combinations_are_decided_among_without_being_listed(fleet):
    factors = ''.join(f'\n      f{k}: {{values: [{", ".join(f"v{v}" for v in range(10))}]}}'
                      for k in range(8))
    one = fleet(parse(
        f'format: 1\ntasks:\n  sort:\n    factors:{factors}\nenvironments: {{cell: {{}}}}',
        ScenarioSpace, where='space.yaml'))

    scenarios = {one.collect().scenario for _ in range(50)}

    assert len(scenarios) == 50


CHAIN = """
format: 1
tasks:
  open: {preconditions: {drawer: closed}, effects: {drawer: open}}
  shut: {preconditions: {drawer: open}, effects: {drawer: closed}, reset: none}
environments: {cell: {}}
"""


def test_a_finished_task_makes_another_eligible_without_a_reset(fleet):
    one = fleet(parse(CHAIN, ScenarioSpace, where='space.yaml'), rule='mt_opt')
    first = one.collect()
    assert (first.scenario.task, first.reset_required) == ('open', True)

    second = one.collect()

    assert (second.scenario.task, second.reset_required) == ('shut', False)
    third = one.collect(outcome=Outcome.FAILURE)
    assert (third.scenario.task, third.reset_required) == ('open', False)
    fourth = one.grant()
    assert (fourth.scenario.task, fourth.reset_required) == ('open', True)


def test_a_request_names_its_capabilities_itself(fleet):
    one = fleet(parse(
        'format: 1\ntasks: {lift: {capabilities: [strong]}}\nenvironments: {cell: {}}',
        ScenarioSpace, where='space.yaml'))

    assert one.ask().code is Refused.NOTHING_ELIGIBLE
    assert isinstance(
        one.scheduler.request(request(capabilities=('strong',)), one.now), Assignment)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_episodes_told_at_once_count_as_those_told_one_after_the_other(
        tmp_path_factory, seed):
    chance, scratch = random.Random(seed), tmp_path_factory.mktemp('ledgers')
    space = parse(SPACE, ScenarioSpace, where='space.yaml')
    alone, together = (Fleet(space, scratch / f'{name}.sqlite3', SchedulerSettings())
                       for name in ('alone', 'together'))
    held = [alone.grant(f'arm{k}') for k in range(4)]
    assert [together.grant(f'arm{k}') for k in range(4)] == held
    records = [episode(a, ensemble=chance.choice(['', 'e1', 'e2', 'e3'])) for a in held]
    records += [replace(r, revision=2, outcome=Outcome.FAILURE) for r in records[:2]]
    records += [replace(records[0], episode_id='again'), replace(records[1], finished_ns=0)]
    told = [chance.choice(records) for _ in range(12)]

    expected = [alone.scheduler.finished(record, alone.now) for record in told]
    answers = together.scheduler.finished_many(told, together.now)

    assert answers == expected
    assert together.scheduler.fleet.to_dict() == alone.scheduler.fleet.to_dict()
    assert problems(together.ledger) == []
    alone.close()
    together.close()


def test_episodes_told_at_once_are_written_at_once(fleet):
    one = fleet()
    held = [one.grant(f'arm{k}') for k in range(5)]
    appended = []
    append = one.ledger.append
    one.ledger.append = lambda entries, **more: (appended.append(len(entries)),
                                                 append(entries, **more))

    one.scheduler.finished_many([episode(assigned) for assigned in held], one.now)

    assert appended == [5]


@given(steps=STEPS)
@settings(max_examples=10, deadline=None)
def test_the_leases_of_a_task_are_those_that_a_look_at_all_finds(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp('ledger') / 'a.sqlite3'
    one = Fleet(parse(SPACE, ScenarioSpace, where='space'), path,
                SchedulerSettings(lease_s=5), snapshot_events=5)
    for _ in range(2):  # as it went, and as a restart finds it
        play(one, steps)
        one.restart()
        state = one.scheduler.fleet
        for task in state.space.tasks:
            assert dict(state._demonstrating(task)) == {
                lease.assignment_id: lease.scenario for lease in state.leases.values()
                if lease.scenario.task == task and not lease.acts_own_policy}
        play(one, steps)
    one.close()


def test_robots_of_the_same_answers_get_different_configurations_at_one_instant(fleet):
    one = fleet()

    first, second = one.scheduler.request_many([request('arm1'), request('arm2')], one.now)

    assert first.scenario != second.scenario
    assert {first.scenario, second.scenario}.isdisjoint({one.grant('arm3').scenario})
