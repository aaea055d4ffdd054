# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Configurations under constraints: all within them, spread over them, the same each time."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.config import parse
from active_collection.errors import ConfigError
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.beliefs.factor_space import FactorSpace
from active_collection.scheduling.beliefs.task_field import TaskField

TEXT = """
format: 1
tasks:
  pick:
    factors:
      x: {low: 0.0, high: 1.0}
      y: {low: -1.0, high: 1.0}
      z: {low: 2.0, high: 2.0}
      mug: {values: [red, blue, green]}
    constraints: [%s]
environments: {lab: {}}
"""
HALF = 'x + y <= 0.5'
RING = '0.9 <= hypot(x, y) <= 1; mug != "red" or y > 0'
THIN = 'abs(x - y) < 0.0002; mug == "blue" or x > 0.5'


def space_with(constraints):
    return parse(TEXT % ', '.join(f"'{c}'" for c in constraints.split('; ')), ScenarioSpace,
                 where='space.yaml')


def factors_with(constraints):
    task = space_with(constraints).tasks['pick']
    return FactorSpace(task.factors, task.conditions)


@pytest.mark.parametrize('constraints', [HALF, RING, THIN])
def test_every_configuration_fulfils_the_constraints(fleet, constraints):
    space = space_with(constraints)
    one = fleet(space, configuration='even')

    scenarios = [one.collect().scenario for _ in range(40)]

    for scenario in scenarios:
        space.check(scenario)
    assert len(set(scenarios)) == 40


@pytest.mark.parametrize('constraints', [HALF, RING, THIN])
def test_random_configurations_fulfil_them_too(constraints):
    space = space_with(constraints)
    field = TaskField(space, 'pick', seed=0, attempts=3, age=lambda number: 0)
    random = np.random.default_rng(0)

    drawn = {Scenario.of('pick', 'lab', field.random('lab', random)) for _ in range(50)}

    for scenario in drawn:
        space.check(scenario)
    assert len(drawn) > 25


@pytest.mark.parametrize('constraints', [RING, THIN])
def test_the_candidates_reach_every_corner_of_a_narrow_space(constraints):
    factors = factors_with(constraints)

    points = factors.sequence(0, 2048)

    assert len(points) == 2048
    x = points[:, factors.names.index('x')]
    assert np.diff(np.sort(np.concatenate([[0.0], x, [1.0]]))).max() < 0.15


@given(counts=st.lists(st.integers(1, 3000), min_size=1, max_size=4))
@settings(max_examples=8, deadline=None)
def test_what_was_found_never_changes(counts):
    grown, anew = factors_with(THIN), factors_with(THIN)
    for count in counts:
        grown.sequence(0, count)

    last = max(counts)
    assert np.array_equal(grown.sequence(0, last), anew.sequence(0, last))


def test_constraints_that_leave_nothing_are_refused_at_the_start(fleet):
    with pytest.raises(ConfigError, match=r'tasks\.pick\.constraints.*x \+ y <= 0\.5'):
        fleet(space_with(f'{HALF}; x - y > 2'))


def test_few_labels_are_enough(fleet):
    text = """
format: 1
tasks:
  sort:
    factors: {a: {values: [r, g, b]}, b: {values: [r, g, b]}}
    constraints: ['a == "r" and b == "g" or a == "g" and b == "r"']
environments: {lab: {}}
"""
    one = fleet(parse(text, ScenarioSpace, where='space.yaml'), configuration='even')

    values = {tuple(sorted(one.collect().scenario.values.items())) for _ in range(6)}

    assert values == {(('a', 'r'), ('b', 'g')), (('a', 'g'), ('b', 'r'))}
