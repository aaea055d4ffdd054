# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Settings of a simulated robot."""
from __future__ import annotations

from active_collection.config import Model
from active_collection.setting import Changes
from active_collection.setting import setting


class SimulatedRobotSettings(Model):
    """How fast a simulated robot acts, what it shows, and when it gives up."""

    rate_hz: float = setting(
        50.0, ge=0, le=1000, unit='Hz', changes=Changes.NEXT_EPISODE,
        description='control steps a second; 0: as fast as it can')
    idle_rate_hz: float = setting(
        2.0, ge=0, le=100, unit='Hz', changes=Changes.AT_ONCE,
        description='sensor messages a second between episodes; 0: none')
    camera: bool = setting(True, description='publish the camera')
    camera_every: int = setting(
        5, ge=1, unit='steps', changes=Changes.NEXT_EPISODE,
        description='control steps from one picture to the next')
    camera_size: int = setting(
        128, ge=16, le=1024, unit='pixels', description='width and height of a picture')
    max_steps: int = setting(
        300, ge=1, unit='steps', changes=Changes.NEXT_EPISODE,
        description='control steps after which an episode has failed')
    hold_steps: int = setting(
        5, ge=1, unit='steps', changes=Changes.NEXT_EPISODE,
        description='control steps in a row that must be a success')
    policy_timeout_s: float = setting(
        2.0, gt=0, unit='s', changes=Changes.AT_ONCE,
        description='how long to wait for the policy to answer an observation')
    chunk_steps: int = setting(
        1, ge=1, unit='steps', changes=Changes.NEXT_EPISODE,
        description="actions of the policy's chunk that are done before it is asked again")
