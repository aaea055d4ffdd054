# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the agent: one field, one ROS parameter."""
from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic import model_validator

from active_collection.config import Model
from active_collection.task import Collector

#: A ROS name, relative or not, without a trailing slash.
ROS_NAME = r'^[/~]?/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*$'


class AgentSettings(Model):
    """What a robot's agent is told at its start."""

    scheduler: str = Field(default='/scheduler', pattern=ROS_NAME,
                           description="the scheduler node's full name")
    recorder: str = Field(default='recorder', pattern=ROS_NAME,
                          description="the recorder node's name, relative to the robot")
    set_up_action: str = Field(
        default='set_up_scenario', pattern=ROS_NAME,
        description='action (SetUpScenario) that sets scenarios up')
    collect_action: str = Field(
        default='collect_episode', pattern=ROS_NAME,
        description='action (CollectEpisode) that acts episodes out')
    policy_action: str = Field(
        default='', pattern=f'{ROS_NAME}|^$',
        description='action (CollectEpisode) that acts out autonomous runs; empty: collect_action')
    collectors: tuple[Collector, ...] = Field(
        default=('scripted', 'policy'), min_length=1,
        description="who can act here: 'teleoperation', 'scripted', 'policy'")
    capabilities: tuple[str, ...] = Field(
        default=(), description='what the robot can do beside what the scenario space says')
    environment: str = Field(default='', description='where the robot is; empty: not known')
    operator_name: str = Field(default='', description='who demonstrates here; may be empty')
    confirm: Literal['never', 'teleoperation', 'always'] = Field(
        default='never',
        description='which attempts begin only once somebody calls agent/ready')
    ready_s: float = Field(
        default=600.0, gt=0,
        description='how long to wait for that before the scenario is handed back (s)')
    judgement_s: float = Field(
        default=60.0, ge=0,
        description='how long to wait for agent/success or agent/failure after a teleoperated '
                    'attempt that the robot did not judge (s); then it waits for a label')
    on_high_uncertainty: Literal['ignore', 'ask_for_help', 'hand_over'] = Field(
        default='ignore',
        description='when the policy that acts does not know what to do: go on; stop, end the '
                    'episode and wait for a person; or stop and let a person go on with it')
    help_s: float = Field(
        default=600.0, gt=0,
        description='how long to wait for a person who helps (calls agent/ready) (s)')
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

    @model_validator(mode='after')
    def _somebody_can_take_over(self) -> AgentSettings:
        if self.on_high_uncertainty == 'hand_over' and 'teleoperation' not in self.collectors:
            raise ValueError("'teleoperation' among the collectors, for on_high_uncertainty: "
                             'hand_over')
        return self
