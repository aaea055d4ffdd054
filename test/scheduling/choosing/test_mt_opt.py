# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What MT-Opt does in collection: parity, detectors, label queue, impersonation, weights."""
from dataclasses import replace

import numpy as np
import pytest
from fleets import episode

from active_collection.config import parse
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import ConfigError
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs.task_beliefs import Beliefs
from active_collection.scheduling.choosing.collectors import CollectorChoice
from active_collection.scheduling.choosing.collectors import usable
from active_collection.scheduling.events import EnsembleSeen
from active_collection.scheduling.events import Result
from active_collection.scheduling.fleet.detectors import Judges
from active_collection.scheduling.fleet.sampling import balanced
from active_collection.scheduling.settings import SchedulerSettings

GROUP = """
format: 1
tasks:
  lift: {skill_group: pick, success: effects, effects: {mug: up}}
  lift_red: {skill_group: pick, success: effects, effects: {mug: up, colour: red}}
  shake: {skill_group: pick, success: person}
  pour: {success: effects, effects: {mug: up}}
environments: {cell: {capacity: 9}}
"""


@pytest.fixture
def group():
    return parse(GROUP, ScenarioSpace, where='space.yaml')


def test_the_policy_takes_over_where_it_is_as_good_as_the_demonstrators(fleet):
    one = fleet(policy_share=0.3, parity_share=0.9, parity_margin=0.15, confidence=0.8,
                rule='round_robin')
    for _ in range(150):
        assigned = one.grant()
        fails = assigned.collector == 'policy' and assigned.scenario.task == 'pick'
        one.report(assigned, ensemble='e1', trained=dict.fromkeys(one.space.tasks, 40),
                   outcome=Outcome.FAILURE if fails else Outcome.SUCCESS)

    def share(task):
        entries = [e.event for e in one.ledger.assignments()][75:]
        mine = [e.collector for e in entries if e.scenario.task == task]
        return mine.count('policy') / len(mine)

    assert share('push') > 0.75
    assert share('pick') < 0.5


PROXIES = """
format: 1
tasks:
  push: {collectors: [scripted, policy]}
  slide: {collectors: [proxy, policy], proxy_task: push}
  lift: {collectors: [teleoperation, proxy, scripted, policy], proxy_task: push}
environments: {cell: {}}
"""


@pytest.mark.parametrize(('task', 'offered', 'has_policy', 'expected'), [
    ('push', ('policy', 'scripted'), True, ('scripted', 'policy')),
    ('push', ('policy', 'scripted'), False, ('scripted',)),
    ('slide', ('policy', 'scripted'), True, ('proxy', 'policy')),
    ('slide', ('policy', 'scripted'), False, ()),
    ('slide', ('scripted',), True, ()),
    ('lift', ('scripted', 'policy', 'teleoperation'), True,
     ('teleoperation', 'proxy', 'scripted', 'policy')),
    ('lift', ('scripted',), True, ('scripted',)),
])
def test_who_can_act_follows_the_tasks_order_and_the_robots_offer(
        task, offered, has_policy, expected):
    space = parse(PROXIES, ScenarioSpace, where='space.yaml')

    assert usable(space.tasks[task], offered, has_policy=has_policy) == expected


@pytest.mark.parametrize(('policy_successes', 'margin', 'confidence', 'share'), [
    (None, 0.1, 0.9, 0.2),
    (2, 0.1, 0.9, 0.2),
    (19, 0.1, 0.9, 1.0),
    (18, 0.1, 0.999, 0.2),
    (2, 0.9, 0.9, 1.0),
])
def test_a_proxy_collects_until_the_policy_is_believed_to_reach_it(
        policy_successes, margin, confidence, share):
    space = parse(PROXIES, ScenarioSpace, where='space.yaml')
    settings = SchedulerSettings(policy_share=0.2, parity_share=1.0, parity_margin=margin,
                                 confidence=confidence)
    beliefs = Beliefs(space)
    beliefs.see_ensemble(EnsembleSeen('e1', 1, (('slide', 30),)), time_ns=1)
    slide = Scenario('slide', 'cell')
    for number in range(20):
        outcome = Outcome.SUCCESS if number % 10 else Outcome.FAILURE
        beliefs.count(Result(slide, Source.SCRIPTED, outcome, epoch=1), 1)
        if policy_successes is not None:
            outcome = Outcome.SUCCESS if number < policy_successes else Outcome.FAILURE
            beliefs.count(Result(slide, Source.POLICY, outcome, epoch=1), 1)

    random = np.random.default_rng(0)
    choices = [CollectorChoice(space, settings).choose(beliefs, 'slide', ('policy',), random)
               for _ in range(200)]

    assert all(choice.collector == 'policy' and choice.share == share for choice in choices)
    assert {choice.policy_task for choice in choices} == ({''} if share == 1.0 else {'', 'push'})
    own = sum(choice.policy_task == '' for choice in choices) / len(choices)
    assert own == pytest.approx(share, abs=0.1)


def states(one):
    return {t.task: t for t in one.scheduler.status(one.now).tasks}


def test_an_episode_teaches_the_tasks_of_its_group_that_it_fulfils_and_is_no_attempt_at_them(
        fleet, group):
    one = fleet(group, budget_episodes=3)
    assigned = one.grant()
    record = replace(
        episode(assigned), scenario=replace(assigned.scenario, task='lift'),
        tags={'scene.mug': 'up', 'scene.colour': 'red'})
    one.scheduler.finished(record, one.now)

    after, beliefs = states(one), one.scheduler.fleet.beliefs

    assert after['lift'].successes == 1
    assert [after[name].episodes for name in ('lift_red', 'shake', 'pour')] == [0, 0, 0]
    assert [beliefs.task(name).demonstrations
            for name in ('lift', 'lift_red', 'pour')] == [1, 1, 0]
    assert beliefs.arrays().episodes.sum() == 1
    one.scheduler.finished(replace(record, outcome=Outcome.DISCARDED, revision=2), one.now)
    assert all(t.episodes == 0 for t in states(one).values())
    assert beliefs.task('lift_red').demonstrations == 0


def test_what_needs_a_person_waits_for_one(fleet, group):
    one = fleet(group)
    assigned = one.grant()
    record = replace(episode(assigned), scenario=replace(assigned.scenario, task='shake'))
    one.scheduler.finished(record, one.now)
    assert states(one)['shake'].episodes == 0
    assert [e.episode_id for e in one.ledger.unjudged()] == [record.episode_id]

    one.scheduler.finished(replace(record, revision=2, notes='seen from the side'), one.now)
    assert len(one.ledger.unjudged()) == 1

    judged = replace(record, revision=3, tags={'judged_by': 'ada'})
    one.scheduler.finished(judged, one.now)
    one.scheduler.finished(judged, one.now)

    assert states(one)['shake'].successes == 1
    assert one.ledger.unjudged() == []


@pytest.mark.parametrize('task', ['lift', 'shake', 'pour'])
def test_a_persons_word_goes_over_every_detector(group, fleet, task):
    record = replace(
        episode(fleet(group).grant()), scenario=Scenario.of(task, 'cell', {}),
        outcome=Outcome.FAILURE, tags={'scene.mug': 'up', 'judged_by': 'ada'})

    assert Judges(group).outcome(record) is Outcome.FAILURE
    assert Judges(group).outcome(replace(record, outcome=Outcome.UNKNOWN)) is (
        Outcome.UNKNOWN if task == 'shake' else Outcome.SUCCESS)


def test_an_unknown_detector_is_refused_at_the_start(fleet):
    text = GROUP.replace('person', 'persona')

    with pytest.raises(ConfigError, match="did you mean 'person'"):
        fleet(parse(text, ScenarioSpace, where='space.yaml'))


def records(fleet, group, counts):
    """Return episodes: (task, outcome) to how many."""
    one = fleet(group)
    base = episode(one.grant(), source=Source.SCRIPTED)
    made = []
    for (task, mug), count in counts.items():
        made += [replace(base, episode_id=f'{task}-{mug}-{k}', tags={'scene.mug': mug},
                         scenario=replace(base.scenario, task=task)) for k in range(count)]
    return made


def test_weights_are_equal_by_task_and_constant_by_outcome(fleet, group):
    samples = balanced(group, records(fleet, group, {
        ('lift', 'up'): 90, ('lift', 'down'): 10, ('pour', 'up'): 2, ('pour', 'down'): 8,
    }), success_share=0.6)

    def weight(task, outcome):
        return sum(s.weight for s in samples if s.task == task and s.outcome is outcome)

    assert sum(s.weight for s in samples) == pytest.approx(1)
    for task in ('lift', 'pour'):
        assert weight(task, Outcome.SUCCESS) == pytest.approx(0.3)
        assert weight(task, Outcome.FAILURE) == pytest.approx(0.2)


def test_without_failures_successes_carry_the_task(fleet, group):
    only = records(fleet, group, {('lift', 'up'): 4, ('pour', 'down'): 3})

    mixed = balanced(group, only, success_share=0.5)
    imitation = balanced(group, only, success_share=1.0)

    assert sum(s.weight for s in mixed if s.task == 'lift') == pytest.approx(0.5)
    assert {s.task for s in imitation} == {'lift'}
    assert sum(s.weight for s in imitation) == pytest.approx(1)
