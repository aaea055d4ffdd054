# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Where index jobs run: in this process, in processes of this machine, or elsewhere."""
from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import connection
from multiprocessing import get_context
from multiprocessing import parent_process
from typing import Protocol

from active_collection.errors import SelectionError
from active_collection.registry import Registry
from active_collection.selection.parts import Job
from active_collection.selection.parts import JobReport
from active_collection.selection.parts import run_job


class Engine(Protocol):
    """
    Runs index jobs.

    :param processes: jobs at a time
    :param address: where to run them, for engines that reach beyond this machine
    """

    def __init__(self, processes: int, address: str) -> None: ...

    def run(self, jobs: Iterable[Job]) -> Iterator[JobReport]:
        """
        Yield the report of each job, in any order.

        :raises SelectionError: where a worker dies; the parts of finished jobs stand
        """
        ...


class Processes:
    """Processes of this machine; with one, this process itself."""

    def __init__(self, processes: int, address: str) -> None:
        if address:
            raise SelectionError('--address', found=address, expected="nothing with 'processes'")
        self._processes = processes

    def run(self, jobs: Iterable[Job]) -> Iterator[JobReport]:
        """Yield the report of each job, in any order."""
        if self._processes == 1:
            yield from map(run_job, jobs)
            return
        # 'spawn': OpenCV and torch keep threads that a forked child would wait for in vain.
        with ProcessPoolExecutor(self._processes, mp_context=get_context('spawn'),
                                 initializer=_end_with_parent) as executor:
            waiting = iter(jobs)
            running = {executor.submit(run_job, job)
                       for job in islice(waiting, 2 * self._processes)}
            try:
                while running:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for finished in done:
                        yield finished.result()
                    running |= {executor.submit(run_job, job)
                                for job in islice(waiting, len(done))}
            except BrokenProcessPool as error:
                raise SelectionError(
                    'index', found='a worker process that died (out of memory?)',
                    expected='all to live; run it again to go on where it stopped') from error
            finally:
                executor.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """
    Have this worker end when the process that started it dies, be it by SIGKILL.

    It would wait for work for ever, or finish its job and write into a pool that is another's.
    """
    parent = parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


ENGINES: Registry[Engine] = Registry(
    'index engine', 'active_collection.index_engines',
    {'processes': 'active_collection.selection.engines:Processes',
     'ray': 'active_collection.selection.ray_engine:Ray'})
