"""Object configurations: all in the space, far from each other, never enumerated."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.config import parse
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.coverage import Coverage
from active_collection.scheduling.coverage import TaskCoverage

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
        coverage.add(f'e{k}', scenarios[-1])
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
    coverage.add('a', Scenario.of('pick', 'lab', values))
    _, here = coverage.farthest('lab')
    _, there = coverage.farthest('kitchen')

    assert there > here


def test_a_task_without_factors_has_one_configuration(space):
    coverage = TaskCoverage(space, 'pour', candidates=64)

    assert coverage.farthest('lab') == ({}, np.inf)
    coverage.add('a', Scenario.of('pour', 'lab', {}))
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
    coverage.add('old', Scenario.of('pick', 'lab', {'x': 9.0, 'y': 2.0, 'mug': 'red'}))
    coverage.add('older', Scenario.of('pick', 'lab', {'z': 0.0}))

    assert len(coverage) == 0


@given(st.lists(st.tuples(st.sampled_from('arb'), st.integers(0, 8)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_adding_and_removing_leaves_what_adding_the_rest_gives(moves):
    space = parse(TEXT, ScenarioSpace, where='space.yaml')
    coverage = TaskCoverage(space, 'pick', candidates=32)
    kept = {}
    for move, k in moves:
        if move == 'a':
            values, _ = coverage.farthest('lab')
            scenario = Scenario.of('pick', ('lab', 'kitchen')[k % 2], values)
            kept.setdefault(str(k), scenario)
            coverage.add(str(k), scenario)
        elif move == 'r':
            kept.pop(str(k), None)
            coverage.discard(str(k))
        elif str(k) in kept and f'{k}b' not in kept:
            kept[f'{k}b'] = kept.pop(str(k))
            coverage.rename(str(k), f'{k}b')

    again = TaskCoverage(space, 'pick', candidates=32)
    for name, scenario in kept.items():
        again.add(name, scenario)

    assert len(coverage) == len(again)
    for environment in ('lab', 'kitchen'):
        assert coverage.farthest(environment) == again.farthest(environment)


def test_a_task_is_read_in_when_it_is_first_asked_for(space):
    asked = []

    def source(task):
        asked.append(task)
        return [('e0', Scenario.of('pick', 'lab', {'x': 0.0, 'y': 2.0, 'mug': 'blue'}))]

    coverage = Coverage(space, candidates=64, source=source)
    coverage.add('e1', Scenario.of('pick', 'lab', {'x': 0.1, 'y': 2.0, 'mug': 'blue'}))
    assert asked == []
    assert len(coverage.task('pick')) == 1
    coverage.add('e2', Scenario.of('pick', 'lab', {'x': 0.2, 'y': 2.0, 'mug': 'blue'}))
    assert len(coverage.task('pick')) == 2
    assert asked == ['pick']
