# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A task of the scenario space, with the factors of its object configurations."""
from __future__ import annotations

import difflib
import math
from functools import cached_property
from typing import Literal

from pydantic import Field
from pydantic import model_validator

from active_collection.config import Model
from active_collection.config import PlacedError
from active_collection.constraint import Constraint

Value = str | float
#: Who can act at a robot.
Collector = Literal['teleoperation', 'scripted', 'policy']
#: Who may act out a task: a proxy is the robot's policy, conditioned on another task.
TaskCollector = Literal['teleoperation', 'scripted', 'proxy', 'policy']


class Factor(Model):
    """One dimension of object configurations: `values` (discrete), or `low` and `high`."""

    values: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ''
    description: str = ''

    @model_validator(mode='after')
    def _is_one_kind(self) -> Factor:
        if self.values is not None:
            if self.low is not None or self.high is not None:
                raise ValueError("either 'values' or 'low' and 'high'")
            if not self.values or len(set(self.values)) != len(self.values):
                raise ValueError('at least one value, each once')
        elif self.low is None or self.high is None:
            raise ValueError("'values', or both 'low' and 'high'")
        elif self.low > self.high:
            raise ValueError("'low' at most 'high'")
        return self

    @property
    def is_discrete(self) -> bool:
        """Tell whether it has `values`."""
        return self.values is not None

    def allows(self, value: Value) -> bool:
        """Tell whether a value is one of the factor's, in its unit."""
        if self.values is not None:
            return value in self.values
        return (isinstance(value, (int, float)) and math.isfinite(value)
                and self.low is not None and self.high is not None
                and self.low <= value <= self.high)

    def __str__(self) -> str:
        if self.values is not None:
            return f'one of {", ".join(self.values)}'
        return f'{self.low:g} to {self.high:g} {self.unit}'.rstrip()


class Task(Model):
    """What is to be done, and what it takes."""

    description: str = ''
    skill_group: str = ''
    preconditions: dict[str, str] = {}
    effects: dict[str, str] = {}
    reset: Literal['automatic', 'operator', 'none'] = 'automatic'
    success: str = 'robot'
    cost: float = Field(default=1.0, gt=0)
    time_limit_s: float = Field(default=60.0, gt=0, le=31_536_000)
    importance: float = Field(default=1.0, ge=0)
    minimum_episodes: int = Field(default=0, ge=0)
    maximum_episodes: int | None = Field(default=None, ge=0)
    collectors: tuple[TaskCollector, ...] = Field(default=('scripted',), min_length=1)
    proxy_task: str = ''
    capabilities: tuple[str, ...] = ()
    environments: tuple[str, ...] | None = None
    factors: dict[str, Factor] = {}
    constraints: tuple[str, ...] = ()

    @model_validator(mode='after')
    def _quotas_are_ordered(self) -> Task:
        if self.maximum_episodes is not None and self.maximum_episodes < self.minimum_episodes:
            raise ValueError("'minimum_episodes' at most 'maximum_episodes'")
        return self

    @model_validator(mode='after')
    def _collectors_are_complete(self) -> Task:
        for index, collector in enumerate(self.collectors):
            if collector in self.collectors[:index]:
                raise PlacedError(('collectors', index), found=collector,
                                  expected='each collector once')
            if collector == 'proxy' and not self.proxy_task:
                raise PlacedError(('collectors', index), found=collector,
                                  expected="a 'proxy_task', whose policy is to collect")
        if self.proxy_task and 'proxy' not in self.collectors:
            raise PlacedError(('proxy_task',), found=self.proxy_task,
                              expected="'proxy' among the task's collectors")
        return self

    @model_validator(mode='after')
    def _constraints_fit_the_factors(self) -> Task:
        for index, text in enumerate(self.constraints):
            try:
                self._check_constraint(Constraint(text))
            except ValueError as error:
                raise PlacedError(('constraints', index), found=text,
                                  expected=str(error)) from error
        return self

    def _check_constraint(self, constraint: Constraint) -> None:
        for name in (*sorted(constraint.numbers), *sorted(constraint.labels)):
            if name not in self.factors:
                near = difflib.get_close_matches(name, self.factors, n=1)
                hint = f' (did you mean {near[0]!r}?)' if near else ''
                raise ValueError(f'factors of this task; {name!r} is none{hint}')
            if self.factors[name].is_discrete == (name in constraint.numbers):
                raise ValueError(f'{name!r} as {self.factors[name]}')
        for name, labels in constraint.labels.items():
            for label in sorted(labels):
                if not self.factors[name].allows(label):
                    raise ValueError(f'{name!r} as {self.factors[name]}')

    @cached_property
    def conditions(self) -> tuple[Constraint, ...]:
        """Return the constraints between its factors."""
        return tuple(Constraint(text) for text in self.constraints)
