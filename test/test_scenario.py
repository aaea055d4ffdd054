# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Scenarios and the scenario space."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_collection.config import parse
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scenario import scenario_key

SPACE = """
format: 1
tasks:
  pick:
    factors:
      mug: {values: [red, blue]}
      x: {low: -0.1, high: 0.1, unit: m}
  open:
    environments: [kitchen]
environments:
  kitchen: {}
  lab: {robots: [arm_1]}
robots:
  arm_1: {}
  arm_2: {}
exclusions:
  - {task: pick, environment: lab, reason: no table}
  - {task: pick, configuration: {mug: blue}, reason: broken}
"""

names = st.from_regex(r'[A-Za-z0-9_.-]{1,64}', fullmatch=True).filter(
    lambda n: n not in {'.', '..'})
values = st.one_of(st.text(max_size=20), st.floats(allow_nan=False, allow_infinity=False))


def space(text=SPACE):
    return parse(text, ScenarioSpace, where='space.yaml')


@given(task=names, environment=names,
       configuration=st.dictionaries(st.text(min_size=1, max_size=20), values, max_size=5))
def test_a_scenario_survives_its_dictionary(task, environment, configuration):
    scenario = Scenario.of(task, environment, configuration)

    assert Scenario.from_dict(scenario.to_dict()) == scenario
    assert hash(Scenario.from_dict(scenario.to_dict())) == hash(scenario)


def test_equal_scenarios_have_equal_keys_whatever_the_order():
    one = Scenario.of('pick', 'lab', {'x': 0.1, 'mug': 'red'})
    other = Scenario.of('pick', 'lab', {'mug': 'red', 'x': 0.1})

    assert one == other
    assert scenario_key(one) == scenario_key(other)


@pytest.mark.parametrize('data', [
    {}, {'task': 'a'}, {'task': '../x', 'environment': 'lab'},
    {'task': 'a', 'environment': 'b', 'configuration': {'x': []}},
    {'task': 'a', 'environment': 'b', 'configuration': 3}, [], None])
def test_what_is_no_scenario_is_refused(data):
    with pytest.raises(ActiveCollectionError):
        Scenario.from_dict(data)


def test_places_leave_out_what_is_excluded_or_not_listed():
    assert space().places == (('pick', 'kitchen'), ('open', 'kitchen'))


def test_reachability_is_the_environments_own():
    assert space().can_reach('arm_1', 'lab')
    assert not space().can_reach('arm_2', 'lab')
    assert space().can_reach('arm_2', 'kitchen')


@pytest.mark.parametrize(('scenario', 'words'), [
    (Scenario.of('pik', 'kitchen', {}), ["'pik'", "did you mean 'pick'"]),
    (Scenario.of('pick', 'ktchen', {}), ['environment', "did you mean 'kitchen'"]),
    (Scenario.of('pick', 'kitchen', {'mug': 'red'}),
     ['configuration.x', 'nothing', '-0.1 to 0.1 m']),
    (Scenario.of('pick', 'kitchen', {'mug': 'green', 'x': 0.0}), ["'green'", 'red, blue']),
    (Scenario.of('pick', 'kitchen', {'mug': 'red', 'x': 0.2}), ['0.2', '-0.1 to 0.1 m']),
    (Scenario.of('pick', 'kitchen', {'mug': 'red', 'x': 0.0, 'y': 1.0}), ["'y'"]),
    (Scenario.of('pick', 'kitchen', {'mug': 'blue', 'x': 0.0}), ['broken']),
])
def test_a_scenario_outside_the_space_is_refused_with_what_is_allowed(scenario, words):
    with pytest.raises(ConfigError) as raised:
        space().check(scenario)

    for word in words:
        assert word in str(raised.value)


def test_a_scenario_of_the_space_passes():
    space().check(Scenario.of('pick', 'kitchen', {'mug': 'red', 'x': 0.1}))


@pytest.mark.parametrize(('old', 'new', 'words'), [
    ('low: -0.1, high: 0.1', 'low: 0.2, high: 0.1', ["'low' at most 'high'", 'space.yaml:7']),
    ('low: -0.1, high: 0.1', 'low: 0.2', ['tasks.pick.factors.x']),
    ('values: [red, blue]', 'values: []', ['at least one value']),
    ('environments: [kitchen]', 'environments: [kichen]',
     ['space.yaml:9: tasks.open.environments.0', "'kichen'", "did you mean 'kitchen'"]),
    ('robots: [arm_1]', 'robots: [arm_9]',
     ['space.yaml:12: environments.lab.robots.0', "'arm_9'"]),
    ('task: pick, environment: lab', 'task: pik', ['space.yaml:17: exclusions.0.task', "'pik'"]),
    ('environment: lab, reason', 'environment: lob, reason',
     ['space.yaml:17: exclusions.0.environment', "'lob'"]),
    ('  pick:', '  pi/ck:', ["'pi/ck'"]),
    ('  pick:\n', '  pick:\n    time_limit_s: 1.0e+30\n', ['tasks.pick.time_limit_s', '31536000']),
    ('\nrobots:', '\nrobots:\n  cell_3/arm_1: {}',
     ["'cell_3/arm_1' is not (the robot of that namespace is cell_3.arm_1)"]),
    ('format: 1', 'format: 2', ['format', '2']),
])
def test_a_mistake_in_the_space_is_named(old, new, words):
    with pytest.raises(ConfigError) as raised:
        space(SPACE.replace(old, new, 1))

    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize(('collectors', 'words'), [
    ('collectors: [scripted, proxy, policy]',
     ['space.yaml:5: tasks.pick.collectors.1', "'proxy'", "a 'proxy_task'"]),
    ('collectors: [scripted]\n    proxy_task: open',
     ['space.yaml:6: tasks.pick.proxy_task', "'proxy' among"]),
    ('collectors: [proxy]\n    proxy_task: opne',
     ['space.yaml:6: tasks.pick.proxy_task', "did you mean 'open'"]),
    ('collectors: [proxy, policy]\n    proxy_task: pick',
     ['space.yaml:6: tasks.pick.proxy_task', 'another task']),
    ('collectors: [proxy]\n    proxy_task: open',
     ['space.yaml:6: tasks.pick.proxy_task', "lists 'policy'"]),
    ('collectors: [policy, policy]', ['space.yaml:5: tasks.pick.collectors.1', 'once']),
])
def test_a_proxy_that_cannot_collect_is_refused_at_its_line(collectors, words):
    with pytest.raises(ConfigError) as raised:
        space(SPACE.replace('  pick:\n', f'  pick:\n    {collectors}\n', 1))

    for word in words:
        assert word in str(raised.value)


def test_a_proxy_task_with_a_policy_of_its_own_may_collect():
    text = SPACE.replace('  pick:\n', '  pick:\n    collectors: [proxy, policy]\n'
                         '    proxy_task: open\n', 1).replace(
        '  open:\n', '  open:\n    collectors: [scripted, policy]\n', 1)

    assert space(text).tasks['pick'].proxy_task == 'open'
