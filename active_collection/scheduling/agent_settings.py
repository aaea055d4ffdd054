# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the agent: one field, one ROS parameter."""
from __future__ import annotations

from pydantic import Field

from active_collection.config import Model
from active_collection.scenario import Collector


class AgentSettings(Model):
    """What a robot's agent is told at its start."""

    scheduler: str = Field(default='/scheduler', description="the scheduler node's full name")
    recorder: str = Field(default='recorder',
                          description="the recorder node's name, relative to the robot")
    collectors: tuple[Collector, ...] = Field(
        default=('scripted', 'policy'), min_length=1,
        description="who can act here: 'teleoperation', 'scripted', 'policy'")
    capabilities: tuple[str, ...] = Field(
        default=(), description='what the robot can do beside what the scenario space says')
    environment: str = Field(default='', description='where the robot is; empty: not known')
    operator_name: str = Field(default='', description='who demonstrates here; may be empty')
    heartbeat_s: float = Field(default=1.0, gt=0, description='time between heartbeats (s)')
    answer_s: float = Field(default=5.0, gt=0,
                            description='how long an answer may take before it counts as lost (s)')
    retry_s: float = Field(default=2.0, gt=0,
                           description='pause before anything that failed is tried again (s)')
    set_up_s: float = Field(default=300.0, gt=0, description='longest that a set-up may take (s)')
    grace_s: float = Field(
        default=10.0, ge=0,
        description='how long an attempt may outlive its time limit before it is cancelled (s)')
    recorder_silence_s: float = Field(
        default=5.0, gt=0,
        description='a recorder that was silent for this long is lost and the episode aborted (s)')
    allow_missing_topics: bool = Field(
        default=False, description='record although required topics are missing, and mark it')
