# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Object configurations: all in the space, far from each other, never enumerated."""
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.config import parse
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.coverage import Coverage
from active_collection.scheduling.task_coverage import TaskCoverage

TEXT = """
format: 1
tasks:
  pick:
    factors:
      x: {low: -0.5, high: 0.5}
      y: {low: 2.0, high: 2.0}
      mug: {values: [red, blue, green]}
  pour: {}
environments: {kitchen: {}, lab: {}}
exclusions:
  - {task: pick, environment: kitchen, configuration: {mug: red}}
"""


@pytest.fixture(scope='module')
def space():
    return parse(TEXT, ScenarioSpace, where='space.yaml')


def fill(coverage, count, environment='kitchen', task='pick'):
    """Add the farthest configuration this many times, and return the scenarios."""
    scenarios = []
    for k in range(count):
        values, _ = coverage.farthest(environment)
        scenarios.append(Scenario.of(task, environment, values))
        coverage.collect(f'e{k}', scenarios[-1])
    return scenarios


def test_every_configuration_is_in_the_space(space):
    scenarios = fill(TaskCoverage(space, 'pick', candidates=64), 60)

    for scenario in scenarios:
        space.check(scenario)
    assert len(set(scenarios)) == 60


def test_the_first_lies_in_the_middle_and_the_next_far_from_it(space):
    coverage = TaskCoverage(space, 'pick', candidates=256)
    first, second = fill(coverage, 2, 'lab')

    assert abs(first.values['x']) < 0.01
    assert second.values['mug'] != first.values['mug']
    assert abs(second.values['x']) > 0.4


def test_coverage_lies_wider_than_chance(space):
    def widest(points):
        return min(abs(a - b) for k, a in enumerate(points) for b in points[:k])

    random = np.random.default_rng(0)
    text = 'format: 1\ntasks: {p: {factors: {x: {low: 0, high: 1}}}}\nenvironments: {e: {}}'
    coverage = TaskCoverage(parse(text, ScenarioSpace, where='t'), 'p', candidates=256)
    ours = [s.values['x'] for s in fill(coverage, 9, 'e', 'p')]

    assert widest(ours) > 0.1
    assert widest(ours) > np.median([widest(random.random(9)) for _ in range(99)])


def test_the_same_configuration_elsewhere_counts_for_less(space):
    coverage = TaskCoverage(space, 'pick', candidates=64)
    values, _ = coverage.farthest('lab')
    coverage.collect('a', Scenario.of('pick', 'lab', values))
    _, here = coverage.farthest('lab')
    _, there = coverage.farthest('kitchen')

    assert there > here


def test_a_task_without_factors_has_one_configuration(space):
    coverage = TaskCoverage(space, 'pour', candidates=64)

    assert coverage.farthest('lab') == ({}, np.inf)
    coverage.collect('a', Scenario.of('pour', 'lab', {}))
    assert coverage.farthest('lab') == ({}, 0.0)
    assert coverage.random('lab', np.random.default_rng(0)) == {}


def test_random_configurations_avoid_exclusions(space):
    coverage = TaskCoverage(space, 'pick', candidates=64)
    random = np.random.default_rng(0)

    mugs = {coverage.random('kitchen', random)['mug'] for _ in range(50)}

    assert mugs == {'blue', 'green'}


def test_excluded_everywhere_is_said_to_be_nowhere():
    text = TEXT + '\n  - {task: pick, configuration: {mug: blue}}' + (
        '\n  - {task: pick, configuration: {mug: green}}')
    coverage = TaskCoverage(parse(text, ScenarioSpace, where='t'), 'pick', candidates=64)

    assert coverage.farthest('kitchen') is None
    assert coverage.random('kitchen', np.random.default_rng(0)) is None


def test_a_point_of_another_space_is_left_out(space):
    coverage = TaskCoverage(space, 'pick', candidates=64)
    coverage.collect('old', Scenario.of('pick', 'lab', {'x': 9.0, 'y': 2.0, 'mug': 'red'}))
    coverage.collect('older', Scenario.of('pick', 'lab', {'z': 0.0}))

    assert len(coverage) == 0


@given(st.lists(st.tuples(st.sampled_from('oobcdds'), st.integers(0, 6)), max_size=60),
       st.sampled_from([1, 8]))
@settings(max_examples=80, deadline=None)
def test_whatever_came_and_went_the_rest_is_as_if_read_in_anew(moves, kept):
    space = parse(TEXT, ScenarioSpace, where='space.yaml')
    out, collected = {}, {}
    with mock.patch('active_collection.scheduling.task_coverage.KEPT', kept):
        coverage = play(space, moves, out, collected)

    again = Coverage(space, candidates=32, out=lambda task: out.items(),
                     collected=lambda task: reversed(collected.items()))

    ours, anew = coverage.task('pick'), again.task('pick')
    assert ours.gap(('lab', 'kitchen')) == anew.gap(('lab', 'kitchen'))
    for environment in ('lab', 'kitchen'):
        assert ours.farthest(environment) == anew.farthest(environment)
    for mine, other in zip(ours.features(9), anew.features(9), strict=True):
        assert np.array_equal(mine, other)


def play(space, moves, out, collected):
    """Return the coverage after what went out, came back, was discarded or but supposed."""
    coverage = Coverage(space, candidates=32, out=lambda task: out.items(),
                        collected=lambda task: reversed(collected.items()))
    coverage.task('pick')
    for number, (move, k) in enumerate(moves):
        name = f'a{k}'
        if move == 's':
            suppose(coverage, k)
            continue
        values, _ = coverage.task('pick').farthest('lab')
        scenario = Scenario.of('pick', ('lab', 'kitchen')[k % 2], values)
        if move == 'o' and name not in out:
            out[name] = scenario
            coverage.send_out(name, scenario)
        elif move == 'b' and name in out:
            collected[f'e{number}'] = out.pop(name)
            coverage.come_back(name, f'e{number}', 'pick')
        elif move == 'c':
            collected[f'e{number}'] = scenario
            coverage.collect(f'e{number}', scenario)
        elif move == 'd' and (name in out or collected):
            rows = out if name in out else collected
            gone = name if name in out else list(collected)[k % len(collected)]
            del rows[gone]
            coverage.discard(gone, 'pick')
    return coverage


def suppose(coverage, count):
    """Suppose that some configurations are out, each farthest from those before, and are not."""
    for k in range(count):
        environment = ('lab', 'kitchen')[k % 3 % 2]
        values, _ = coverage.task('pick').farthest(environment)
        coverage.send_out(f's{k}', Scenario.of('pick', environment, values), is_supposed=True)
    coverage.task('pick').gap(('lab', 'kitchen'))
    for k in reversed(range(count)):
        coverage.discard(f's{k}', 'pick')


def test_only_the_last_episodes_are_looked_back_on(space, monkeypatch):
    monkeypatch.setattr('active_collection.scheduling.coverage.MEMORY', 5)
    monkeypatch.setattr('active_collection.scheduling.task_coverage.MEMORY', 5)
    collected = {}
    coverage = Coverage(space, candidates=32, out=lambda task: (),
                        collected=lambda task: reversed(collected.items()))
    for k in range(12):
        values, _ = coverage.task('pick').farthest('lab')
        collected[f'e{k}'] = Scenario.of('pick', 'lab', values)
        coverage.collect(f'e{k}', collected[f'e{k}'])
    assert len(coverage.task('pick')) == 5

    del collected['e9']
    coverage.discard('e9', 'pick')

    again = Coverage(space, candidates=32, out=lambda task: (),
                     collected=lambda task: reversed(collected.items()))
    assert len(coverage.task('pick')) == 5
    assert coverage.task('pick').farthest('lab') == again.task('pick').farthest('lab')


def test_a_task_is_read_in_when_it_is_first_asked_for(space):
    asked = []

    def collected(task):
        asked.append(task)
        return [('e0', Scenario.of('pick', 'lab', {'x': 0.0, 'y': 2.0, 'mug': 'blue'}))]

    coverage = Coverage(space, candidates=64, collected=collected, out=lambda task: ())
    coverage.collect('e1', Scenario.of('pick', 'lab', {'x': 0.1, 'y': 2.0, 'mug': 'blue'}))
    assert asked == []
    assert len(coverage.task('pick')) == 1
    coverage.collect('e2', Scenario.of('pick', 'lab', {'x': 0.2, 'y': 2.0, 'mug': 'blue'}))
    assert len(coverage.task('pick')) == 2
    assert asked == ['pick']
