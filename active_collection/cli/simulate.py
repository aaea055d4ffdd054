# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Compare acquisition rules on paper before a fleet spends a week on one.

Runs the scheduler itself against learning curves: from a YAML file (--curves), fitted to a ledger
(--ledger), or made up, anew for each seed. Prints a table of the success reached for what the
episodes cost, with 95 % confidence over the seeds, and how much more that is than the first
rule's, seed by seed.
"""
from __future__ import annotations

import argparse
from statistics import fmean
from typing import TYPE_CHECKING

from active_collection.cli.options import path

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from collections.abc import Sequence

    from active_collection.scenario import ScenarioSpace
    from active_collection.scheduling.fleet_simulation import Run
    from active_collection.scheduling.learning_curves import LearningCurves
    from active_collection.scheduling.settings import SchedulerSettings

NAME = 'simulate'
HELP = 'compare acquisition rules against learning curves, without robots'
RULES = 'uniform,round_robin,ensemble,failure_thompson,slope,hybrid'
#: Episodes of a run where no budget is given, as far as all cost the same.
EPISODES = 400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('space', type=path, help='scenario space')
    parser.add_argument('--rules', default=RULES,
                        help='rules, comma-separated (default: %(default)s)')
    parser.add_argument('--budget', type=float, help='what the episodes of a run may cost, in the '
                        'unit of tasks (default: 400 times what one costs on average)')
    parser.add_argument('--parameters', type=path, help="the scheduler's own parameters, as for "
                        'the node: a YAML file (its rule and seed do not count here)')
    parser.add_argument('--robots', type=int, help='1 to 1000 (default: those that the scenario '
                        'space names, of which the first ones are taken; 4 where it names none)')
    parser.add_argument('--retrain', type=int, default=50,
                        help='episodes between two retrainings (default: 50)')
    parser.add_argument('--seeds', type=int, default=5, help='runs a rule (default: 5)')
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--curves', type=path, help='learning curves: a YAML file')
    source.add_argument('--ledger', help="fit them to this ledger's episodes")
    parser.add_argument('--plot', type=path, help='write a plot with confidence bands: HTML')


def run(arguments: argparse.Namespace) -> int:
    """Run every rule with every seed and print what each achieved."""
    from active_collection.cli.progress import progress
    from active_collection.config import load
    from active_collection.scenario import ScenarioSpace
    from active_collection.scheduling.acquisition import RULES as KNOWN
    from active_collection.scheduling.fleet_simulation import FleetSimulation
    from active_collection.scheduling.fleet_simulation import fleet_of

    _check(arguments)
    settings = _settings(arguments)
    rules = list(dict.fromkeys(arguments.rules.split(',')))
    for rule in rules:
        KNOWN.get(rule)
    space = load(arguments.space, ScenarioSpace)
    robots = fleet_of(space, arguments.robots, where='--robots')
    curves_of = _curves(arguments, space)
    budget = arguments.budget or EPISODES * fmean(task.cost for task in space.tasks.values())
    runs: dict[str, list[Run]] = {rule: [] for rule in rules}
    with progress('simulate') as update:
        for place, rule in enumerate(rules):
            for seed in range(arguments.seeds):
                simulation = FleetSimulation(space, curves_of(seed), robots=robots,
                                             retrain=arguments.retrain, seed=seed)
                runs[rule].append(simulation.run(
                    settings.model_copy(update={'rule': rule, 'seed': seed}), budget))
                update(place * arguments.seeds + seed + 1, len(rules) * arguments.seeds, rule)
    _print(runs, budget)
    if arguments.plot:
        from active_collection.cli.simulation_plot import page
        from active_collection.files import write_whole

        write_whole(arguments.plot, page(runs))
        print(arguments.plot)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    from active_collection.errors import ConfigError

    for name, low, high in (('budget', 1e-9, 1e9), ('robots', 1, 1000), ('retrain', 1, 10**6),
                            ('seeds', 1, 1000)):
        value = getattr(arguments, name)
        if value is not None and not low <= value <= high:
            raise ConfigError(f'--{name}', found=value, expected=f'{low:g} to {high:g}')
    if arguments.plot and not arguments.plot.absolute().parent.is_dir():
        raise ConfigError('--plot', found=str(arguments.plot),
                          expected='a file in a directory that is there')


def _settings(arguments: argparse.Namespace) -> SchedulerSettings:
    from active_collection.config import load_parameters
    from active_collection.scheduling.settings import SchedulerSettings

    if arguments.parameters is None:
        return SchedulerSettings()
    return load_parameters(arguments.parameters, SchedulerSettings)


def _curves(arguments: argparse.Namespace,
            space: ScenarioSpace) -> Callable[[int], LearningCurves]:
    """Return what gives the curves of each seed."""
    from active_collection.config import load
    from active_collection.errors import SchedulingError
    from active_collection.scheduling.history import remember
    from active_collection.scheduling.learning_curves import LearningCurves
    from active_collection.scheduling.learning_curves import fitted
    from active_collection.scheduling.learning_curves import made_up
    from active_collection.scheduling.ledger import LedgerReader

    if arguments.curves:
        given = load(arguments.curves, LearningCurves)
    elif arguments.ledger:
        with LedgerReader(arguments.ledger) as reader:
            name, books = reader.name, remember(reader)
        if books is None:
            raise SchedulingError(name, found='no event', expected="a fleet's ledger")
        given = fitted(books)
    else:
        return lambda seed: made_up(space, seed)
    return lambda _: given


def _print(runs: Mapping[str, Sequence[Run]], budget: float) -> None:
    from bisect import bisect_right

    from rich import box
    from rich.console import Console
    from rich.table import Table

    from active_collection.scheduling.comparison import band
    from active_collection.scheduling.comparison import mean_gain
    from active_collection.scheduling.comparison import mean_success

    first, *others = runs
    table = Table(title='mean success over the tasks, 95 % confidence over the seeds',
                  box=box.SIMPLE)
    table.add_column('rule', no_wrap=True)
    for cost in (budget / 2, budget):
        table.add_column(f'at {cost:g}', justify='right')
    table.add_column('over the run', justify='right')
    table.caption = 'at: what the episodes have cost'
    if others:
        table.add_column('gain', justify='right')
        table.caption += f'; gain: over the run, over {first}, seed by seed'
    for rule, mine in runs.items():
        success = band(mine)
        cells = [success.at(bisect_right(success.cost, budget / 2) - 1), success.at(-1)]
        gained = [mean_gain(mine, runs[first]).at(0)] if rule in others else []
        table.add_row(rule, *cells, mean_success(mine).at(0), *gained)
    console = Console()
    console.print(table)
    for rule, mine in runs.items():
        ended = [run for run in mine if run.ended]
        if ended:
            console.print(
                f'{rule}: {len(ended)} of {len(mine)} runs ended early, the first after '
                f'{ended[0].episodes} episodes: {ended[0].ended}',
                markup=False, highlight=False, soft_wrap=True)
