# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of the scheduler: one field, one ROS parameter."""
from __future__ import annotations

import json
import re
from typing import Literal

from pydantic import ValidationError
from pydantic import field_validator

from active_collection.config import Model
from active_collection.files import expanded
from active_collection.setting import Changes
from active_collection.setting import setting


class SchedulerSettings(Model):
    """What the scheduler is told at its start; kept in the ledger with every start."""

    space: str = setting(
        '',
        description='scenario space: path of a YAML file')
    ledger: str = setting(
        '~/active_collection/scheduler.sqlite3', validate_default=True,
        description='ledger: path of an SQLite file, made where it is missing, '
                    'or postgresql://user@host/database')
    seed: int = setting(
        0, ge=0,
        description='same seed, same history: same answers')
    rule: str = setting(
        'value', changes=Changes.AT_ONCE,
        description='acquisition rule')
    configuration: Literal['rule', 'failure', 'doubt', 'even', 'random'] = setting(
        'rule', changes=Changes.AT_ONCE,
        description='object configurations that are chosen: as the rule has it, where the policy '
                    'fails, where the ensemble is in doubt, evenly, or at random')
    policy_share: float = setting(
        0.25, changes=Changes.AT_ONCE, ge=0, le=1,
        description='share of the assignments that the policy itself acts out, where the task '
                    "lists 'policy' and there is an ensemble")
    parity_share: float = setting(
        0.75, changes=Changes.AT_ONCE, ge=0, le=1,
        description='the same share for a task at which the policy is as good as its '
                    'demonstrators')
    parity_margin: float = setting(
        0.1, changes=Changes.AT_ONCE, ge=0, le=1,
        description='how far below their success still counts as being as good')
    confidence: float = setting(
        0.9, changes=Changes.AT_ONCE, gt=0.5, lt=1,
        description='how likely parity or a stopping criterion must be to be believed')
    cost_weight: float = setting(
        1.0, changes=Changes.AT_ONCE, ge=0, le=1,
        description='power of the cost (episode, travel, reset) that divides a score; '
                    '0: cost ignored')
    reset_cost: float = setting(
        0.0, changes=Changes.AT_ONCE, ge=0,
        description='cost of a reset, in the unit of tasks')
    travel_cost: float = setting(
        0.0, changes=Changes.AT_ONCE, ge=0,
        description='cost of one second of travel, in the unit of tasks')
    lease_s: float = setting(
        30.0, unit='s', changes=Changes.AT_ONCE, gt=0,
        description='a lease without a heartbeat for this long is revoked')
    longest_lease_s: float = setting(
        3600.0, unit='s', changes=Changes.AT_ONCE, gt=0,
        description='no lease lives longer than this, heartbeats or not')
    attempts: int = setting(
        3, changes=Changes.AT_ONCE, ge=1,
        description='how often in all a scenario that is handed back is assigned')
    retry_after_s: float = setting(
        2.0, unit='s', changes=Changes.AT_ONCE, gt=0,
        description='when a robot that was refused asks again')
    clock_skew_warn_s: float = setting(
        1.0, unit='s', changes=Changes.AT_ONCE, ge=0,
        description="a robot whose clock differs from the scheduler's by more than this is named "
                    'in the state and on /diagnostics; 0: none is')
    budget_episodes: int = setting(
        0, changes=Changes.AT_ONCE, ge=0,
        description='stop after this many episodes that count; 0: no limit')
    budget_hours: float = setting(
        0.0, unit='h', changes=Changes.AT_ONCE, ge=0,
        description='stop after so much time of episodes; 0: no limit')
    budget_cost: float = setting(
        0.0, changes=Changes.AT_ONCE, ge=0,
        description='stop when episodes have cost this, in the unit of tasks; 0: no limit')
    target_success: float = setting(
        0.0, changes=Changes.AT_ONCE, ge=0, lt=1,
        description='a task stops when its success is believed to be at least this; 0: never')
    minimum_gain: float = setting(
        0.0, changes=Changes.AT_ONCE, ge=0, le=1,
        description='a task stops when it is believed that the next retraining raises its success '
                    'by less than this; 0: never')

    @field_validator('space', 'ledger')
    @classmethod
    def _expand_home(cls, path: str) -> str:
        return path if not path or '://' in path else str(expanded(path))

    def told(self) -> str:
        """Return the settings as JSON for others to read: without a password."""
        hidden = re.sub(r'(://[^/@:]*):[^/@]*@', r'\1@', self.ledger)
        return self.model_copy(update={'ledger': hidden}).model_dump_json()

    @classmethod
    def recalled(cls, told: str) -> SchedulerSettings:
        """
        Return settings that `told` wrote, perhaps of an earlier release.

        What that one allowed and this one does not has its default.

        :raises ValidationError: where they are none
        """
        try:
            return cls.model_validate_json(told)
        except ValidationError as error:
            data = json.loads(told) if error.errors()[0]['type'] != 'json_invalid' else None
            if not isinstance(data, dict):
                raise
            odd = {each['loc'][0] for each in error.errors() if each['loc']}
            return cls.model_validate({k: v for k, v in data.items() if k not in odd})
