# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Import MuJoCo and Meta-World, which are optional, with a way to draw where there is one."""
from __future__ import annotations

import ctypes.util
import importlib
import os
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from active_collection.errors import SimulationError
from active_collection.packages import how_to_install

NO_DRAWING = 'disable'
SHARED_LIBRARIES = {'osmesa': 'OSMesa', 'egl': 'EGL'}
INSTALL = "libosmesa6 (Debian, Ubuntu: 'apt-get install libosmesa6')"
GPU_DEVICES = ('/dev/nvidia0', '/dev/dri/renderD128')


@dataclass(frozen=True)
class Libraries:
    """
    Meta-World and MuJoCo, imported.

    :param mujoco: the module
    :param context: MuJoCo's class of off-screen OpenGL contexts; None where nothing can be drawn
    :param environments: Meta-World name to environment class
    :param experts: Meta-World name to class of the scripted expert
    :param camera_problem: one line that says why nothing can be drawn; empty if it can
    """

    mujoco: Any
    context: Any
    environments: Mapping[str, Any]
    experts: Mapping[str, Any]
    camera_problem: str


def choose_gl(environment: Mapping[str, str], *,
              find: Callable[[str], str | None] = ctypes.util.find_library,
              has_gpu: bool = False) -> tuple[str, str]:
    """
    Choose how MuJoCo draws off screen.

    The user's own MUJOCO_GL wins where its library is there; otherwise EGL with a GPU, OSMesa
    without, EGL in software as a last resort.

    :param environment: the process's environment variables
    :param find: finds a shared library by its name, or says None
    :returns: the value for MUJOCO_GL, and one line that says why nothing can be drawn, or ''
    """
    chosen = environment.get('MUJOCO_GL', '').lower().strip()
    if chosen == NO_DRAWING:
        return NO_DRAWING, "MUJOCO_GL is 'disable'"
    if chosen and chosen not in SHARED_LIBRARIES:
        return chosen, ''
    order = (chosen,) if chosen else ('egl', 'osmesa') if has_gpu else ('osmesa', 'egl')
    for name in order:
        if find(SHARED_LIBRARIES[name]):
            return name, ''
    return NO_DRAWING, f'no library for {" or ".join(order)} rendering; install {INSTALL}'


def load_libraries(*, draw: bool) -> Libraries:
    """
    Import MuJoCo and Meta-World.

    :param draw: whether a camera is wanted
    :raises SimulationError: where they are not installed
    """
    chosen, problem = NO_DRAWING, 'the camera was not asked for'
    if draw:
        gpu = any(Path(device).exists() for device in GPU_DEVICES)
        chosen, problem = choose_gl(os.environ, has_gpu=gpu)
    try:
        # MuJoCo itself takes no way to draw: the one that is chosen counts, whoever imports it.
        with _environment('MUJOCO_GL', NO_DRAWING):
            mujoco = importlib.import_module('mujoco')
        environments = importlib.import_module('metaworld.env_dict').ALL_V3_ENVIRONMENTS
        experts = importlib.import_module('metaworld.policies').ENV_POLICY_MAP
    except (ImportError, OSError) as error:
        raise SimulationError(
            'simulation', found=f'{type(error).__name__}: {error}',
            expected=f'Meta-World and MuJoCo: {how_to_install("simulation")}',
        ) from error
    context = None
    if not problem:
        context, problem = _import_context(chosen)
    # The scripted experts are written to be clipped, and say so at every step.
    warnings.filterwarnings('ignore', message='Constant.s. may be too high')
    return Libraries(mujoco, context, environments, experts, problem)


def _import_context(chosen: str) -> tuple[Any, str]:
    """Import MuJoCo's class of OpenGL contexts of a way to draw, or say why there is none."""
    try:
        return importlib.import_module(f'mujoco.{chosen}').GLContext, ''
    except Exception as error:
        # PyOpenGL raises more than ImportError where a GL library is broken.
        return None, f'MUJOCO_GL={chosen}: {type(error).__name__}: {error}'


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set an environment variable within a block."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before
