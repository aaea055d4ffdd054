# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Walk through every subcommand as a user would, on small bags made here.

walk.py RESULT writes {"subcommand": "" or why not} as JSON. Runs in an environment to be tried
that has the package. A subcommand that nobody walks through fails.
"""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'test'))
import bag_factory  # type: ignore[import-not-found]

from active_collection.config import parse
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.scenario import ScenarioSpace

S = 10**9
START = bag_factory.START_NS
STEP = S // 20
STEPS = 40
LEASES = 8
SPACE = """
format: 1
tasks:
  pick:
    factors: {x: {low: 0.0, high: 1.0, unit: m}, y: {low: 0.0, high: 0.5, unit: m}}
  push:
    factors: {x: {low: 0.0, high: 1.0, unit: m}}
environments: {table: {capacity: 2}}
"""
OBSERVATION = """
format: 1
reference: joints
tolerance_s: 0.05
observation:
  - {name: arm, field: 'joints.position'}
action: {field: 'action.position', low: [-1, -1], high: [1, 1]}
"""
TRAINING = 'steps: 30\nhidden: [16]\nmembers: 2\n'
COMMAND = [sys.executable, '-m', 'active_collection.cli.main']


class Walk:
    """
    The subcommands walked through so far.

    :param data: a data directory of episodes
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self.results: dict[str, str] = {}

    def step(self, subcommand: str, *arguments: str | Path, status: int = 0) -> str:
        """Run a subcommand; return what it prints."""
        words = [subcommand, *map(str, arguments)]
        result = subprocess.run(
            [*COMMAND, *words], capture_output=True, text=True, cwd=self.data.parent, check=False)
        self.results.setdefault(subcommand, '')
        if result.returncode != status:
            said = (result.stderr.strip() or result.stdout.strip()).splitlines()
            self.results[subcommand] = (
                f'{" ".join(words)}: exit status {result.returncode}: {said[-1] if said else ""}')
            print(self.results[subcommand], result.stderr, sep='\n', flush=True)
        return result.stdout


def collect(data: Path) -> None:
    """Run a scheduler for the leases of two robots and leave what they recorded."""
    from active_collection.scheduling.assignment import Request
    from active_collection.scheduling.fleet.refusal import Refusal
    from active_collection.scheduling.ledger.ledger import Ledger
    from active_collection.scheduling.scheduler import Scheduler
    from active_collection.scheduling.settings import SchedulerSettings

    space = parse(SPACE, ScenarioSpace, where='space')
    ledger = Ledger(data / 'scheduler.sqlite3')
    scheduler = Scheduler(space, SchedulerSettings(), ledger, now_ns=START)
    for number in range(LEASES):
        now = START + number * 4 * S
        robot = f'arm{number % 2}'
        assigned = scheduler.request(Request(robot, collectors=('scripted',)), now)
        if isinstance(assigned, Refusal):
            raise TypeError(f'no lease for {robot}: {assigned}')
        record = EpisodeRecord(
            f'e{number}', assigned.scenario, robot, Source.SCRIPTED, now, now + STEPS * STEP,
            Outcome.SUCCESS, assignment_id=assigned.assignment_id, revision=1)
        bag_factory.write_bag(
            data / 'episodes' / '2023-11-14' / f'e{number}', messages(number, now, robot),
            record=record)
        scheduler.finished(record, now + STEPS * STEP)
    ledger.close()


def messages(number: int, start_ns: int, robot: str) -> list[bag_factory.Entry]:
    """Return what a robot says and sees in an episode."""
    random = np.random.default_rng(number)
    entries = bag_factory.camera(
        4, period_ns=S // 2, first=number * 10, start_ns=start_ns, topic=f'/{robot}/camera')
    for step in range(STEPS):
        now = start_ns + step * STEP
        seen, done = bag_factory.joints(now), bag_factory.joints(now)
        seen.position = random.uniform(-1, 1, 7)
        done.name, done.position = ['x', 'y'], seen.position[:2] * 0.5
        entries += [(f'/{robot}/joints', now, seen), (f'/{robot}/action', now + 1000, done)]
    return sorted(entries, key=lambda entry: entry[1])


def walk(work: Path) -> dict[str, str]:
    """Return each subcommand with an empty text, or why it failed."""
    data = work / 'data'
    (data / 'episodes' / '2023-11-14').mkdir(parents=True)
    for name, text in (('space', SPACE), ('observation', OBSERVATION), ('training', TRAINING)):
        (work / f'{name}.yaml').write_text(text)
    collect(data)
    steps = Walk(data)
    recorded(steps, work)
    learnt(steps, work)
    chosen(steps, work)
    scheduled(steps, work)
    steps.step('report', '--data', data, '--out', work / 'report.html')
    steps.step('doctor', '--data', data, '--limit', '60')
    return steps.results


def recorded(steps: Walk, work: Path) -> None:
    """List, verify and copy episodes; make one whole again."""
    steps.step('episodes', 'list', steps.data)
    steps.step('episodes', 'show', 'e1', '--data', steps.data)
    steps.step('episodes', 'verify', '--data', steps.data)
    steps.step('sync', steps.data, (work / 'store').as_uri())
    (bag,) = (steps.data / 'episodes' / '2023-11-14' / 'e0').glob('*.mcap')
    torn = work / 'torn.mcap'
    torn.write_bytes(bag.read_bytes()[:-4000])
    steps.step('salvage', torn, '--output', work / 'salvaged')


def learnt(steps: Walk, work: Path) -> None:
    """Index, train, score; act the ensemble out where Meta-World is there."""
    pool = steps.data / 'pool'
    steps.step('index', steps.data / 'episodes', '--pool', pool)
    steps.step('train', '--data', steps.data, '--spec', work / 'observation.yaml', '--config',
               work / 'training.yaml', '--out', steps.data / 'ensembles')
    steps.step('score', '--ensemble', steps.data / 'ensembles', '--pool', pool,
               '--out', work / 'scores.parquet')
    if find_spec('metaworld'):
        ensemble = metaworld_ensemble(work / 'metaworld')
        steps.step('evaluate', '--ensemble', ensemble, '--space', configuration('metaworld_mt10'),
                   '--tasks', 'reach', '--episodes', '1', '--max-steps', '5', '--processes', '1',
                   '--out', work / 'evaluation.json')
    else:  # what it does without: one line that says what to install
        steps.step('evaluate', '--ensemble', steps.data / 'ensembles', '--space',
                   configuration('metaworld_mt10'), '--out', work / 'none.json', status=2)


def configuration(name: str) -> Path:
    """Return a configuration file that the package ships."""
    return Path(__file__).resolve().parents[2] / 'config' / f'{name}.yaml'


def metaworld_ensemble(directory: Path) -> Path:
    """Write an ensemble that knows Meta-World's observation, untrained."""
    from active_collection import config
    from active_collection.bags.observation import ObservationSpec
    from active_collection.uncertainty.ensemble import EnsembleDescription
    from active_collection.uncertainty.ensemble_files import save
    from active_collection.uncertainty.mlp import MlpMembers

    sizes = {'hand': 3, 'gripper': 1, 'objects': 14, 'goal': 3, 'task': 10}
    members = MlpMembers(members=2, inputs=sum(sizes.values()), actions=4, hidden=(4,),
                         variance_floor=1e-4)
    description = EnsembleDescription(
        ensemble_id='untrained', created='2026-01-01T00:00:00Z', members=2,
        observation=config.load(configuration('observation_metaworld'), ObservationSpec),
        sizes=sizes, network={'hidden': [4], 'variance_floor': 1e-4})
    return Path(save(directory, description, dict(members.state_dict()),
                     weights='members.safetensors'))


def chosen(steps: Walk, work: Path) -> None:
    """Select, export in every format, label, and decide on stopping."""
    pool, chosen_round = steps.data / 'pool', work / 'chosen'
    steps.step('select', '--pool', pool, '--count', '6', '--gap', '0', '--out', chosen_round)
    for form in ('coco', 'csv', 'cvat', 'parquet', 'label_studio', 'yolo', 'fiftyone'):
        steps.step('export', '--round', chosen_round, '--format', form, '--class', 'mug',
                   '--out', work / 'exports' / form)
    steps.step('export', '--round', chosen_round, '--format', 'mcap')
    steps.step('export', '--round', chosen_round, '--format', 'lerobot', '--observation',
               work / 'observation.yaml')
    steps.step('round', 'start', '--data', steps.data, '--count', '6', '--gap', '0')
    steps.step('round', 'export', '--data', steps.data, '--format', 'csv')
    table = steps.data / 'rounds' / '1' / 'export' / 'items.csv'
    if table.is_file():
        labelled = work / 'labelled.csv'
        labelled.write_text(with_labels(table.read_text()))
        steps.step('round', 'ingest', '--data', steps.data, '--format', 'csv', labelled)
    steps.step('round', 'start', '--data', steps.data, '--count', '4', '--gap', '0',
               '--strategy', 'entropy')
    steps.step('round', 'status', '--data', steps.data)
    steps.step('round', 'stop', '--data', steps.data)


def with_labels(table: str) -> str:
    """Fill in the column `label`, two classes in turn."""
    import csv
    import io

    rows = list(csv.DictReader(io.StringIO(table)))
    for number, row in enumerate(rows):
        row['label'] = ('mug', 'hand')[number % 2]
    written = io.StringIO()
    writer = csv.DictWriter(written, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def scheduled(steps: Walk, work: Path) -> None:
    """Look into the ledger; foretell a load."""
    ledger = steps.data / 'scheduler.sqlite3'
    steps.step('ledger', 'verify', ledger)
    steps.step('ledger', 'labels', ledger)
    for form in ('csv', 'parquet'):
        steps.step('ledger', 'export', ledger, work / f'ledger_{form}', '--format', form)
    table = work / 'ledger_csv' / 'assignments.csv'
    if table.is_file():
        import csv

        with table.open(newline='') as rows:
            assignment = next(csv.DictReader(rows))['assignment_id']
        steps.step('ledger', 'explain', ledger, assignment)
    steps.step('ledger', 'weights', work / 'space.yaml', steps.data)
    steps.step('simulate', work / 'space.yaml', '--hours', '0.1', '--robots', '2',
               '--rule', 'ensemble')


def main() -> int:
    from active_collection.cli.main import subcommands

    with tempfile.TemporaryDirectory() as directory:
        results = walk(Path(directory))
    results |= {module.NAME: 'not walked through' for module in subcommands()
                if module.NAME not in results}
    Path(sys.argv[1]).write_text(json.dumps(results, indent=2))
    return int(any(results.values()))


if __name__ == '__main__':
    sys.exit(main())
