# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Collection stops for a stated reason, by a bound and not by luck."""
from dataclasses import replace

import pytest

from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.scheduling.answers import Refused


def practise(one, task, successes, failures, ensemble):
    """Let the policy of an ensemble try a task, whatever was assigned."""
    for k in range(successes + failures):
        assigned = one.grant()
        one.report(replace(assigned, scenario=replace(assigned.scenario, task=task)),
                   source=Source.POLICY, ensemble=ensemble,
                   outcome=Outcome.SUCCESS if k < successes else Outcome.FAILURE)


def test_a_task_stops_at_its_target_by_a_bound(fleet):
    one = fleet(target_success=0.8, policy_share=0.0, parity_share=0.0)
    practise(one, 'push', 3, 0, 'e1')
    assert not one.scheduler._maker.stopping.stopped_tasks(one.scheduler.books.beliefs)
    practise(one, 'push', 27, 0, 'e1')

    stopped = one.scheduler._maker.stopping.stopped_tasks(one.scheduler.books.beliefs)

    assert list(stopped) == ['push'] and 'target 0.8' in stopped['push']
    assert 'push' not in {one.collect().scenario.task for _ in range(20)}
    assert f'push has stopped: {stopped["push"]}' in one.scheduler.state(one.now).message


def test_a_task_stops_when_it_no_longer_improves(fleet):
    one = fleet(gain_rounds=2, gain_trials=5, minimum_gain=0.05)
    for k, (push, pick) in enumerate([(2, 2), (5, 4), (5, 6), (5, 8)]):
        practise(one, 'push', push, 10 - push, f'e{k}')
        practise(one, 'pick', pick, 10 - pick, f'e{k}')

    stopped = one.scheduler._maker.stopping.stopped_tasks(one.scheduler.books.beliefs)

    assert list(stopped) == ['push'] and 'last 2 rounds' in stopped['push']


def test_who_can_do_only_what_has_stopped_is_told_the_numbers(fleet):
    one = fleet(target_success=0.8, policy_share=0.0, parity_share=0.0)
    practise(one, 'pick', 30, 0, 'e1')

    answer = one.ask(collectors=('teleoperation',))  # which pick alone has

    assert answer.code is Refused.NOTHING_ELIGIBLE
    assert 'pick: target: success is at least 0.9' in answer.message


@pytest.mark.parametrize(('budget', 'says'), [
    ({'budget_episodes': 4}, '4 of 4 episodes'),
    ({'budget_hours': 80 / 3600}, 'hours'),
    ({'budget_cost': 4.0}, '4 of 4 cost'),
])
def test_a_spent_budget_stops_the_whole(fleet, budget, says):
    one = fleet(**budget)
    for _ in range(4):
        one.collect()

    answer = one.ask()

    assert answer.code is Refused.FINISHED and says in answer.message


def test_the_whole_stops_when_every_task_has(fleet):
    one = fleet(target_success=0.5)
    for task in ('push', 'pick', 'pour'):
        practise(one, task, 4, 0, 'e1')

    answer = one.ask()

    assert answer.code is Refused.FINISHED
    assert all(task in answer.message for task in ('push', 'pick', 'pour'))
