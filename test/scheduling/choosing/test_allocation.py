# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Robots that ask at once: nobody left out that need not be, nobody sent farther than needed."""
import random
from collections import Counter
from itertools import pairwise

import pytest
from fleets import request
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from outages import full_disk

from active_collection.config import parse
from active_collection.episode import Outcome
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.choosing.acquisition import RULES
from active_collection.scheduling.choosing.explain import explain
from active_collection.scheduling.fleet.refusal import Refused
from active_collection.scheduling.ledger.verification import problems
from active_collection.scheduling.orders import ScenarioOrder


def ask_all(one, robots, **more):
    """Return every robot's assignment or refusal, asked in one batch."""
    return one.scheduler.request_many([request(r, **more) for r in robots], one.now)


def space_of(text):
    return parse(text, ScenarioSpace, where='space.yaml')


TWO_PLACES = """
format: 1
tasks: {lift: {}}
environments:
  kitchen: {capacity: 1, travel_s: 100}
  lab: {capacity: 1, travel_s: 100}
"""


@pytest.mark.parametrize('seed', range(4))
def test_each_robot_gets_what_is_near_to_it(fleet, seed):
    one = fleet(space_of(TWO_PLACES), travel_cost=0.1, seed=seed)

    cook, chemist = one.scheduler.request_many(
        [request('cook', environment='kitchen'), request('chemist', environment='lab')], one.now)

    assert cook.scenario.environment == 'kitchen'
    assert chemist.scenario.environment == 'lab'


def test_the_batch_costs_less_than_one_after_the_other(fleet):
    # The first robot that asks is far from both; whatever it takes, another pays for.
    text = """
format: 1
tasks: {lift: {importance: 1}, push: {importance: 0.9}}
environments:
  kitchen: {capacity: 1, travel_s: 0}
  lab: {capacity: 1, travel_s: 1000}
"""
    def cost(assignments):
        return sum(1000 * (a.scenario.environment == 'lab') for a in assignments
                   if a.request.environment != 'lab')

    questions = [request('far', environment='kitchen'), request('near', environment='lab')]
    together, apart = (fleet(space_of(text), travel_cost=1.0, cost_weight=0.0, seed=1)
                       for _ in range(2))

    batch = together.scheduler.request_many(questions, together.now)
    single = [apart.scheduler.request(q, apart.now) for q in questions]

    assert cost(batch) <= cost(single)


RARE = """
format: 1
tasks:
  screw: {capabilities: [driver]}
  push: {}
environments: {cell: {capacity: 9}}
"""


def test_a_robot_that_can_do_everything_leaves_the_only_thing_to_one_that_cannot(fleet):
    text = RARE.replace('screw: {', 'screw: {maximum_episodes: 1, ').replace(
        'push: {}', 'push: {maximum_episodes: 1}')
    for seed in range(6):
        one = fleet(space_of(text), seed=seed)
        answers = one.scheduler.request_many(
            [request('both', capabilities=('driver',)), request('pusher')], one.now)

        assert [a.scenario.task for a in answers] == ['screw', 'push']


CHAIN = """
format: 1
tasks:
  a: {capabilities: [x], maximum_episodes: 1}
  b: {capabilities: [y], maximum_episodes: 1}
  c: {capabilities: [z], maximum_episodes: 1}
environments: {cell: {capacity: 9}}
"""


def test_everybody_works_where_a_swap_along_a_chain_makes_it_possible(fleet):
    # Each can do two of three tasks, so that greedy choices can leave any of them with nothing.
    skills = {'ab': ('x', 'y'), 'bc': ('y', 'z'), 'ca': ('z', 'x')}
    for seed in range(8):
        one = fleet(space_of(CHAIN), seed=seed)
        answers = one.scheduler.request_many(
            [request(r, capabilities=c) for r, c in skills.items()], one.now)

        assert all(isinstance(a, Assignment) for a in answers)
        assert {a.scenario.task for a in answers} == {'a', 'b', 'c'}


def test_room_quotas_and_caps_hold_within_a_batch(fleet):
    text = """
format: 1
tasks: {lift: {maximum_episodes: 3}, push: {}}
environments: {small: {capacity: 2}, large: {capacity: 4}}
"""
    one = fleet(space_of(text))
    one.scheduler.steer(ScenarioOrder('cap', 'push', '', 1.0, 0, 'ann', 'test', limit=2), one.now)

    answers = ask_all(one, [f'arm{k}' for k in range(9)])

    given = [a for a in answers if not hasattr(a, 'code')]
    assert Counter(a.scenario.task for a in given) == {'lift': 3, 'push': 2}
    assert Counter(a.scenario.environment for a in given)['small'] <= 2
    refused = [a for a in answers if hasattr(a, 'code')]
    assert len(refused) == 4
    assert {a.code for a in refused} == {Refused.NOTHING_ELIGIBLE}
    assert all(a.message for a in refused)


def test_minimum_quotas_are_shared_out_within_a_batch(fleet):
    text = """
format: 1
tasks: {a: {minimum_episodes: 4}, b: {minimum_episodes: 4}, c: {importance: 9}}
environments: {cell: {capacity: 99}}
"""
    one = fleet(space_of(text))

    tasks = Counter(a.scenario.task for a in ask_all(one, [f'arm{k}' for k in range(6)]))

    assert tasks == {'a': 3, 'b': 3}


def test_robots_that_ask_at_once_get_configurations_apart_from_each_other(fleet):
    text = ('format: 1\ntasks: {p: {factors: {x: {low: 0, high: 1}}}}\n'
            'environments: {e: {capacity: 9}}')
    one = fleet(space_of(text))

    values = sorted(a.scenario.values['x'] for a in ask_all(one, [f'arm{k}' for k in range(5)]))

    assert min(b - a for a, b in pairwise(values)) > 0.1


def test_a_robot_that_asks_twice_in_a_batch_gets_one_lease(fleet):
    one = fleet()

    first, other, again = ask_all(one, ['arm1', 'arm2', 'arm1'])

    assert first == again != other
    assert len(one.scheduler.fleet.leases) == 2


def test_those_for_whom_nothing_is_to_be_decided_are_answered_too(fleet):
    one = fleet()
    held = one.grant('arm1')

    answers = one.scheduler.request_many(
        [request('arm1'), request('../arm'), request('arm2'), request('arm3', collectors=())],
        one.now)

    assert answers[0] == held
    assert answers[1].code is Refused.INVALID
    assert isinstance(answers[2], Assignment)
    assert answers[3].code is Refused.INVALID


def test_a_full_disk_refuses_the_whole_batch(fleet):
    one = fleet()
    before = one.scheduler.fleet.to_dict()

    with full_disk(one.path):
        answers = ask_all(one, ['a' * 60, 'b' * 60], capabilities=('x' * 20000,))

    assert {a.code for a in answers} == {Refused.UNAVAILABLE}
    assert one.scheduler.fleet.to_dict() == before


def work(one, seed, turns=12):
    """Let a fleet ask in batches of every size, and report some of what it got."""
    chance = random.Random(seed)
    held = {}
    for turn in range(turns):
        robots = chance.sample([f'arm{k}' for k in range(7)], chance.randint(1, 7))
        places = ('', 'kitchen', 'lab')
        answers = one.scheduler.request_many(
            [request(r, environment=chance.choice(places)) for r in robots], one.now)
        held.update((r, a) for r, a in zip(robots, answers, strict=True)
                    if isinstance(a, Assignment))
        for robot in sorted(held):
            if chance.random() < 0.6:
                one.report(held.pop(robot), ensemble=f'e{turn // 4}', epistemic=chance.random(),
                           outcome=chance.choice([Outcome.SUCCESS, Outcome.FAILURE,
                                                  Outcome.ABORTED]))


@pytest.mark.parametrize('rule', RULES.names())
def test_every_assignment_of_a_batch_replays(fleet, rule):
    one = fleet(rule=rule, travel_cost=0.01, reset_cost=0.3, snapshot_events=9)
    work(one, seed=1)

    entries = list(one.ledger.assignments())

    assert any(e.event.batch for e in entries) and any(not e.event.batch for e in entries)
    for entry in entries:
        assert explain(one.ledger, entry.event.assignment_id).differences == ()
    assert problems(one.ledger) == []


@given(seed=st.integers(0, 10**6))
@hypothesis_settings(max_examples=10, deadline=None)
def test_deciding_leaves_the_state_as_it_was(tmp_path_factory, seed):
    from fleets import SPACE
    from fleets import Fleet

    from active_collection.scheduling.beliefs.task_field import Level
    from active_collection.scheduling.choosing.allocation import Allocator
    from active_collection.scheduling.choosing.decision import DecisionMaker
    from active_collection.scheduling.settings import SchedulerSettings

    settings = SchedulerSettings(travel_cost=0.01)
    one = Fleet(space_of(SPACE), tmp_path_factory.mktemp('ledger') / 'a.sqlite3', settings)
    work(one, seed, turns=5)
    fleet = one.scheduler.fleet
    free = [request(f'arm{k}') for k in range(7) if f'arm{k}' not in fleet.held_by]
    def best():
        return [fleet.fields.task(t).best('failure', Level(0.5, 0.1)).gain.tolist()
                for t in one.space.tasks]

    before = (fleet.to_dict(), +fleet.leased, +fleet.busy, +fleet.out)
    gains = best()

    if free:
        Allocator(one.space, settings, DecisionMaker(one.space, settings)).allocate(
            fleet, free, now_ns=one.now, number=99)

    assert (fleet.to_dict(), +fleet.leased, +fleet.busy, +fleet.out) == before
    assert best() == gains
    one.close()


def test_an_explanation_says_who_was_answered_together(fleet, capsys):
    from active_collection.cli.main import main

    one = fleet()
    first, *_ = ask_all(one, ['arm1', 'arm2', 'arm3'])

    assert main(['ledger', 'explain', str(one.path), first.assignment_id]) == 0

    said = capsys.readouterr().out
    assert 'together with 2 other robots' in said and 'the same decision' in said
