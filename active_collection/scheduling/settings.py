# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the scheduler: one field, one ROS parameter."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic import field_validator

from active_collection.config import Model


class SchedulerSettings(Model):
    """What the scheduler is told at its start; kept in the ledger with every start."""

    space: str = Field(default='', description='scenario space: path of a YAML file')
    ledger: str = Field(default='~/active_collection/scheduler.sqlite3', validate_default=True,
                        description='ledger: path of an SQLite file, made where it is missing, '
                                    'or postgresql://user@host/database')
    seed: int = Field(default=0, ge=0, description='same seed, same history: same answers')
    rule: str = Field(default='hybrid', description='acquisition rule')
    configuration: Literal['rule', 'coverage', 'random'] = Field(
        default='rule',
        description="how object configurations are chosen; 'rule': as the rule has it")
    policy_share: float = Field(
        default=0.25, ge=0, le=1,
        description='share of the assignments that the policy itself acts out, where the task '
                    "lists 'policy' and there is an ensemble")
    parity_share: float = Field(
        default=0.75, ge=0, le=1,
        description='the same share for a task at which the policy is as good as its '
                    'demonstrators')
    parity_quantile: float = Field(
        default=0.1, gt=0, lt=1,
        description="quantile of the policy's success that has to reach the demonstrators' mean")
    parity_margin: float = Field(default=0.1, ge=0, le=1,
                                 description='how far below that mean still counts as reaching it')
    epsilon: float = Field(
        default=0.1, ge=0, le=1,
        description='hybrid: share of the decisions that are made at random')
    transition_episodes: float = Field(
        default=10.0, gt=0,
        description='hybrid: trials of the policy on a task after which failure weighs as much '
                    'as uncertainty')
    slope_weight: float = Field(
        default=0.5, ge=0, le=1,
        description='hybrid: part of the late score that is the gain in success, not failure')
    task_share: float = Field(
        default=0.5, gt=0, le=1,
        description='hybrid: no task gets more than this share of the recent assignments')
    share_window: int = Field(default=40, ge=1,
                              description='hybrid: how many recent assignments that share is of')
    discount: float = Field(
        default=0.5, ge=0, le=1,
        description='what an outcome still weighs after each retraining; 1: never forgotten')
    cost_weight: float = Field(
        default=1.0, ge=0, le=1,
        description='power of the cost (episode, travel, reset) that divides a score; '
                    '0: cost ignored')
    reset_cost: float = Field(default=0.0, ge=0,
                              description='cost of a reset, in the unit of tasks')
    travel_cost: float = Field(default=0.0, ge=0,
                               description='cost of one second of travel, in the unit of tasks')
    candidates: int = Field(
        default=2048, ge=16, le=65536,
        description='object configurations of a task among which coverage chooses')
    lease_s: float = Field(default=30.0, gt=0,
                           description='a lease without a heartbeat for this long is revoked (s)')
    longest_lease_s: float = Field(
        default=3600.0, gt=0, description='no lease lives longer than this, heartbeats or not (s)')
    attempts: int = Field(
        default=3, ge=1,
        description='how often in all a scenario that is handed back is assigned')
    retry_after_s: float = Field(default=2.0, gt=0,
                                 description='when a robot that was refused asks again (s)')
    largest_step_s: float = Field(
        default=10.0, gt=0,
        description='time that seems to pass at once: more is a jump of the clock, or the '
                    'scheduler was suspended, and no lease ends of it (s)')
    batch_window_s: float = Field(
        default=0.005, ge=0, le=1,
        description='wait this long for other robots that ask at the same time (s)')
    batch_robots: int = Field(default=64, ge=1, le=1000,
                              description='robots that are answered together at most')
    snapshot_events: int = Field(default=1000, ge=1,
                                 description='events between two snapshots in the ledger')
    budget_episodes: int = Field(
        default=0, ge=0, description='stop after this many episodes that count; 0: no limit')

    budget_hours: float = Field(
        default=0.0, ge=0, description='stop after these many hours of episodes; 0: no limit')
    budget_cost: float = Field(
        default=0.0, ge=0,
        description='stop when episodes have cost this, in the unit of tasks; 0: no limit')
    target_success: float = Field(
        default=0.0, ge=0, lt=1,
        description='a task stops when its success is believed to be at least this; 0: never')
    target_quantile: float = Field(
        default=0.05, gt=0, lt=1, description='how likely that belief may be wrong')
    gain_rounds: int = Field(
        default=0, ge=0,
        description='a task stops when this many retrainings in a row gained too little; 0: never')
    minimum_gain: float = Field(default=0.02, ge=0, le=1,
                                description='least rise of success that a retraining must give')
    gain_trials: int = Field(
        default=10, ge=1, description='policy episodes between two retrainings that make a rate')
    whole_gain_rounds: int = Field(
        default=0, ge=0,
        description='the whole stops when the mean success of the tasks gained too little in this '
                    'many retrainings in a row; 0: never')
    whole_minimum_gain: float = Field(
        default=0.01, ge=0, le=1,
        description='least rise of the mean success that a retraining must give')

    @field_validator('space', 'ledger')
    @classmethod
    def _expand_home(cls, path: str) -> str:
        return path if not path or '://' in path else str(Path(path).expanduser())

    def told(self) -> str:
        """Return the settings as JSON for others to read: without a password."""
        hidden = re.sub(r'(://[^/@:]*):[^/@]*@', r'\1@', self.ledger)
        return self.model_copy(update={'ledger': hidden}).model_dump_json()
