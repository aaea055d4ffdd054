# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the agent: one field, one ROS parameter."""
from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from active_collection.config import Model
from active_collection.config import PlacedError
from active_collection.setting import Changes
from active_collection.setting import setting
from active_collection.setting import written
from active_collection.task import Collector

#: A ROS name, relative or not, without a trailing slash.
ROS_NAME = r'^[/~]?/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*$'


class AgentSettings(Model):
    """What a robot's agent is told at its start."""

    scheduler: str = setting('/scheduler', pattern=ROS_NAME,
                             description="the scheduler node's full name")
    recorder: str = setting('recorder', pattern=ROS_NAME,
                            description="the recorder node's name, relative to the robot")
    set_up_action: str = setting(
        'set_up_scenario', pattern=ROS_NAME,
        description='action (SetUpScenario) that sets scenarios up')
    collect_action: str = setting(
        'collect_episode', pattern=ROS_NAME,
        description='action (CollectEpisode) that acts episodes out')
    policy_action: str = setting(
        '', pattern=f'{ROS_NAME}|^$',
        description='action (CollectEpisode) that acts out autonomous runs; empty: collect_action')
    collectors: tuple[Collector, ...] = setting(
        ('scripted', 'policy'), min_length=1, changes=Changes.AT_ONCE,
        description='who can act here')
    capabilities: tuple[str, ...] = setting(
        (), changes=Changes.AT_ONCE,
        description='what the robot can do beside what the scenario space says')
    environment: str = setting(
        '', changes=Changes.AT_ONCE, description='where the robot is; empty: not known')
    operator_name: str = setting(
        '', changes=Changes.AT_ONCE, description='who demonstrates here; may be empty')
    confirm: Literal['never', 'teleoperation', 'always'] = setting(
        'never', changes=Changes.AT_ONCE,
        description='which attempts begin only once somebody calls agent/ready')
    ready_s: float = setting(
        600.0, gt=0, unit='s', changes=Changes.AT_ONCE,
        description='how long to wait for that before the scenario is handed back')
    judgement_s: float = setting(
        60.0, ge=0, unit='s', changes=Changes.AT_ONCE,
        description='how long to wait for agent/success or agent/failure after a teleoperated '
                    'attempt that the robot did not judge; then it waits for a label')
    on_high_uncertainty: Literal['ignore', 'ask_for_help', 'hand_over'] = setting(
        'ignore', changes=Changes.NEXT_EPISODE,
        description='when the policy that acts does not know what to do: go on; stop, end the '
                    'episode and wait for a person; or stop and let a person go on with it')
    help_s: float = setting(
        600.0, gt=0, unit='s', changes=Changes.AT_ONCE,
        description='how long to wait for a person who helps (calls agent/ready)')
    heartbeat_s: float = setting(1.0, gt=0, unit='s', changes=Changes.AT_ONCE,
                                 description='time between heartbeats')
    answer_s: float = setting(
        5.0, gt=0, unit='s', changes=Changes.AT_ONCE,
        description='how long an answer may take before it counts as lost')
    retry_s: float = setting(2.0, gt=0, unit='s',
                             description='pause before anything that failed is tried again')
    set_up_s: float = setting(300.0, gt=0, unit='s', changes=Changes.AT_ONCE,
                              description='longest that a set-up may take')
    grace_s: float = setting(
        10.0, ge=0, unit='s', changes=Changes.NEXT_EPISODE,
        description='how long an attempt may outlive its time limit before it is cancelled')
    recorder_silence_s: float = setting(
        5.0, gt=0, unit='s', changes=Changes.AT_ONCE,
        description='a recorder that was silent for this long is lost and the episode aborted')
    allow_missing_topics: bool = setting(
        False, changes=Changes.AT_ONCE,
        description='record although required topics are missing, and mark it')

    @model_validator(mode='after')
    def _somebody_can_take_over(self) -> AgentSettings:
        if self.on_high_uncertainty == 'hand_over' and 'teleoperation' not in self.collectors:
            raise PlacedError(
                ('collectors',), found=written(self.collectors),
                expected='teleoperation among them, for on_high_uncertainty: hand_over')
        return self
