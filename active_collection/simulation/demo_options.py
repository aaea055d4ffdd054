# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the demo is told: command line, checked, and the scenario space that follows from it."""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from active_collection.config import Model
from active_collection.config import load
from active_collection.config import validate
from active_collection.registry import unknown
from active_collection.scenario import ScenarioSpace


class DemoOptions(Model):
    """How much the demo does. The defaults take under 5 minutes on two cores."""

    data: str = Field(default='demo', description='directory of everything it writes')
    robots: int = Field(default=2, ge=1, le=8, description='simulated robots')
    tasks: str = Field(default='10', description='how many tasks, or their names with commas')
    demonstrations: int = Field(
        default=3, ge=2, le=100, description='demonstrations a task before the first training')
    rounds: int = Field(
        default=2, ge=1, le=20, description='rounds that the scheduler steers after that')
    budget: int = Field(default=20, ge=1, le=1000, description='episodes a round')
    members: int = Field(default=5, ge=2, le=50, description='members of the ensemble')
    evaluations: int = Field(
        default=5, ge=1, le=100, description='held-out configurations a task and round')
    frames: int = Field(default=48, ge=1, le=1000, description='frames to select for annotation')
    rate: float = Field(default=80.0, ge=0, description='control steps a second; 0: no limit')
    seed: int = Field(default=0, ge=0, description='seed of everything that is random')
    camera: bool = Field(default=True, description='render the cameras')
    rule: str = Field(default='value', description='acquisition rule')

    @property
    def robot_names(self) -> list[str]:
        """Return the robots' names, which are their namespaces."""
        return [f'robot_{number}' for number in range(1, self.robots + 1)]


def parse(arguments: list[str] | None) -> DemoOptions:
    """
    Return the options of a command line.

    :raises ConfigError: naming an option that is out of range
    """
    parser = argparse.ArgumentParser(
        prog='demo', description='The whole loop on simulated robots. With make, these options '
        'stand in ARGS: make demo ARGS="--robots 2".')
    for name, field in DemoOptions.model_fields.items():
        if field.annotation is bool:
            parser.add_argument(f'--no-{name}', dest=name, action='store_false',
                                help=f'do not {field.description}')
        else:
            parser.add_argument(
                f'--{name}', help=f'{field.description} (default: {field.default})')
    given = {k: v for k, v in vars(parser.parse_args(arguments)).items() if v is not None}
    return validate(given, DemoOptions, where='demo options')


def scenario_space(catalogue: Path, options: DemoOptions) -> dict[str, Any]:
    """
    Return the scenario space of the demo as plain YAML data: the chosen tasks, robots and quotas.

    :param catalogue: scenario space of all tasks
    :raises ConfigError: where a task is not in the catalogue
    """
    space = load(catalogue, ScenarioSpace)
    if options.tasks.isdigit():
        chosen = list(space.tasks)[:int(options.tasks)]
    else:
        chosen = [name.strip() for name in options.tasks.split(',') if name.strip()]
    for name in chosen:
        if name not in space.tasks:
            raise unknown('demo options: tasks', name, list(space.tasks))
    if not chosen:
        raise unknown('demo options: tasks', options.tasks, ['1 to 10', *space.tasks])
    data = yaml.safe_load(catalogue.read_text())
    data['tasks'] = {
        name: {**data['tasks'][name], 'minimum_episodes': options.demonstrations}
        for name in chosen}
    described: dict[str, Any] = next(iter(data.get('robots', {}).values()), {})
    data['robots'] = dict.fromkeys(options.robot_names, described)
    for environment in data['environments'].values():
        environment['capacity'] = max(options.robots, environment.get('capacity', 1))
        environment.pop('robots', None)
    return dict(data)
