# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from active_collection.errors import SimulationError
from active_collection.scenario import Scenario
from active_collection.simulation.camera import Camera
from active_collection.simulation.libraries import Libraries
from active_collection.simulation.libraries import choose_gl
from active_collection.simulation.robot import SimulatedRobot


@pytest.fixture
def drawing(robot, random_scenario):
    robot.set_up(random_scenario('door_open'))
    if robot.frame() is None:
        pytest.skip(robot.camera_problem)
    return robot


def test_frame_shows_the_scene(drawing, random_scenario):
    drawing.set_up(random_scenario('drawer_open'))
    picture, focal_length = drawing.frame()
    assert picture.shape == (128, 128, 3)
    assert picture.dtype == np.uint8
    assert focal_length == pytest.approx(64 / np.tan(np.radians(22.5)))
    red, green, blue = np.moveaxis(picture.astype(int), 2, 0)
    arm = (red > 2 * green) & (red > 2 * blue) & (red > 60)
    drawer = (green > red + 30) & (green > blue + 30)
    assert arm.mean() > 0.03, 'no red arm in the picture'
    assert drawer.mean() > 0.02, 'no green drawer in the picture'


def test_frame_follows_the_arm_and_the_change_of_task(drawing, random_scenario):
    """What was drawn before must be freed without taking along what is drawn next."""
    for task in ('reach', 'window_open', 'reach'):
        drawing.set_up(random_scenario(task))
        before, _ = drawing.frame()
        for _ in range(30):
            drawing.step(np.array([0.0, 1.0, 0.0, 0.0]))
        after, _ = drawing.frame()
        assert before.std() > 20
        changed = np.abs(before.astype(int) - after.astype(int)).max(axis=2) > 20
        assert 0.01 < changed.mean() < 0.5, task


def test_drawing_does_not_change_the_physics(drawing, random_scenario):
    def joints(*, draw):
        drawing.set_up(random_scenario('push'))
        for _ in range(20):
            drawing.step(drawing.expert_action())
            if draw:
                drawing.frame()
        return drawing.observe().joint_positions

    assert np.array_equal(joints(draw=True), joints(draw=False))


def test_picture_of_nothing_is_refused_and_spoils_nothing(drawing, random_scenario):
    with pytest.raises(SimulationError):
        drawing.set_up(Scenario.of('door_open', 'tabletop', {}))
    with pytest.raises(SimulationError, match='no scenario'):
        drawing.frame()
    drawing.set_up(random_scenario('door_open'))
    assert drawing.frame() is not None


def test_robot_without_a_camera_has_no_frame(robot, random_scenario):
    blind = SimulatedRobot(camera_size=0)
    blind.set_up(random_scenario('reach'))
    assert blind.frame() is None


def test_camera_without_a_library_says_what_to_install():
    _, problem = choose_gl({}, find=lambda _: None)
    with pytest.raises(SimulationError, match='libosmesa6'):
        Camera(Libraries(None, None, {}, {}, problem), size=64)
