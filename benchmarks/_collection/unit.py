# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""One arm from one start with one seed: rounds of collecting, training and evaluating."""
from __future__ import annotations

import json
import shutil
import time
from datetime import datetime
from datetime import timezone
from pathlib import Path

import numpy as np
import torch
from _metaworld import SIZES

from _collection.arms import Arm
from _collection.arms import Options
from _collection.arms import start_counts
from _collection.collector import Collector
from _collection.lesson import Lesson
from _collection.lesson import read
from _collection.lesson import write
from _collection.policy import Policy
from active_collection.files import read_json
from active_collection.files import whole_directory
from active_collection.simulation.tasks import TASKS
from active_collection.uncertainty.building import build
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.ensemble_files import load_newest
from active_collection.uncertainty.settings import TrainingSettings

START_NS = 1_700_000_000_000_000_000
#: Seeds of what is demonstrated before anything is chosen: other configurations than evaluation.
START_SEED = 100_000
ROW, LEDGER, ENSEMBLES = 'row.json', 'ledger.sqlite3', 'ensembles'


class Unit:
    """
    Rounds on disk, each whole or not there: a killed run goes on after the last that is.

    Every round begins with a restart of the scheduler from its ledger, so that it is the same
    whether or not the run was killed in between.

    :param world: a `MetaWorld`; None where nothing is run, only looked at
    :param directory: of all units that are run with the same options
    """

    def __init__(self, world, arm: Arm, start: str, seed: int, options: Options,
                 directory: Path):
        self._world = world
        self._arm, self._start, self._seed, self._options = arm, start, seed, options
        self._tasks = list(options.tasks or TASKS)
        self._first = directory / f'start-{start}-{seed}'
        self._path = directory / f'{arm.name.replace(", ", "-").replace(" ", "_")}-{start}-{seed}'

    def rows(self):
        """Return what is known of the rounds that are finished, the start first."""
        paths = [self._first, *sorted(self._path.glob('[0-9]*'))]
        return [read_json(path / ROW) for path in paths if (path / ROW).is_file()]

    def is_finished(self):
        """Tell whether there is nothing left to do within the options."""
        return is_finished(self.rows(), self._options)

    def run_round(self):
        """Run the next round and return its row."""
        before = self.rows()
        if not before:
            self._make_start()
            return self.rows()[-1]
        began = time.perf_counter()
        previous = self._round(len(before) - 1)
        lessons = [each for k in range(len(before)) for each in read(self._round(k))]
        policy = Policy(load_newest(previous / ENSEMBLES))
        with whole_directory(self._round(len(before))) as new:
            if len(before) > 1:
                shutil.copy(previous / LEDGER, new / LEDGER)
            collected = Collector(
                self._world, self._arm, self._options, new / LEDGER, policy,
                tasks=self._tasks, seed=self._seed, now_ns=before[-1]['now_ns'],
            ).collect(lessons if len(before) == 1 else [])
            write(new, collected.lessons)
            success = self._learn([*lessons, *collected.lessons], len(before), new)
            row = collected.added_to(before[-1])
            row.update(round=len(before), success=success, seconds=time.perf_counter() - began)
            (new / ROW).write_text(json.dumps(row))
        if len(before) > 1:  # what comes after needs its lessons alone
            shutil.rmtree(previous / ENSEMBLES)
            (previous / LEDGER).unlink()
        return row

    def _round(self, number):
        return self._path / f'{number:03d}' if number else self._first

    def _make_start(self):
        """Demonstrate at random configurations: what is there before anything is chosen."""
        lessons = [
            Lesson(f'start-{task}-{k}', task, scenario.values, acted)
            for task, count in start_counts(self._tasks, self._start, self._seed).items()
            for k, (scenario, acted) in enumerate(self._world.demonstrations(
                task, count, START_SEED + self._seed, max_steps=self._options.max_steps,
                hold_steps=self._options.hold_steps))]
        counts = {task: sum(each.task == task for each in lessons) for task in self._tasks}
        try:
            with whole_directory(self._first) as new:
                write(new, lessons)
                (new / ROW).write_text(json.dumps({
                    'round': 0, 'demonstrations': 0, 'expert_steps': 0, 'failed': 0,
                    'attempts': 0, 'attempt_steps': 0, 'now_ns': START_NS, 'seconds': 0.0,
                    'of_task': counts, 'start': len(lessons),
                    'success': self._learn(lessons, 0, new)}))
        except OSError:
            if not (self._first / ROW).is_file():  # else another process was first
                raise

    def _learn(self, lessons, number, directory):
        """
        Train on everything, write the ensemble, and evaluate it.

        :returns: each task's success; nothing in a round that is not evaluated
        """
        options = self._options
        dataset = Dataset.of([each.decoded() for each in lessons], self._world.spec, SIZES)
        built = build(
            dataset, self._world.spec,
            TrainingSettings(seed=1000 * self._seed + number, steps=options.steps),
            out=directory / ENSEMBLES,
            now=datetime.fromtimestamp(START_NS / 1e9 + number, tz=timezone.utc))
        if number * options.batch > options.densely and number % 2:
            return {}
        policy = Policy(load_newest(built.path))
        return {task: float(np.mean([
            self._world.act_out(scenario, policy, max_steps=options.max_steps,
                                hold_steps=options.hold_steps).success
            for scenario in self._world.scenarios(task, options.held_out, self._seed)]))
            for task in self._tasks}


def is_finished(rows, options):
    """Tell whether a unit with these rounds, the start first, has nothing left to do."""
    if not rows:
        return False
    last = [np.mean(list(row['success'].values())) for row in rows if row['success']][-3:]
    return (rows[-1]['demonstrations'] >= options.budget
            or (len(last) == 3 and np.mean(last) >= options.enough))


torch.set_num_threads(1)
