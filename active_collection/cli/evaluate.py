# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Let the mean policy of an ensemble act in simulation, on object configurations kept for this.

The configurations depend only on the seed and the task: every ensemble meets the same ones, and no
scheduler draws them. Nothing is rendered.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from active_collection.cli.options import path
from active_collection.files import make_directory

NAME = 'evaluate'
HELP = "act out an ensemble's mean policy in simulation, on held-out configurations"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--ensemble', required=True, type=path, metavar='DIR',
                        help='an ensemble, or a directory of ensembles: the newest')
    parser.add_argument('--space', required=True, type=path, metavar='YAML',
                        help='scenario space that the configurations are drawn from')
    parser.add_argument('--out', required=True, type=path, metavar='FILE',
                        help='JSON file for the result')
    parser.add_argument('--tasks', nargs='+', default=[], metavar='TASK',
                        help='tasks of the space (default: all)')
    parser.add_argument('--episodes', default=5, type=int,
                        help='configurations of each task (default: %(default)s)')
    parser.add_argument('--seed', default=0, type=int,
                        help='of the configurations (default: %(default)s)')
    parser.add_argument('--round', default=0, type=int,
                        help='collection round, for the report (default: %(default)s)')
    parser.add_argument('--max-steps', default=200, type=int,
                        help='control steps after which an episode has failed '
                             '(default: %(default)s)')
    parser.add_argument('--hold-steps', default=5, type=int,
                        help='control steps in a row that must be a success '
                             '(default: %(default)s)')
    parser.add_argument('--processes', default=min(2, os.cpu_count() or 1), type=int,
                        help='episodes at a time (default: 2, one on a single core)')


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, write the result and print it as a table."""
    from active_collection import config
    from active_collection.cli.options import positive
    from active_collection.cli.progress import progress
    from active_collection.files import write_whole
    from active_collection.pipeline.evaluation import Attempt
    from active_collection.pipeline.evaluation import Job
    from active_collection.pipeline.evaluation import attempts
    from active_collection.pipeline.evaluation import summary
    from active_collection.scenario import ScenarioSpace
    from active_collection.simulation.held_out import held_out_scenarios
    from active_collection.uncertainty.ensemble_files import load_newest

    for name in ('episodes', 'max_steps', 'hold_steps', 'processes'):
        positive(getattr(arguments, name), f'--{name.replace("_", "-")}')
    positive(arguments.seed, '--seed', zero=True)
    positive(arguments.round, '--round', zero=True)
    space = config.load(arguments.space, ScenarioSpace)
    scenarios = [
        scenario for task in dict.fromkeys(arguments.tasks or space.tasks)
        for scenario in held_out_scenarios(
            space, task, episodes=arguments.episodes, seed=arguments.seed)]
    ensemble = load_newest(arguments.ensemble)
    make_directory(arguments.out.parent)
    job = Job(arguments.ensemble, arguments.max_steps, arguments.hold_steps)
    done: list[Attempt] = []
    with progress('evaluating the policy') as update:
        for attempt in attempts(job, scenarios, arguments.processes):
            done.append(attempt)
            succeeded = sum(a.success for a in done)
            update(len(done), len(scenarios), f'{succeeded} of {len(done)} successful')
    tasks = summary(done)
    result = {
        'ensemble_id': ensemble.description.ensemble_id,
        'round': arguments.round,
        'seed': arguments.seed,
        'tasks': {task: tasks[task] for task in dict.fromkeys(s.task for s in scenarios)}}
    write_whole(arguments.out, json.dumps(result, indent=1) + '\n')
    _print(result)
    return 0


def _print(result: dict[str, Any]) -> None:
    width = max(len('task'), *map(len, result['tasks']))
    print(f'{"task":<{width}}  success  epistemic')
    for task, row in result['tasks'].items():
        print(f'{task:<{width}}  {row["success"]:>3}/{row["episodes"]:<3}  {row["epistemic"]:.4f}')
    success = sum(row['success'] for row in result['tasks'].values())
    episodes = sum(row['episodes'] for row in result['tasks'].values())
    print(f'{"all":<{width}}  {success:>3}/{episodes:<3}  ensemble {result["ensemble_id"]}')
    sys.stdout.flush()
