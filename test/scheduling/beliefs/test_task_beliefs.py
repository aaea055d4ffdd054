# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What episodes mean for the beliefs: whose trial, what was learnt, what waits, what cannot be."""
from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest
from fleets import START
from fleets import S
from fleets import episode

from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import StopReason
from active_collection.scenario import Scenario
from active_collection.scheduling.beliefs.ensembles import KEPT
from active_collection.scheduling.beliefs.ensembles import Ensembles
from active_collection.scheduling.beliefs.task_beliefs import Beliefs
from active_collection.scheduling.events import EnsembleSeen
from active_collection.scheduling.events import Result
from active_collection.scheduling.fleet.results import Counted
from active_collection.scheduling.orders import ScenarioOrder

DAY = 86_400 * S


def arrays(one):
    return one.scheduler.fleet.beliefs.arrays()


def try_policy(one, ensemble, *, created=0, trained=None, good=True, task='push'):
    assigned = one.grant()
    one.report(replace(assigned, scenario=Scenario.of(task, 'lab', {'x': 0.1})),
               source=Source.POLICY, ensemble=ensemble, created=created, trained=trained,
               outcome=Outcome.SUCCESS if good else Outcome.FAILURE)


def test_ensembles_are_ordered_by_when_they_were_made(fleet):
    """By their names, 'act_v10' came before 'act_v9', and nothing after 'zz_test'."""
    one = fleet()
    for day, name in enumerate(('act_v9', 'zz_test', 'act_v10', 'a')):
        try_policy(one, name, created=(day + 1) * DAY)

    ensembles = one.scheduler.fleet.beliefs.ensembles
    assert [ensembles.get(n).ensemble_id for n in ensembles.numbers] == [
        'act_v9', 'zz_test', 'act_v10', 'a']
    assert one.scheduler.status(one.now).ensemble_id == 'a'


def test_a_robot_that_lags_behind_tells_of_its_own_ensemble(fleet):
    one = fleet()
    try_policy(one, 'new', created=9 * DAY, trained={'push': 50})
    for _ in range(3):
        try_policy(one, 'old', created=2 * DAY, trained={'push': 5}, good=False)

    beliefs = one.scheduler.fleet.beliefs
    assert one.scheduler.status(one.now).ensemble_id == 'new'
    numbers = [beliefs.ensembles.number_of(name) for name in ('old', 'new')]
    assert [beliefs.ensembles.age(number) for number in numbers] == [1, 0]
    old, new = (beliefs.task('push').epochs[number] for number in numbers)
    assert (old.failures, old.learnt, new.successes, new.learnt) == (3, 15, 1, 50)
    assert arrays(one).success[1] > 0.45


def test_fresh_is_what_an_ensemble_was_not_trained_on(fleet):
    """Ten demonstrations, of which the ensemble that is first seen then was trained on six."""
    one = fleet(policy_share=0.0)
    one.scheduler.steer(ScenarioOrder('pin', 'push', '', 1.0, 0, 'ann', 'x'), one.now)
    for _ in range(10):
        one.collect()
    assert arrays(one).fresh[1] == 10
    try_policy(one, 'e1', created=DAY, trained={'push': 6})

    assert (arrays(one).learnt[1], arrays(one).fresh[1]) == (6, 4)
    one.collect()
    assert arrays(one).fresh[1] == 5


def test_what_was_recorded_elsewhere_is_learnt_and_not_owed(fleet):
    one = fleet()
    one.scheduler.steer(ScenarioOrder('pin', 'push', '', 1.0, 0, 'ann', 'x'), one.now)
    one.collect()
    try_policy(one, 'e1', created=DAY, trained={'push': 200})

    assert (arrays(one).learnt[1], arrays(one).fresh[1]) == (200, 0)
    one.report(one.grant(), source=Source.SCRIPTED)
    assert arrays(one).fresh[1] == 1


def test_an_ensemble_that_says_nothing_learnt_what_was_there_when_it_was_first_seen(fleet):
    one = fleet()
    one.scheduler.steer(ScenarioOrder('pin', 'push', '', 1.0, 0, 'ann', 'x'), one.now)
    for _ in range(4):
        one.collect()
    try_policy(one, 'e1')

    assert (arrays(one).learnt[1], arrays(one).fresh[1]) == (4, 0)


def test_no_more_ensembles_are_told_apart_than_can_be_looked_through(space):
    ensembles, beliefs = Ensembles(), Beliefs(space)
    for k in range(KEPT + 5):
        ensembles.see(f'e{k}', created_ns=k + 1, learnt={}, known={}, losses={})
        beliefs.see_ensemble(EnsembleSeen(f'e{k}', k + 1, (('push', k),)), time_ns=1)
        beliefs.count(Result(Scenario('push', 'lab'), Source.POLICY, Outcome.SUCCESS, k + 1), 1)

    assert len(ensembles) == KEPT
    assert not ensembles.is_worth_seeing('very old', 1)
    assert ensembles.is_worth_seeing('newer', 10**6)
    assert ensembles.get(2).ensemble_id == 'e5' and ensembles.age(2) == KEPT
    epochs = beliefs.task('push').epochs
    assert len(epochs) == KEPT and epochs[6].successes == 6
    assert epochs[6].learnt == sum(range(6))
    beliefs.count(Result(Scenario('push', 'lab'), Source.POLICY, Outcome.SUCCESS, 2), -1)
    assert epochs[6].successes == 5
    again = Beliefs(space)
    again.restore(beliefs.to_dict())
    assert np.array_equal(again.arrays().likelihoods, beliefs.arrays().likelihoods)


def test_a_decision_costs_the_same_after_many_retrainings(space):
    """It cost 243 ms after 10,000 retrainings."""
    beliefs = Beliefs(space)

    def cost():
        took = []
        for _ in range(40):
            beliefs.count(Result(Scenario('push', 'lab'), Source.POLICY, Outcome.SUCCESS,
                                 beliefs.ensembles.newest_number), 1)
            began = perf_counter()
            assert beliefs.arrays().failure.shape == (3,)
            took.append(perf_counter() - began)
        return float(np.median(took))

    for k in range(3000):
        if k == KEPT:
            early = cost()
        beliefs.see_ensemble(EnsembleSeen(f'e{k}', k + 1, (('push', k),)), time_ns=1)
        beliefs.count(Result(Scenario('push', 'lab'), Source.POLICY, Outcome.FAILURE, k + 1), 1)

    assert cost() < 3 * early + 1e-3


def test_what_waits_for_a_judgement_is_out_and_covers(fleet, space):
    """Of 60 recordings of two tasks that a person judges, 2 were different ones."""
    tasks = {name: task.model_copy(update={'success': 'person', 'maximum_episodes': 40})
             for name, task in space.tasks.items() if name != 'pour'}
    one = fleet(space.model_copy(update={'tasks': tasks}), policy_share=0.0)

    records = []
    for _ in range(60):
        records.append(episode(one.grant()))
        one.scheduler.finished(records[-1], one.now)

    assert len({r.scenario for r in records}) == 60
    fleet = one.scheduler.fleet
    assert sum(fleet.pending(name) for name in tasks) == 60
    assert arrays(one).episodes.sum() == 0
    one.now += 7200 * S
    assert '2.0 h' in one.scheduler.status(one.now).message
    assert 'wait for a judgement' in one.scheduler.status(one.now).message
    one.restart()
    for record in records:
        one.scheduler.finished(replace(record, revision=2, tags={'judged_by': 'ada'}), one.now)
    assert sum(one.scheduler.fleet.pending(name) for name in tasks) == 0
    assert arrays(one).episodes.sum() == 60
    assert 'judgement' not in one.scheduler.status(one.now).message


@pytest.mark.parametrize(('started', 'finished'), [
    (0, START), (START, START - 5 * S), (START, START + 10 * DAY)])
def test_a_duration_that_cannot_be_is_not_believed(fleet, started, finished):
    """A clock that was set within an episode charged the budget 498,812 hours."""
    one = fleet(budget_hours=1.0)
    assigned = one.grant()
    record = replace(episode(assigned), started_ns=started, finished_ns=finished)
    one.scheduler.finished(record, one.now)

    assert arrays(one).seconds.sum() == assigned.time_limit_s
    assert 'impossible duration' in one.ledger.last_finished(record.episode_id).remark
    assert one.scheduler.fleet.mode == 'running'


def test_a_duration_by_the_recorders_steady_clock_is_believed_whatever_the_stamps_say(fleet):
    one = fleet(budget_hours=1.0)
    record = replace(episode(one.grant()), started_ns=START, finished_ns=START - 5 * S,
                     lasted_s=17.0)
    one.scheduler.finished(record, one.now)

    assert arrays(one).seconds.sum() == 17.0
    assert not one.ledger.last_finished(record.episode_id).remark


def test_how_far_a_task_s_held_out_loss_fell_comes_with_the_episodes(fleet):
    """Between the two newest ensembles, also after a restart."""
    one = fleet()
    task = one.grant().scenario.task
    falls = []
    for number, losses in enumerate(({task: 0.5}, {task: 0.2, 'nap': 1.0}, {}), start=1):
        record = episode(one.grant(), ensemble=f'e{number}', created=number * S)
        one.scheduler.finished(replace(record, uncertainty=replace(
            record.uncertainty, held_out_loss=losses)), one.now)
        one.restart()
        falls.append(dict(zip(one.space.tasks, arrays(one).fall_of_loss, strict=True)))

    assert falls[1].pop(task) == pytest.approx(0.3)
    assert all(np.isnan(value) for fall in falls for value in fall.values())


def test_two_robots_of_one_episode_id_have_two_episodes(fleet):
    one = fleet()
    records = [replace(episode(one.grant(robot)), episode_id='run_7', robot=robot)
               for robot in ('arm1', 'arm2')]

    assert [one.scheduler.finished(r, one.now) for r in records] == [Counted.COUNTED] * 2
    assert [one.scheduler.finished(r, one.now) for r in records] == [Counted.DUPLICATE] * 2
    assert arrays(one).episodes.sum() == 2
    assert 'another robot' in one.ledger.last_finished('arm2.run_7').remark
    bad = replace(records[1], revision=2, outcome=Outcome.DISCARDED)
    assert one.scheduler.finished(bad, one.now) is Counted.AMENDED
    assert arrays(one).episodes.sum() == 1


def test_equal_scenarios_that_are_handed_back_are_tried_again_once(fleet):
    one = fleet(attempts=5)
    for k in range(4):
        assigned = one.grant(f'arm{k}')
        one.scheduler.release(assigned.assignment_id, robot=f'arm{k}', reason='no', retry=True,
                              set_up_failed=True, now_ns=one.now)
        assert len(one.scheduler.fleet.retries) == 1

    assert len(one.scheduler.fleet.handed_back[assigned.scenario.task]) == 4
    assert one.grant('arm9').attempt == 5


def test_an_agent_that_is_stopped_says_nothing_of_its_configuration(fleet):
    """An operator's Ctrl-C counted as a set-up that failed, and kept the robot from it."""
    one = fleet()
    first = one.grant()
    field = one.scheduler.fleet.fields.task(first.scenario.task)
    chance = field.feasible()[0]
    one.scheduler.release(first.assignment_id, robot='arm1', reason='the agent was stopped',
                          retry=True, now_ns=one.now)
    assert np.array_equal(field.feasible()[0], chance)
    assert one.scheduler.fleet.handed_back == {}

    again = one.grant()
    assert again.scenario == first.scenario
    one.scheduler.release(again.assignment_id, robot='arm1', reason='set-up failed: out of reach',
                          retry=True, set_up_failed=True, now_ns=one.now)
    assert field.feasible()[0].min() < chance.min()
    assert one.grant().scenario != first.scenario


@pytest.mark.parametrize(('why', 'outcome', 'counts'), [
    (StopReason.OPERATOR, Outcome.ABORTED, False), (StopReason.DISK_FULL, Outcome.ABORTED, False),
    (StopReason.OPERATOR, Outcome.DISCARDED, True), (StopReason.FINISHED, Outcome.ABORTED, True)])
def test_an_episode_that_was_but_interrupted_says_nothing_of_its_configuration(
        fleet, why, outcome, counts):
    """Stopping the agent within an episode counted as its configuration's abort."""
    one = fleet()
    assigned = one.grant()
    field = one.scheduler.fleet.fields.task(assigned.scenario.task)
    chance = field.feasible()[0]

    one.report(assigned, outcome=outcome, stop_reason=why)

    assert (field.feasible()[0].min() < chance.min()) == counts
    assert arrays(one).episodes.sum() == 0


def test_a_corner_that_cannot_be_set_up_does_not_wedge_its_task(fleet, space):
    """Set-up is refused in a corner: attempts passed 130-fold, and nothing else was collected."""
    tasks = {'pick': space.tasks['pick'].model_copy(update={'collectors': ('scripted',)})}
    one, asked, collected = fleet(space.model_copy(update={'tasks': tasks})), [], 0
    for _ in range(200):
        assigned = one.grant()
        asked.append(assigned.scenario)
        if assigned.scenario.values['x'] > 0.45:
            one.scheduler.release(assigned.assignment_id, robot='arm1', reason='out of reach',
                                  retry=True, set_up_failed=True, now_ns=one.now)
            continue
        one.report(assigned)
        collected += 1

    most = max(asked.count(scenario) for scenario in set(asked))
    assert most <= 3
    assert collected > 160
    retries = [retry.scenario for retry in one.scheduler.fleet.retries]
    assert len(retries) == len(set(retries)) <= 20


def test_uncertainty_tells_tasks_apart_that_were_not_tried(space):
    beliefs = Beliefs(space)
    beliefs.see_ensemble(EnsembleSeen('e', 1, (('pick', 5), ('push', 5), ('pour', 5))), time_ns=1)
    doubts = np.array([0.01, 0.02, 0.9])
    for task, doubt in zip(('pick', 'push', 'pour'), doubts, strict=True):
        for _ in range(3):
            beliefs.count(Result(Scenario(task, 'lab'), Source.SCRIPTED, Outcome.SUCCESS, 1,
                                 scored_epoch=1, epistemic=doubt), 1)

    failure = beliefs.arrays().failure

    odds = failure / (1 - failure)
    assert odds / odds[0] == pytest.approx(doubts / doubts[0])
    success = beliefs.arrays().success
    assert odds.prod() == pytest.approx(((1 - success) / success).prod())


def test_trials_overrule_the_uncertainty(space):
    beliefs = Beliefs(space)
    beliefs.see_ensemble(EnsembleSeen('e', 1, (('pick', 20), ('push', 20))), time_ns=1)
    for task, doubt, good in (('pick', 0.9, True), ('push', 0.1, False)):
        for _ in range(10):
            beliefs.count(Result(
                Scenario(task, 'lab'), Source.POLICY, Outcome.SUCCESS if good else Outcome.FAILURE,
                1, scored_epoch=1, epistemic=doubt), 1)

    failure = beliefs.arrays().failure

    assert failure[0] < 0.35 < 0.6 < failure[1]
