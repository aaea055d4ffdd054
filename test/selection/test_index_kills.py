# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A real `index` process that is killed, wherever it is, goes on when it is started again."""
from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import psutil
import pytest
from bag_factory import camera
from bag_factory import write_bag

from active_collection.selection.pool import Pool

BAGS = 12
#: A job a bag, in two processes, however small the bags are.
SETUP = ('import os, signal, sys\n'
         'from active_collection.selection import index\n'
         'index._JOB_BAGS = index._PROCESS_BYTES = 1\n'
         'from active_collection.cli.main import main\n')
RUN = 'sys.exit(main(sys.argv[1:]))\n'
#: Kills itself at the n-th time that it opens, renames or removes something in the pool.
DIES_AT = ('left, pool = [int(sys.argv.pop(1))], sys.argv.pop(1)\n'
           'def hook(event, arguments):\n'
           '    if event not in ("open", "os.rename", "os.remove"): return\n'
           '    if not str(arguments[0]).startswith(pool): return\n'
           '    left[0] -= 1\n'
           '    if not left[0]: os.kill(os.getpid(), signal.SIGKILL)\n'
           'sys.addaudithook(hook)\n')
DEADLINE_S = 60.0


@pytest.fixture(scope='module')
def bags(tmp_path_factory):
    root = tmp_path_factory.mktemp('killed') / 'bags'
    for i in range(BAGS):
        write_bag(root / f'b{i:02}', camera(4, first=10 * i))
    return root


def start(bags, pool, *arguments, program=SETUP + RUN, processes=2):
    return subprocess.Popen(
        [sys.executable, '-c', program, *arguments, 'index', str(bags), '--pool', str(pool),
         '--rate', '0', '--processes', str(processes), '--extractor', 'descriptor'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, err
    return out


def content(directory):
    """All that is known of each unit, and what else lies in the pool."""
    pool = Pool.open(directory)
    pool.verify()
    rows = {row['unit_id']: (
        np.asarray(pool.embeddings[row.pop('embedding_row')]).tobytes(),
        pool.bag_path(row.pop('bag')), repr(row)) for row in pool.units.to_pylist()}
    assert len(rows) == len(pool)
    names = sorted(str(path.relative_to(directory)) for path in directory.rglob('*'))
    return rows, names


@pytest.fixture(scope='module')
def undisturbed(bags):
    """What a run that nobody kills makes, and how long it takes (s)."""
    pool, begin = bags.parent / 'undisturbed', time.monotonic()
    finish(start(bags, pool))
    seconds = time.monotonic() - begin
    rows, names = content(pool)
    assert len(rows) == 4 * BAGS
    return rows, names, seconds


def kill_at_random(bags, directory, undisturbed, seed, kills):
    """Kill a run after a random time, start it again, and so on; the last one is left alone."""
    expected, names, seconds = undisturbed
    dice, pool = random.Random(seed), directory / 'pool'
    killed = 0
    for number in range(kills):
        process = start(bags, pool)
        # The first well before the end, however much faster this run is than the undisturbed one.
        end = time.monotonic() + dice.uniform(0, seconds if number else seconds / 3)
        with suppress(subprocess.TimeoutExpired):  # the one that was not killed had finished
            process.wait(timeout=max(0.0, end - time.monotonic()))
        killed += process.poll() is None
        process.kill()
        process.communicate(timeout=DEADLINE_S)
    finish(start(bags, pool))
    assert content(pool) == (expected, names), f'seed {seed}'
    return killed


def test_a_run_killed_at_random_gives_the_pool_of_an_undisturbed_one(
        bags, tmp_path, undisturbed):
    assert kill_at_random(bags, tmp_path, undisturbed, seed=0, kills=3) > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize('seed', range(1, 11))
def test_many_runs_killed_at_random_give_the_pool_of_an_undisturbed_one(
        bags, tmp_path, undisturbed, seed):
    assert kill_at_random(bags, tmp_path, undisturbed, seed, kills=10) > 0


def kill_at_step(bags, directory, undisturbed, step):
    """Kill a run at a step of its work on the disk; tell whether it came to that step."""
    pool = directory / f'pool{step}'
    process = start(bags, pool, str(step), str(pool), program=SETUP + DIES_AT + RUN, processes=1)
    process.communicate(timeout=DEADLINE_S)
    if process.returncode == 0:
        return False
    assert process.returncode == -signal.SIGKILL
    finish(start(bags, pool, processes=1))
    assert content(pool) == undisturbed[:2], f'step {step}'
    return True


@pytest.mark.parametrize('step', [2, 9, 46, 47])
def test_a_run_killed_at_a_step_on_the_disk_goes_on(bags, tmp_path, undisturbed, step):
    assert kill_at_step(bags, tmp_path, undisturbed, step)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_killed_at_any_step_on_the_disk_goes_on(bags, tmp_path, undisturbed):
    step = 1
    while kill_at_step(bags, tmp_path, undisturbed, step):
        step += 1
    assert step > 3 * BAGS


def test_workers_die_with_the_one_that_started_them(bags, tmp_path):
    """What lives on holds its memory for ever, and may write into a pool that is another's."""
    process = start(bags, tmp_path / 'pool')
    end = time.monotonic() + DEADLINE_S
    while len(psutil.Process(process.pid).children()) < 2:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.002)
    workers = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=DEADLINE_S)
    _, alive = psutil.wait_procs(workers, timeout=DEADLINE_S)
    for worker in alive:
        worker.kill()
    assert not alive
