# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A unit of the benchmark with the real scheduler, simulator and trainer, made small."""
from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from _collection.arms import COMPARATOR
from _collection.arms import CORRECTIONS
from _collection.arms import DEFAULT
from _collection.arms import STARTS
from _collection.arms import Options
from _collection.arms import arms
from _collection.arms import start_counts
from _collection.running import finished_rows
from _collection.running import run_all
from _collection.table import from_csv
from _collection.table import to_csv
from _collection.unit import Unit

from active_collection.simulation.messages import scenario_message
from active_collection.simulation.messages import state_messages

OPTIONS = Options(tasks=('drawer_open', 'reach'), batch=2, budget=6, held_out=2, enough=1.01,
                  steps=20, max_steps=110)


def run(world, directory, arm, *, start='even', seed=0):
    unit = Unit(world, arms()[arm], start, seed, OPTIONS, directory)
    while not unit.is_finished():
        unit.run_round()
    return [{k: v for k, v in row.items() if k != 'seconds'} for row in unit.rows()]


def test_the_observation_is_what_the_specification_reads_from_the_messages(world):
    scenario = world.scenarios('pick_place', 1, 0)[0]
    world.robot.set_up(scenario)
    for _ in range(40):
        world.robot.step(world.expert(None))
    observation = world.robot.observe()
    messages = {**state_messages(observation, 1), 'scenario': scenario_message(scenario)}
    read = np.concatenate([i.read(messages[i.path.topic]) for i in world.spec.observation])

    assert np.array_equal(world._values(observation, scenario), read)


def test_a_killed_run_goes_on_where_it_was_and_gives_the_same(world, tmp_path):
    whole = run(world, tmp_path / 'whole', DEFAULT)
    first = Unit(world, arms()[DEFAULT], 'even', 0, OPTIONS, tmp_path / 'killed')
    for _ in range(2):
        first.run_round()
    half = tmp_path / 'killed' / 'value-even-0' / '.002.1234.partial'
    half.mkdir()
    (half / 'row.json').write_text('{')

    assert run(world, tmp_path / 'killed', DEFAULT) == whole
    assert [row['demonstrations'] for row in whole] == [0, 2, 4, 6]


@pytest.fixture(scope='module')
def spread(world, tmp_path_factory):
    """Return the directory and the rows of the even spread."""
    directory = tmp_path_factory.mktemp('spread')
    return directory, run(world, directory, COMPARATOR)


def test_the_even_spread_collects_of_each_task_alike_and_tries_nothing(spread):
    _, rows = spread

    assert [set(row['of_task'].values()) for row in rows] == [{1}, {2}, {3}, {4}]
    assert rows[-1]['attempts'] == 0


def test_arms_begin_at_the_same_start(world, spread):
    directory, rows = spread

    assert Unit(world, arms()[DEFAULT], 'even', 0, OPTIONS, directory).rows() == [
        {**rows[0], 'seconds': 0.0}]


def test_a_raised_budget_goes_on_with_a_finished_unit(world, spread, tmp_path):
    before, rows = spread
    directory = shutil.copytree(before, tmp_path / 'raised')
    raised = replace(OPTIONS, budget=8)
    unit = Unit(world, arms()[COMPARATOR], 'even', 0, raised, directory)
    unit.run_round()

    assert OPTIONS.digest == raised.digest
    assert unit.rows()[-1]['demonstrations'] == rows[-1]['demonstrations'] + 2
    assert unit.is_finished()


def test_of_a_correction_only_what_the_expert_did_is_learnt_from(world, tmp_path):
    rows = run(world, tmp_path, CORRECTIONS)
    steps = []
    for k in range(1, len(rows)):
        with np.load(tmp_path / 'corrections-even-0' / f'{k:03d}' / 'episodes.npz') as arrays:
            steps += [len(arrays[name]) for name in arrays if name.endswith('.actions')]

    assert rows[-1]['attempt_steps'] > 0
    assert sum(steps) <= rows[-1]['expert_steps'] < OPTIONS.max_steps * rows[-1]['demonstrations']


def test_what_is_there_is_read_without_a_simulator(tmp_path):
    units = [(arm, start, 0) for arm in arms() for start in STARTS]

    assert finished_rows(units, Options(), tmp_path) == {}


def test_the_table_gives_back_what_went_into_it(spread, tmp_path):
    directory, before = spread
    rows = finished_rows([(COMPARATOR, 'even', 0)], OPTIONS, directory)
    path = tmp_path / 'raw.csv'
    path.write_text(to_csv(rows, OPTIONS.digest))
    read = from_csv(path, OPTIONS.digest)

    assert to_csv(read, OPTIONS.digest) == path.read_text()
    assert [row['of_task'] for row in read[COMPARATOR, 'even', 0]] == [
        row['of_task'] for row in before if row['success']]
    assert from_csv(path, 'other options') == from_csv(tmp_path / 'none.csv', '') == {}


def test_what_the_table_has_is_not_run_again(spread, tmp_path):
    directory, _ = spread
    key = (COMPARATOR, 'even', 0)
    kept = finished_rows([key], OPTIONS, directory)

    run_all([key], kept, OPTIONS, tmp_path, jobs=1)

    assert list(tmp_path.iterdir()) == []


def test_of_an_unfinished_unit_nothing_is_told(spread):
    directory, _ = spread

    assert not finished_rows([(COMPARATOR, 'even', 0)], replace(OPTIONS, budget=100), directory)


@pytest.mark.parametrize('seed', range(3))
def test_a_skewed_start_has_many_of_half_of_the_tasks(seed):
    counts = start_counts([f't{k}' for k in range(10)], 'skewed', seed)

    assert sorted(counts.values()) == [1] * 5 + [20] * 5
    assert counts == start_counts([f't{k}' for k in range(10)], 'skewed', seed)
    assert counts != start_counts([f't{k}' for k in range(10)], 'skewed', seed + 1)
