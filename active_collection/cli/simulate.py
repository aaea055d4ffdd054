# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Compare acquisition rules on paper before a fleet spends a week on one.

Runs the scheduler itself against learning curves: from a YAML file (--curves), fitted to a ledger
(--ledger), or made up. Prints a table of the success reached, with 95 % confidence over the seeds.
"""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from active_collection.scenario import ScenarioSpace
    from active_collection.scheduling.fleet_simulation import LearningCurves
    from active_collection.scheduling.fleet_simulation import Run

NAME = 'simulate'
HELP = 'compare acquisition rules against learning curves, without robots'
RULES = 'uniform,round_robin,ensemble,failure_thompson,slope,hybrid'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('space', type=Path, help='scenario space')
    parser.add_argument('--rules', default=RULES,
                        help='rules, comma-separated (default: %(default)s)')
    parser.add_argument('--episodes', type=int, default=400, help='episodes a run (default: 400)')
    parser.add_argument('--robots', type=int, default=4, help='1 to 1000 (default: 4)')
    parser.add_argument('--retrain', type=int, default=50,
                        help='episodes between two retrainings (default: 50)')
    parser.add_argument('--seeds', type=int, default=5, help='runs a rule (default: 5)')
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--curves', type=Path, help='learning curves: a YAML file')
    source.add_argument('--ledger', help="fit them to this ledger's episodes")
    parser.add_argument('--plot', type=Path, help='write a plot with confidence bands: HTML')


def run(arguments: argparse.Namespace) -> int:
    """Run every rule with every seed and print what each achieved."""
    from active_collection.cli.progress import progress
    from active_collection.config import load
    from active_collection.errors import ConfigError
    from active_collection.scenario import ScenarioSpace
    from active_collection.scheduling.acquisition import RULES as KNOWN
    from active_collection.scheduling.fleet_simulation import FleetSimulation
    from active_collection.scheduling.settings import SchedulerSettings

    for name, low, high in (('episodes', 1, 10**7), ('robots', 1, 1000), ('retrain', 1, 10**6),
                            ('seeds', 1, 1000)):
        value = getattr(arguments, name)
        if not low <= value <= high:
            raise ConfigError(f'--{name}', found=value, expected=f'{low} to {high}')
    rules = arguments.rules.split(',')
    for rule in rules:
        KNOWN.get(rule)
    space = load(arguments.space, ScenarioSpace)
    runs: list[Run] = []
    with progress('simulate') as update:
        for rule in rules:
            for seed in range(arguments.seeds):
                simulation = FleetSimulation(
                    space, _curves(arguments, space, seed), robots=arguments.robots,
                    retrain=arguments.retrain, seed=seed)
                runs.append(simulation.run(
                    SchedulerSettings(rule=rule, seed=seed), arguments.episodes))
                update(len(runs), len(rules) * arguments.seeds, rule)
    _print(runs, rules)
    if arguments.plot:
        _plot(arguments.plot, runs, rules)
        print(arguments.plot)
    return 0


def _curves(arguments: argparse.Namespace, space: ScenarioSpace, seed: int) -> LearningCurves:
    from active_collection.config import load
    from active_collection.errors import SchedulingError
    from active_collection.scheduling.fleet_simulation import LearningCurves
    from active_collection.scheduling.fleet_simulation import fitted
    from active_collection.scheduling.fleet_simulation import made_up
    from active_collection.scheduling.history import remember
    from active_collection.scheduling.ledger import LedgerReader

    if arguments.curves:
        return load(arguments.curves, LearningCurves)
    if not arguments.ledger:
        return made_up(space, seed)
    with LedgerReader(arguments.ledger) as reader:
        name, books = reader.name, remember(reader)
    if books is None:
        raise SchedulingError(name, found='no event', expected="a fleet's ledger")
    return fitted(books)


def _print(runs: list[Run], rules: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    from active_collection.scheduling.fleet_simulation import band

    table = Table(title='mean success over the tasks, 95 % confidence over the seeds')
    table.add_column('rule')
    marks = band([run for run in runs if run.rule == rules[0]])
    shown = sorted({len(marks) // 4, len(marks) // 2, len(marks) - 1})
    for k in shown:
        table.add_column(f'{marks[k][0]} episodes', justify='right')
    table.add_column('mean over the run', justify='right')
    for rule in rules:
        mine = [run for run in runs if run.rule == rule]
        rows = band(mine)
        cells = [f'{rows[k][1]:.3f} ± {rows[k][3] - rows[k][1]:.3f}'
                 for k in shown if k < len(rows)]
        table.add_row(rule, *cells, *[''] * (len(shown) - len(cells)),
                      f'{sum(run.area for run in mine) / len(mine):.3f}')
    Console().print(table)


def _plot(path: Path, runs: list[Run], rules: list[str]) -> None:
    import plotly.graph_objects as go
    from plotly.colors import qualitative

    from active_collection.files import write_whole
    from active_collection.scheduling.fleet_simulation import band

    figure = go.Figure()
    for rule, colour in zip(rules, qualitative.Plotly * len(rules), strict=False):
        rows = band([run for run in runs if run.rule == rule])
        x = [row[0] for row in rows]
        figure.add_scatter(
            x=x + x[::-1], y=[row[3] for row in rows] + [row[2] for row in rows[::-1]],
            fill='toself', fillcolor=colour, opacity=0.15, line_width=0, hoverinfo='skip',
            showlegend=False)
        figure.add_scatter(x=x, y=[row[1] for row in rows], name=rule, line_color=colour)
    figure.update_layout(xaxis_title='episodes', yaxis_title='mean success over the tasks')
    write_whole(path, figure.to_html(include_plotlyjs=True))
