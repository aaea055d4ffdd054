# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Foretell what a fleet will have to do, before it does it.

Runs the scheduler itself, with its own parameters, against assumed learning curves: from a YAML
file (--curves), fitted to a ledger (--ledger), or the same for every task. Prints what each task
takes of robots and operators, which get too little or are stopped, and what ends it all. It does
not say which rule is better: the curves know nothing of object configurations.
"""
from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from active_collection.cli.options import path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from active_collection.scenario import ScenarioSpace
    from active_collection.scheduling.settings import SchedulerSettings
    from active_collection.scheduling.simulation.fleet_simulation import Load

NAME = 'simulate'
S_PER_H = 3600.0
HELP = 'foretell the load of robots and operators, without robots'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('space', type=path, help='scenario space')
    parser.add_argument('--hours', type=float, default=8.0,
                        help='how long the fleet works, without a pause (default: 8)')
    parser.add_argument('--parameters', type=path, help="the scheduler's own parameters, as for "
                        'the node: a YAML file')
    parser.add_argument('--rule', help='acquisition rule (default: that of the parameters)')
    parser.add_argument('--robots', type=int, help='1 to 1000 (default: those that the scenario '
                        'space names, of which the first ones are taken; 4 where it names none)')
    parser.add_argument('--retrain', type=int, default=50,
                        help='episodes between two retrainings (default: 50)')
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--curves', type=path, help='learning curves: a YAML file')
    source.add_argument('--ledger', help="fit them to this ledger's episodes")


def run(arguments: argparse.Namespace) -> int:
    """Let the fleet work on paper and print what it took."""
    from active_collection.cli.progress import progress
    from active_collection.config import load
    from active_collection.scenario import ScenarioSpace
    from active_collection.scheduling.simulation.fleet_simulation import FleetSimulation
    from active_collection.scheduling.simulation.fleet_simulation import fleet_of
    from active_collection.scheduling.simulation.learning_curves import assumed

    _check(arguments)
    settings = _settings(arguments)
    space = load(arguments.space, ScenarioSpace)
    simulation = FleetSimulation(
        space, assumed(space, file=arguments.curves, ledger=arguments.ledger),
        robots=fleet_of(space, arguments.robots, where='--robots'), retrain=arguments.retrain)
    with progress('simulate') as update:
        load_of_fleet = simulation.run(settings, arguments.hours, update)
    _print(load_of_fleet, space)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    from active_collection.errors import ConfigError

    for name, low, high in (('hours', 1e-3, 1e5), ('robots', 1, 1000), ('retrain', 1, 10**6)):
        value = getattr(arguments, name)
        if value is not None and not low <= value <= high:
            raise ConfigError(f'--{name}', found=value, expected=f'{low:g} to {high:g}')


def _settings(arguments: argparse.Namespace) -> SchedulerSettings:
    from active_collection.config import load_parameters
    from active_collection.scheduling.choosing.acquisition import RULES
    from active_collection.scheduling.settings import SchedulerSettings

    settings = (SchedulerSettings() if arguments.parameters is None else
                load_parameters(arguments.parameters, SchedulerSettings))
    if arguments.rule is None:
        return settings
    RULES.get(arguments.rule)
    return settings.model_copy(update={'rule': arguments.rule})


def _print(load: Load, space: ScenarioSpace) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE, pad_edge=False, collapse_padding=True)
    table.add_column('task', no_wrap=True)
    for name in ('episodes', 'demonstrations', 'robot h', 'operator h', 'success'):
        table.add_column(name, justify='right')
    for name, task in load.tasks.items():
        table.add_row(name, f'{task.episodes}', f'{task.demonstrations}',
                      f'{task.robot_s / S_PER_H:.1f}', f'{task.operator_s / S_PER_H:.1f}',
                      f'{task.success:.2f}')
    table.caption = 'success: of the policy by the assumed curve, after the last retraining'
    console = Console()
    console.print(table)
    for line in (*_of_fleet(load), *_of_tasks(load, space)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _of_fleet(load: Load) -> Iterator[str]:
    """Give what is to be said of the fleet as a whole."""
    from active_collection.scheduling.fleet.refusal import listed

    tasks, hours, robots = load.tasks.values(), load.lasted_s / S_PER_H, len(load.busy_s)
    episodes, busy_h = sum(t.episodes for t in tasks), sum(load.busy_s.values()) / S_PER_H
    yield (f'{hours:.3g} h: {episodes} episodes, {episodes / max(hours, 1e-9):.0f} an hour, at a '
           f'cost of {sum(t.cost for t in tasks):.6g}; {busy_h:.1f} robot hours, '
           f'{busy_h / max(hours * robots, 1e-9):.0%} of what {robots} robots have; '
           f'{sum(t.operator_s for t in tasks) / S_PER_H:.1f} operator hours')
    idle = [robot for robot, busy_s in load.busy_s.items() if not busy_s]
    if idle:
        yield f'without work: {listed(idle)}'
    if load.ended:
        yield f'ended early: {load.ended}'


def _of_tasks(load: Load, space: ScenarioSpace) -> Iterator[str]:
    """Give which tasks were stopped, and which got too little."""
    for name, task in load.tasks.items():
        minimum = space.tasks[name].minimum_episodes
        if task.stopped:
            yield f'{name} stopped: {task.stopped}'
        elif task.episodes < minimum:
            yield f'{name} starved: {task.episodes} episodes of a minimum of {minimum}'
        elif not task.episodes:
            yield f'{name} starved: never collected'
