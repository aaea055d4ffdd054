# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Scenarios, and the catalogue of all that may be collected: the scenario space."""
from __future__ import annotations

import difflib
import json
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from typing import Literal

from pydantic import Field
from pydantic import ValidationInfo
from pydantic import field_validator
from pydantic import model_validator

from active_collection.config import Location
from active_collection.config import Model
from active_collection.config import PlacedError
from active_collection.errors import ConfigError
from active_collection.names import check_name
from active_collection.names import is_safe_name
from active_collection.names import robot_of
from active_collection.registry import unknown
from active_collection.task import Task
from active_collection.task import Value


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    What is collected: (task, environment, object configuration). Hashable; equal by value.

    :param task: task name
    :param environment: environment name
    :param configuration: (factor name, value) sorted by name; a value is a label (discrete factor)
        or a number in the factor's unit (continuous factor). `Scenario.of` sorts a mapping.
    """

    task: str
    environment: str
    configuration: tuple[tuple[str, Value], ...] = ()

    @classmethod
    def of(cls, task: str, environment: str, configuration: Mapping[str, Value]) -> Scenario:
        """Return the scenario with this object configuration."""
        return cls(task, environment, tuple(sorted(configuration.items())))

    @property
    def values(self) -> dict[str, Value]:
        """Return the object configuration as factor name to value."""
        return dict(self.configuration)

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` takes: plain JSON types."""
        return {'task': self.task, 'environment': self.environment, 'configuration': self.values}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, where: str = 'scenario') -> Scenario:
        """
        Return the scenario that `to_dict` described.

        :param where: what holds the data, for messages
        :raises ConfigError: where a key is missing or a value of a wrong type
        """
        try:
            task, environment = data['task'], data['environment']
            configuration = data.get('configuration', {})
            values: dict[str, Value] = {
                str(k): v if isinstance(v, str) else float(v) for k, v in configuration.items()}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ConfigError(where, found=repr(data),
                              expected='task, environment, configuration') from error
        check_name(task, f'{where}: task')
        check_name(environment, f'{where}: environment')
        return cls.of(task, environment, values)

    def __str__(self) -> str:
        values = ', '.join(
            f'{k}={v:.3g}' if isinstance(v, float) else f'{k}={v}' for k, v in self.configuration)
        return f'{self.task} @ {self.environment}' + (f' ({values})' if values else '')


class Environment(Model):
    """Where tasks are done."""

    description: str = ''
    capacity: int = Field(default=1, ge=1)
    robots: tuple[str, ...] | None = None
    travel_s: float = Field(default=0.0, ge=0)


class Robot(Model):
    """What a robot can do."""

    description: str = ''
    capabilities: tuple[str, ...] = ()
    environment: str = ''


class Exclusion(Model):
    """Scenarios that are never collected: all that match every key given."""

    task: str | None = None
    environment: str | None = None
    configuration: dict[str, str] = {}
    reason: str = ''

    def covers(self, scenario: Scenario) -> bool:
        """Tell whether a scenario is excluded."""
        return (self.task in {None, scenario.task}
                and self.environment in {None, scenario.environment}
                and all(scenario.values.get(k) == v for k, v in self.configuration.items()))


class ScenarioSpace(Model):
    """
    The catalogue of all scenarios, from one YAML file (`active_collection.config.load`).

    It is never enumerated: it says of a scenario whether it is in the space, and hands out the
    factors from which scenarios are drawn.
    """

    format: Literal[1]
    frame: str = 'base_link'
    tasks: dict[str, Task] = Field(min_length=1)
    environments: dict[str, Environment] = Field(min_length=1)
    robots: dict[str, Robot] = {}
    exclusions: tuple[Exclusion, ...] = ()

    @field_validator('tasks', 'environments', 'robots')
    @classmethod
    def _names_are_safe(cls, named: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        for name in named:
            if not is_safe_name(name):
                nested = (f' (the robot of that namespace is {robot_of(name)})'
                          if info.field_name == 'robots' and is_safe_name(robot_of(name)) else '')
                raise ValueError(
                    f'names of 1 to 64 of A-Z a-z 0-9 _ . -; {name!r} is not{nested}')
        return named

    @model_validator(mode='after')
    def _references_exist(self) -> ScenarioSpace:
        for name, task in self.tasks.items():
            for k, environment in enumerate(task.environments or ()):
                _check_known(environment, self.environments,
                             ('tasks', name, 'environments', k))
            if task.proxy_task:
                self._check_proxy(name, task)
        for name, environment_ in self.environments.items():
            for k, robot in enumerate(environment_.robots or ()):
                if self.robots:
                    _check_known(robot, self.robots, ('environments', name, 'robots', k))
        for k, exclusion in enumerate(self.exclusions):
            if exclusion.task is not None:
                _check_known(exclusion.task, self.tasks, ('exclusions', k, 'task'))
            if exclusion.environment is not None:
                _check_known(exclusion.environment, self.environments,
                             ('exclusions', k, 'environment'))
        return self

    def _check_proxy(self, name: str, task: Task) -> None:
        """Refuse a proxy task that is unknown, the task itself, or has no policy of its own."""
        location = ('tasks', name, 'proxy_task')
        _check_known(task.proxy_task, self.tasks, location)
        if task.proxy_task == name:
            raise PlacedError(location, found=name, expected='another task than itself')
        if 'policy' not in self.tasks[task.proxy_task].collectors:
            raise PlacedError(location, found=task.proxy_task,
                              expected="a task that lists 'policy' among its collectors")

    @cached_property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Return every (task, environment) that no exclusion rules out whole, in file order."""
        whole = [e for e in self.exclusions if not e.configuration]
        return tuple(
            (task, environment)
            for task, entry in self.tasks.items()
            for environment in self.environments
            if (entry.environments is None or environment in entry.environments)
            and not any(e.covers(Scenario(task, environment)) for e in whole))

    def can_reach(self, robot: str, environment: str) -> bool:
        """Tell whether a robot may work in an environment."""
        allowed = self.environments[environment].robots
        return allowed is None or robot in allowed

    def check(self, scenario: Scenario, *, where: str = 'scenario') -> None:
        """
        Refuse a scenario that is not in the space.

        :raises ConfigError: naming the task, environment or factor and what is allowed
        """
        if scenario.task not in self.tasks:
            raise unknown(f'{where}: task', scenario.task, list(self.tasks))
        if scenario.environment not in self.environments:
            raise unknown(f'{where}: environment', scenario.environment, list(self.environments))
        factors = self.tasks[scenario.task].factors
        values = scenario.values
        for name, factor in factors.items():
            if name not in values:
                raise ConfigError(
                    f'{where}: configuration.{name}', found='nothing', expected=factor)
            if not factor.allows(values[name]):
                raise ConfigError(
                    f'{where}: configuration.{name}', found=repr(values[name]), expected=factor)
        for name in values:
            if name not in factors:
                raise unknown(f'{where}: configuration', name, list(factors))
        for constraint in self.tasks[scenario.task].conditions:
            if not constraint.holds(values):
                raise ConfigError(f'{where}: configuration', found=str(scenario),
                                  expected=constraint)
        for exclusion in self.exclusions:
            if exclusion.covers(scenario):
                raise ConfigError(where, found=str(scenario), expected='a scenario that is not '
                                  f'excluded ({exclusion.reason or "no reason given"})')


def _check_known(name: str, known: Collection[str], location: Location) -> None:
    """Refuse a name that is not among the known ones, at its place in the file."""
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f' (did you mean {near[0]!r}?)' if near else ''
        raise PlacedError(location, found=name, expected=f'one of {", ".join(known)}{hint}')


def scenario_key(scenario: Scenario) -> str:
    """Return a scenario as canonical JSON: equal scenarios, equal text."""
    return json.dumps(scenario.to_dict(), sort_keys=True, separators=(',', ':'))
