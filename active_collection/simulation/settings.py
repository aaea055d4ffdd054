# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Settings of a simulated robot."""
from __future__ import annotations

from pydantic import Field

from active_collection.config import Model


class SimulatedRobotSettings(Model):
    """How fast a simulated robot acts, what it shows, and when it gives up."""

    rate_hz: float = Field(
        default=50.0, ge=0, le=1000,
        description='control steps a second (Hz); 0: as fast as it can')
    idle_rate_hz: float = Field(
        default=2.0, ge=0, le=100,
        description='sensor messages a second between episodes (Hz); 0: none')
    camera: bool = Field(default=True, description='publish the camera')
    camera_every: int = Field(
        default=5, ge=1, description='control steps from one picture to the next')
    camera_size: int = Field(
        default=128, ge=16, le=1024, description='width and height of a picture (pixels)')
    max_steps: int = Field(
        default=300, ge=1, description='control steps after which an episode has failed')
    hold_steps: int = Field(
        default=5, ge=1, description='control steps in a row that must be a success')
    policy_timeout_s: float = Field(
        default=2.0, gt=0,
        description='how long to wait for the policy to answer an observation (s)')
    chunk_steps: int = Field(
        default=1, ge=1,
        description="actions of the policy's chunk that are done before it is asked again")
