# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How MuJoCo and Meta-World are found, and what is said where they are not."""
from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from active_collection.simulation.libraries import NO_DRAWING
from active_collection.simulation.libraries import choose_gl

INSTALLED = importlib.util.find_spec('metaworld') is not None


@pytest.mark.parametrize(('environment', 'installed', 'has_gpu', 'chosen'), [
    ({}, {'OSMesa', 'EGL'}, False, 'osmesa'),
    ({}, {'OSMesa', 'EGL'}, True, 'egl'),
    ({}, {'EGL'}, False, 'egl'),
    ({}, set(), True, NO_DRAWING),
    ({'MUJOCO_GL': 'EGL'}, {'OSMesa', 'EGL'}, False, 'egl'),
    ({'MUJOCO_GL': 'osmesa'}, {'EGL'}, False, NO_DRAWING),
    ({'MUJOCO_GL': 'glfw'}, set(), False, 'glfw'),
    ({'MUJOCO_GL': 'disable'}, {'OSMesa'}, False, NO_DRAWING),
])
def test_way_to_draw_follows_the_user_the_hardware_and_what_is_installed(
        environment, installed, has_gpu, chosen):
    name, problem = choose_gl(
        environment, find=lambda library: library if library in installed else None,
        has_gpu=has_gpu)
    assert name == chosen
    assert bool(problem) == (chosen == NO_DRAWING)


def in_a_fresh_process(code, **environment):
    """Run code that ends with a value to print; MuJoCo is imported once a process."""
    return subprocess.run(
        [sys.executable, '-c', code], env={**os.environ, **environment}, cwd='/', check=True,
        capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(not INSTALLED, reason='Meta-World is not installed')
def test_broken_opengl_takes_the_camera_and_nothing_else():
    said = in_a_fresh_process(
        'from active_collection.simulation.robot import SimulatedRobot\n'
        'robot = SimulatedRobot(camera_size=32)\n'
        'robot.set_up(robot.middle("reach"))\n'
        'print(robot.frame(), robot.camera_problem)',
        MUJOCO_GL='osmesa', PYOPENGL_PLATFORM='egl')
    assert said.startswith('None ')
    assert 'osmesa' in said.lower() and len(said.splitlines()) == 1


def test_missing_meta_world_is_one_line_that_says_what_to_install():
    said = in_a_fresh_process(
        'import sys; sys.modules["metaworld"] = None\n'
        'from active_collection.errors import SimulationError\n'
        'from active_collection.simulation.robot import SimulatedRobot\n'
        'try:\n    SimulatedRobot()\nexcept SimulationError as error:\n    print(error)')
    assert "pip install 'metaworld" in said
    assert len(said.splitlines()) == 1


@pytest.mark.skipif(not INSTALLED, reason='Meta-World is not installed')
def test_mujoco_that_somebody_else_imported_first_draws_as_it_would(robot):
    robot.set_up(robot.middle('reach'))
    if robot.frame() is None:
        pytest.skip(robot.camera_problem)
    said = in_a_fresh_process(
        'import os; os.environ.pop("MUJOCO_GL", None)\n'
        'import mujoco\n'
        'from active_collection.simulation.robot import SimulatedRobot\n'
        'robot = SimulatedRobot(camera_size=32)\n'
        'robot.set_up(robot.middle("reach"))\n'
        'print(robot.frame()[0].shape, robot.camera_problem)\n'
        'robot.close()')
    assert said == '(32, 32, 3)'


@pytest.mark.skipif(not INSTALLED, reason='Meta-World is not installed')
def test_opengl_that_failed_once_is_not_tried_again():
    """A second try would wait inside MuJoCo for ever."""
    said = in_a_fresh_process(
        'from dataclasses import replace\n'
        'from active_collection.simulation import robot\n'
        'load = robot.load_libraries\n'
        'class NoContext:\n'
        '    def __init__(self, width, height): pass\n'
        '    def make_current(self): pass\n'
        '    def free(self): pass\n'
        'robot.load_libraries = lambda *, draw: replace(\n'
        '    load(draw=draw), context=NoContext, camera_problem="")\n'
        'for _ in range(2):\n'
        '    one = robot.SimulatedRobot(camera_size=32)\n'
        '    one.set_up(one.middle("reach"))\n'
        '    print(one.frame(), one.camera_problem)')
    first, second = said.splitlines()
    assert first == second and first.startswith('None camera: found FatalError')
