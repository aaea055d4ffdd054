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


WHOLE = {'whole_gain_rounds': 2, 'whole_minimum_gain': 0.05, 'gain_trials': 8}


def rounds(one, *successes):
    """Let each ensemble's policy try push, pick and pour ten times; None: not at all."""
    for k, by_task in enumerate(successes):
        for task, good in zip(('push', 'pick', 'pour'), by_task, strict=True):
            if good is not None:
                practise(one, task, good, 10 - good, f'e{k}')


def verdict(one):
    return one.scheduler._maker.stopping.verdict(one.scheduler.books.beliefs)


def test_the_whole_stops_when_its_mean_success_no_longer_rises(fleet):
    """One task still rises, by less than what the whole has to."""
    one = fleet(**WHOLE)
    rounds(one, (2, 5, 5), (5, 5, 5), (6, 5, 5), (7, 5, 4))
    assert verdict(one) == '' and one.scheduler.books.mode == 'running'

    practise(one, 'push', 1, 0, 'e4')

    answer = one.ask()
    assert answer.code is Refused.FINISHED
    assert ('gain of the whole: mean success rose by +0.033, +0.000 in the last 2 rounds, each '
            'less than 0.05') in answer.message


@pytest.mark.parametrize('settings', [{}, {'whole_minimum_gain': 0.03}, {'gain_trials': 31},
                                      {'whole_gain_rounds': 3}])
def test_the_whole_goes_on_while_it_gains_or_too_little_is_known(fleet, settings):
    one = fleet(**({**WHOLE, **settings} if settings else {}))

    rounds(one, (2, 5, 5), (5, 5, 5), (6, 5, 5), (7, 5, 5), (8, None, None))

    assert verdict(one) == ''


def test_gains_are_compared_task_by_task(fleet):
    """A hard task that is first tried late looks like a fall of the mean, and is none."""
    one = fleet(**WHOLE)

    rounds(one, (2, 4, None), (4, 6, None), (6, 8, 0), (6, 8, 0))

    assert verdict(one) == ''


def test_too_few_tasks_do_not_tell_of_the_whole(fleet):
    one = fleet(**WHOLE)

    rounds(one, *[(5, None, None)] * 5)

    assert verdict(one) == ''


def test_a_task_that_has_stopped_gains_nothing_more(fleet):
    """Two tasks have stopped at their target: what the third gains is a third of the whole's."""
    one = fleet(**WHOLE, target_success=0.6, discount=1.0)
    rounds(one, (4, 10, 10), (5, None, None), (6, None, None))
    practise(one, 'push', 1, 0, 'e3')

    assert list(one.scheduler._maker.stopping.stopped_tasks(one.scheduler.books.beliefs)) == [
        'pick', 'pour']
    assert '+0.033, +0.033' in verdict(one)


def test_the_whole_does_not_stop_before_every_task_has_its_minimum(fleet, space):
    tasks = {**space.tasks, 'pour': space.tasks['pour'].model_copy(
        update={'minimum_episodes': 1})}
    one = fleet(space.model_copy(update={'tasks': tasks}), **WHOLE)

    rounds(one, *[(5, 5, None)] * 4)

    assert verdict(one) == ''
