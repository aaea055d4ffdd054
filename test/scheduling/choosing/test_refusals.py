# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What keeps a robot from each task: the cause, the tasks, and what a person can change."""
import pytest
from fleets import request

from active_collection.config import parse
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.fleet.refusal import Cause
from active_collection.scheduling.fleet.refusal import Refused
from active_collection.scheduling.orders import ScenarioOrder

CELLAR = """
format: 1
tasks:
  lift: {collectors: [scripted], capabilities: [strong], maximum_episodes: 1}
  carry: {collectors: [scripted], capabilities: [strong, wheels], environments: [cellar]}
  talk: {collectors: [teleoperation]}
environments:
  cell: {capacity: 1, robots: [big, small]}
  cellar: {robots: [big]}
robots:
  big: {capabilities: [strong]}
  small: {}
  far: {}
"""


def space_of(text):
    return parse(text, ScenarioSpace, where='space.yaml')


def causes(answer):
    assert answer.code is Refused.NOTHING_ELIGIBLE
    return {reason.cause: reason.tasks for reason in answer.reasons}


def order(command, **more):
    return ScenarioOrder(command=command, author='ann', reason='oil on the floor', until_ns=0,
                   **{'task': '', 'environment': '', 'factor': 1.0, **more})


def test_each_task_stands_under_what_stops_it_where_it_comes_furthest(fleet):
    one = fleet(space_of(CELLAR))

    # In the cellar nothing is reached; in the cell it is the task that stops the robot.
    assert causes(one.ask('small', collectors=('scripted',))) == {
        Cause.UNREACHABLE: ('carry',), Cause.CAPABILITIES: ('lift',),
        Cause.COLLECTORS: ('talk',)}
    assert causes(one.ask('far')) == {Cause.UNREACHABLE: ('lift', 'carry', 'talk')}


def test_the_message_counts_the_tasks_of_each_cause_and_names_what_to_change(fleet):
    one = fleet(space_of(CELLAR), space='/data/space.yaml')

    message = one.ask('small', collectors=('scripted',)).message

    assert '\n' not in message
    for words in ('1 task (lift): small lacks capabilities (strong)',
                  "the agent's parameter capabilities",
                  'robots.small.capabilities in /data/space.yaml',
                  '1 task (talk): small offers the collectors scripted, expected one of '
                  'teleoperation',
                  "the agent's parameter collectors", 'tasks.talk.collectors in /data/space.yaml',
                  'environments.cellar.robots in /data/space.yaml'):
        assert words in message


def test_a_policy_that_is_not_trained_yet_is_said_to_be_what_is_missing(fleet):
    untrained = fleet().ask(collectors=('policy',)).message

    assert '3 tasks (pick, push, pour): arm1 offers the collectors policy (no policy is trained '\
        'yet), expected one of teleoperation, scripted, policy' in untrained


def test_no_offer_blames_no_policy_that_no_task_takes(fleet):
    one = fleet(space_of(
        'format: 1\ntasks: {talk: {collectors: [teleoperation]}}\nenvironments: {cell: {}}'))

    assert 'trained' not in one.ask(collectors=('policy',)).message


def test_more_tasks_than_a_line_holds_are_counted(fleet):
    tasks = ', '.join(f't{k}: {{}}' for k in range(9))
    one = fleet(space_of(f'format: 1\ntasks: {{{tasks}}}\nenvironments: {{cell: {{}}}}'))

    answer = one.ask(collectors=('policy',))

    assert '9 tasks (t0, t1, t2 and 6 more)' in answer.message
    assert answer.reasons[0].tasks == tuple(f't{k}' for k in range(9))


ALONE = 'format: 1\ntasks: {lift: {maximum_episodes: 1}}\nenvironments: {cell: {capacity: 1}}'


@pytest.mark.parametrize(('prepare', 'cause', 'says'), [
    (lambda one: one.grant('big'), Cause.MAXIMUM, 'maximum_episodes'),
    (lambda one: one.scheduler.steer(order('ban'), one.now), Cause.BANNED,
     'ann: oil on the floor'),
    (lambda one: one.scheduler.steer(order('cap', limit=0), one.now), Cause.CAPPED,
     'ann: oil on the floor'),
])
def test_what_somebody_wanted_needs_nobody(fleet, prepare, cause, says):
    one = fleet(space_of(ALONE))
    prepare(one)

    answer = one.ask('small')

    assert causes(answer) == {cause: ('lift',)}
    assert says in answer.message
    assert not answer.needs_person


def test_a_full_environment_passes_though_something_else_does_not(fleet):
    one = fleet(space_of(
        'format: 1\ntasks: {lift: {}, talk: {collectors: [teleoperation]}}\n'
        'environments: {cell: {capacity: 1}}'))
    one.grant('big')

    answer = one.ask('small')

    assert causes(answer) == {Cause.FULL: ('lift',), Cause.COLLECTORS: ('talk',)}
    assert 'environments.cell.capacity' in answer.message
    assert not answer.needs_person


def test_a_robot_that_can_do_nothing_more_needs_a_person_though_a_part_is_done(fleet):
    one = fleet(space_of(
        'format: 1\ntasks: {lift: {maximum_episodes: 1}, talk: {collectors: [teleoperation]}}\n'
        'environments: {cell: {capacity: 9}}'))
    one.collect('big')

    answer = one.ask('small')

    assert causes(answer) == {Cause.MAXIMUM: ('lift',), Cause.COLLECTORS: ('talk',)}
    assert answer.needs_person


@pytest.mark.parametrize(('text', 'cause', 'says'), [
    ("""
format: 1
tasks: {lift: {environments: [cell]}}
environments: {cell: {}, lab: {}}
exclusions: [{environment: cell}]
""", Cause.EXCLUDED, 'exclusions or tasks.lift.environments'),
    ("""
format: 1
tasks: {close: {reset: none, preconditions: {drawer: open}}}
environments: {cell: {}}
""", Cause.PRECONDITIONS, 'tasks.close.reset'),
    ("""
format: 1
tasks: {lift: {factors: {mug: {values: [red]}}}}
environments: {cell: {}}
exclusions: [{configuration: {mug: red}}]
""", Cause.CONFIGURATIONS, 'exclusions'),
])
def test_what_the_space_leaves_nothing_of_is_said(fleet, text, cause, says):
    one = fleet(space_of(text))

    answer = one.ask()

    assert list(causes(answer)) == [cause]
    assert says in answer.message
    assert answer.needs_person


def test_an_unknown_robot_is_told_where_to_be_added(fleet):
    one = fleet(space_of(CELLAR), space='/data/space.yaml')

    answer = one.ask('bigg')

    assert answer.code is Refused.UNKNOWN_ROBOT
    assert answer.needs_person
    for words in ("robots in /data/space.yaml: found 'bigg'", "did you mean 'big'", 'add it'):
        assert words in answer.message


def test_of_robots_that_ask_at_once_one_that_is_late_hears_that_it_passes(fleet):
    one = fleet(space_of('format: 1\ntasks: {lift: {}}\nenvironments: {cell: {capacity: 1}}'))

    first, second = one.scheduler.request_many(
        [request(name) for name in ('big', 'small')], one.now)

    refused = second if hasattr(second, 'code') else first
    assert set(causes(refused)) <= {Cause.FULL, Cause.TAKEN}
    assert not refused.needs_person


def test_a_refusal_is_another_one_only_where_more_than_its_counts_change(fleet):
    tasks = ', '.join(f't{k}: {{environments: [e{k}]}}' for k in range(3))
    rooms = ', '.join(f'e{k}: {{}}' for k in range(3))
    one = fleet(space_of(f'format: 1\ntasks: {{{tasks}}}\nenvironments: {{{rooms}}}'))
    for robot in ('a', 'b', 'c'):
        one.grant(robot)
    full = one.ask('d')
    one.scheduler.steer(order('ban', task='t1'), one.now)

    partly_banned = one.ask('d')

    assert full.gist == 'nothing_eligible: full'
    assert partly_banned.gist == full.gist  # the environment is full all the same
    assert one.ask('d', collectors=('policy',)).gist not in {full.gist, ''}


def test_a_refusal_that_needs_a_person_is_another_one_where_something_else_is_to_be_changed(fleet):
    one = fleet(space_of(CELLAR))

    first = one.ask('small', collectors=('scripted',))
    second = one.ask('small', collectors=('policy',))

    assert causes(first) == causes(second)
    assert first.needs_person and second.needs_person
    assert first.gist != second.gist


def test_only_where_a_task_can_be_collected_at_all_is_named_as_out_of_reach(fleet):
    one = fleet(space_of(CELLAR.replace('\nrobots:', '\n  attic: {robots: [big]}\nrobots:')))

    message = one.ask('small', collectors=('scripted',)).message

    assert '1 task (carry): small reaches none of the environments (cellar)' in message


def test_what_the_space_says_that_a_robot_can_do_is_not_said_to_be_lacking(fleet):
    one = fleet(space_of(CELLAR))
    one.scheduler.steer(order('ban', task='lift'), one.now)

    message = one.ask('big', collectors=('scripted',)).message

    assert '1 task (carry): big lacks capabilities (wheels)' in message
