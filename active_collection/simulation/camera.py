# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""An off-screen camera that looks over the table."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_collection.errors import SimulationError
from active_collection.simulation.libraries import INSTALL
from active_collection.simulation.libraries import Libraries
from active_collection.simulation.world import World

#: Frame of the picture: optical, x right, y down, z into the scene.
FRAME = 'camera'

#: Where it looks (m, in the robot's frame), from how far (m), turned about z and tilted (degrees).
LOOKS_AT = (0.0, 0.68, 0.13)
DISTANCE = 1.05
AZIMUTH = 150.0
ELEVATION = -35.0

#: Shapes in a picture at most; a task has about 40.
MOST_SHAPES = 1000


class _Broken:
    """What ended OpenGL in this process: in a second try MuJoCo would wait for ever."""

    error: SimulationError | None = None


class Camera:
    """
    Draws one world at a time, off screen.

    Only one camera may be open in a process, and only in one thread: OpenGL frees what belongs to
    the context that is current, whoever asks. Looking at another world takes 0.1 s, a frame 10 ms
    on one core.

    :param size: width and height (pixels)
    :raises SimulationError: where nothing can be drawn here
    """

    def __init__(self, libraries: Libraries, *, size: int) -> None:
        if libraries.camera_problem:
            raise SimulationError('camera', found=libraries.camera_problem, expected='OSMesa or '
                                  'EGL')
        if _Broken.error is not None:
            raise _Broken.error
        self._mujoco = mujoco = libraries.mujoco
        self._size = size
        self._world: World | None = None
        try:
            self._context: Any = libraries.context(size, size)
            self._context.make_current()
        except Exception as error:
            # A broken driver shows in as many ways as there are drivers.
            raise _unusable(error) from error
        self._options = mujoco.MjvOption()
        self._rectangle = mujoco.MjrRect(0, 0, size, size)
        self._view = mujoco.MjvCamera()
        self._view.lookat[:] = LOOKS_AT
        self._view.distance = DISTANCE
        self._view.azimuth = AZIMUTH
        self._view.elevation = ELEVATION

    def look_at(self, world: World) -> None:
        """
        Draw this world from here on.

        :raises SimulationError: where it cannot be drawn
        """
        if world is self._world:
            return
        self._forget_world()
        mujoco, visual = self._mujoco, world.model.vis
        # Without shadows, reflections and smoothing a frame takes 10 ms instead of 125.
        visual.quality.offsamples = 0
        visual.quality.shadowsize = 0
        visual.global_.offwidth = visual.global_.offheight = self._size
        try:
            self._drawing: Any = mujoco.MjrContext(
                world.model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        except Exception as error:
            _Broken.error = _unusable(error)
            raise _Broken.error from error
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._drawing)
        self._scene: Any = mujoco.MjvScene(world.model, maxgeom=MOST_SHAPES)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        self._world = world

    def frame(self) -> NDArray[np.uint8]:
        """
        Return the world as it is: RGB, shape (size, size, 3).

        :raises SimulationError: where no world was given to look at
        """
        world = self._seen
        mujoco = self._mujoco
        mujoco.mjv_updateScene(world.model, world.data, self._options, None, self._view,
                               mujoco.mjtCatBit.mjCAT_ALL.value, self._scene)
        picture = np.empty((self._size, self._size, 3), dtype=np.uint8)
        mujoco.mjr_render(self._rectangle, self._scene, self._drawing)
        mujoco.mjr_readPixels(picture, None, self._rectangle, self._drawing)
        return picture[::-1]

    @property
    def focal_length(self) -> float:
        """Return the focal length (pixels), the same in both directions."""
        half = math.radians(float(self._seen.model.vis.global_.fovy)) / 2
        return self._size / 2 / math.tan(half)

    def close(self) -> None:
        """Free everything; `frame` and `look_at` fail afterwards."""
        self._forget_world()
        self._context.free()

    @property
    def _seen(self) -> World:
        if self._world is None:
            raise SimulationError('camera', found='no world', expected='one to look at')
        return self._world

    def _forget_world(self) -> None:
        if self._world is not None:
            self._drawing.free()
            self._world = None


def _unusable(error: Exception) -> SimulationError:
    return SimulationError('camera', found=f'{type(error).__name__}: {error}',
                           expected=f'off-screen OpenGL; install {INSTALL}')
