# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Units in worker processes, with word of how far they are."""
from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import as_completed

import numpy as np
from _metaworld import MetaWorld

from _collection.arms import arms
from _collection.unit import Unit
from _collection.unit import is_finished


def run_all(units, kept, options, directory, jobs):
    """
    Run every unit to its end, `jobs` at a time; a unit that ends gives way to the next.

    :param units: (arm, start, seed) of each
    :param kept: rows by unit, of units that ran before; those that are finished do not run again
    """
    os.environ['OMP_NUM_THREADS'] = '1'  # workers inherit it; threads would fight over the cores
    left = [key for key in units if not is_finished(kept.get(key, []), options)
            and not _unit(None, key, options, directory).is_finished()]
    if not left:
        return
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(min(jobs, len(left)), mp_context=context,
                             initializer=_start_worker) as pool:
        began = time.monotonic()
        futures = {pool.submit(_run, key, options, directory): key for key in left}
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            seconds = (time.monotonic() - began) / done * (len(left) - done)
            print(f'{len(units) - len(left) + done} of {len(units)} units'
                  + (f', about {seconds / 3600:.1f} h left' if done < len(left) else ''),
                  flush=True)


def finished_rows(units, options, directory):
    """
    Return the evaluated rounds of every unit that is finished, by (arm, start, seed).

    Of a unit that is not, nothing can be said of what would come after its last round.
    """
    found = {key: _unit(None, key, options, directory).rows() for key in units}
    return {key: [row for row in rows if row['success']]
            for key, rows in found.items() if is_finished(rows, options)}


#: What a worker keeps from one unit to the next.
_world: MetaWorld


def _start_worker():
    global _world  # noqa: PLW0603 - a pool's initialiser has no other way to leave something

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _world = MetaWorld()


def _end_with_parent():
    """Leave no worker behind when the benchmark is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _unit(world, key, options, directory):
    arm, start, seed = key
    return Unit(world, arms()[arm], start, seed, options, directory)


def _run(key, options, directory):
    unit = _unit(_world, key, options, directory)
    while not unit.is_finished():
        row = unit.run_round()
        success = (f'success {np.mean(list(row["success"].values())):.3f}' if row['success']
                   else 'not evaluated')
        print(f'{key[0]}, {key[1]} start, seed {key[2]}: {row["demonstrations"]} demonstrations, '
              f'{row["attempts"]} attempts, {success} ({row["seconds"]:.0f} s)', flush=True)
