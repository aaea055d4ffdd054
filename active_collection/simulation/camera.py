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


class Camera:
    """
    Draws one world. Only one camera may be open in a process, and only in one thread.

    Drawing needs about 80 MB and a third of a second to set up, and 10 ms a frame on one core.

    :param size: width and height (pixels)
    :raises SimulationError: where nothing can be drawn here
    """

    def __init__(self, world: World, libraries: Libraries, *, size: int) -> None:
        if libraries.camera_problem:
            raise SimulationError('camera', found=libraries.camera_problem, expected='OSMesa or '
                                  'EGL')
        mujoco = libraries.mujoco
        self._world = world
        visual = world.model.vis
        # Without shadows, reflections and smoothing a frame takes 10 ms instead of 125.
        visual.quality.offsamples = 0
        visual.quality.shadowsize = 0
        visual.global_.offwidth = visual.global_.offheight = size
        try:
            self._renderer: Any = mujoco.Renderer(world.model, size, size)
        except Exception as error:
            # A broken driver shows in as many ways as there are drivers.
            raise SimulationError('camera', found=f'{type(error).__name__}: {error}',
                                  expected=f'off-screen OpenGL; install {INSTALL}') from error
        flags = self._renderer.scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
        flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = False
        self._view = mujoco.MjvCamera()
        self._view.lookat[:] = LOOKS_AT
        self._view.distance = DISTANCE
        self._view.azimuth = AZIMUTH
        self._view.elevation = ELEVATION

    def frame(self) -> NDArray[np.uint8]:
        """Return the world as it is: RGB, shape (size, size, 3)."""
        self._renderer.update_scene(self._world.data, camera=self._view)
        picture: NDArray[np.uint8] = self._renderer.render()
        return picture

    @property
    def focal_length(self) -> float:
        """Return the focal length (pixels), the same in both directions."""
        half = math.radians(float(self._world.model.vis.global_.fovy)) / 2
        return float(self._renderer.height) / 2 / math.tan(half)

    def close(self) -> None:
        """Free its memory; `frame` fails afterwards."""
        self._renderer.close()
