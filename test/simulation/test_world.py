# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from active_collection.errors import ConfigError
from active_collection.errors import SimulationError
from active_collection.scenario import Scenario
from active_collection.simulation.rollout import roll_out
from active_collection.simulation.tasks import TASKS

EVERY_TASK = pytest.mark.parametrize('task', TASKS)


def corner(robot, task, bound):
    return Scenario.of(task, 'tabletop', {
        name: getattr(factor, bound) for name, factor in robot.world(task).factors.items()})


@EVERY_TASK
def test_reset_places_objects_and_goal_where_the_scenario_says(robot, random_scenario, task):
    for scenario in (random_scenario(task), corner(robot, task, 'low'),
                     corner(robot, task, 'high')):
        robot.set_up(scenario)
        assert robot.world(task).placement() == pytest.approx(scenario.values, abs=1e-3)


@EVERY_TASK
def test_what_the_robot_senses_moves_with_the_configuration(robot, task):
    """The observed object or goal moves as far as the factor does, for every factor."""
    world = robot.world(task)
    low = corner(robot, task, 'low')
    for name, factor in world.factors.items():
        robot.set_up(low)
        before = robot.observe()
        robot.set_up(Scenario.of(task, 'tabletop', {**low.values, name: factor.high}))
        after = robot.observe()
        axis = 'xyz'.index(name[-1])
        moved = (after.goal - before.goal)[axis] if name.startswith('goal') else (
            after.objects - before.objects)[0, axis]
        assert moved == pytest.approx(factor.high - factor.low, abs=2e-3), name


@EVERY_TASK
def test_observation_has_unit_quaternions_and_nothing_for_the_absent_object(
        robot, random_scenario, task):
    robot.set_up(random_scenario(task))
    seen = robot.observe()
    assert np.linalg.norm(seen.hand_orientation) == pytest.approx(1.0, abs=1e-6)
    assert np.linalg.norm(seen.objects[0, 3:]) == pytest.approx(1.0, abs=1e-6)
    assert not seen.objects[1].any()
    assert 0.0 <= seen.gripper_opening <= 0.1
    assert seen.joint_positions.shape == seen.joint_velocities.shape == (9,)


@EVERY_TASK
def test_no_task_is_done_before_it_begins(robot, random_scenario, task):
    robot.set_up(random_scenario(task))
    assert not robot.step(np.zeros(4))


def test_expert_succeeds_on_nearly_every_random_configuration(robot, random_scenario):
    rolled = {
        (task, seed): roll_out(robot_at(robot, random_scenario(task, seed)),
                               lambda _: robot.expert_action(), max_steps=200, hold_steps=5)
        for task in TASKS for seed in range(2)}
    failed = [key for key, result in rolled.items() if not result.success]
    assert len(failed) <= 2, failed


def robot_at(robot, scenario):
    robot.set_up(scenario)
    return robot


@pytest.mark.parametrize('task', ['pick_place', 'drawer_close', 'peg_insert_side'])
def test_same_configuration_and_actions_give_the_same_states_whatever_came_before(
        robot, random_scenario, task):
    scenario = random_scenario(task)
    actions = np.random.default_rng(1).uniform(-1, 1, size=(30, 4))

    def states():
        robot.set_up(scenario)
        seen = [robot.observe()]
        for action in actions:
            robot.step(action)
            seen.append(robot.observe())
        return np.array([np.concatenate([s.hand_position, s.objects.ravel(), s.joint_positions,
                                         s.joint_velocities, [s.gripper_opening]]) for s in seen])

    first = states()
    robot.set_up(random_scenario(task, 7))
    for _ in range(20):
        robot.step(robot.expert_action())
    assert np.array_equal(first, states())


def test_configuration_out_of_range_is_refused_and_named(robot, random_scenario):
    scenario = random_scenario('push')
    wrong = Scenario.of('push', 'tabletop', {**scenario.values, 'goal_y': 1.2})
    with pytest.raises(SimulationError, match=r'push: configuration\.goal_y.*0\.825 to 0\.9 m'):
        robot.set_up(wrong)
    assert not robot.is_set_up


@pytest.mark.parametrize(('values', 'named'), [
    ({}, 'object_x'),
    ({'object_x': 0.0, 'colour': 1.0}, 'colour'),
    ({'object_x': 'left'}, 'object_x'),
    ({'object_x': float('nan')}, 'object_x'),
])
def test_incomplete_or_strange_configuration_is_refused_and_named(robot, values, named):
    with pytest.raises((SimulationError, ConfigError), match=named):
        robot.set_up(Scenario.of('drawer_open', 'tabletop', values))


def test_unknown_task_is_refused_with_the_nearest_name(robot):
    with pytest.raises(ConfigError, match="did you mean 'pick_place'"):
        robot.set_up(Scenario.of('pick_palce', 'tabletop', {}))


@pytest.mark.parametrize('action', [np.zeros(3), np.full(4, np.nan)])
def test_strange_action_is_refused(robot, random_scenario, action):
    robot.set_up(random_scenario('reach'))
    with pytest.raises(SimulationError, match='4 finite numbers'):
        robot.step(action)


def test_success_must_be_held(robot, random_scenario):
    """An expert that reaches the goal and then leaves it has not done the task."""
    robot.set_up(random_scenario('reach'))
    steps = 0

    def touch_and_go(_):
        nonlocal steps
        steps += 1
        return robot.expert_action()

    once = roll_out(robot, touch_and_go, max_steps=200, hold_steps=1)
    robot.set_up(random_scenario('reach'))
    held = roll_out(robot, lambda _: robot.expert_action(), max_steps=200, hold_steps=5)
    assert (once.success, held.success) == (True, True)
    assert held.steps == once.steps + 4 == steps + 4
