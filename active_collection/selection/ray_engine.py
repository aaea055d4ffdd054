# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Index jobs on the machines of a Ray cluster."""
from __future__ import annotations

import importlib
import os
import re
import socket
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from itertools import islice
from typing import Any

from active_collection.errors import SelectionError
from active_collection.packages import how_to_install
from active_collection.selection.parts import Job
from active_collection.selection.parts import JobReport
from active_collection.selection.parts import run_job

#: How often a job is tried again whose worker or machine died.
_RETRIES = 2
#: How long the head of a cluster may take to take a connection (s).
_CONNECT_S = 5.0
#: How often Ray tries to join a cluster whose head takes connections, a second apart, and what
#: says so to it.
_TRIES = '3'
_TRIES_VARIABLE = 'RAY_gcs_server_port_wait_time_s'
_HOW_TO_TELL = 'its token: RAY_AUTH_MODE=token, and it in RAY_AUTH_TOKEN or ~/.ray/auth_token'
#: What Ray says of an exception on another machine: where, and what could not be imported.
_NODE = re.compile(r'\bip=([^,)\s]+)')
_IMPORT = re.compile(r'^(?:ImportError|ModuleNotFoundError): (.+)$', re.MULTILINE)


class Ray:
    """
    Workers of a Ray cluster.

    They read the bags and write their parts of the index themselves: every machine needs this
    package, and bags and pool at the same paths (a shared file system).

    :param processes: jobs at a time
    :param address: of the cluster's head, HOST:PORT; empty: a cluster of this machine alone
    :raises SelectionError: where Ray is not installed
    """

    def __init__(self, processes: int, address: str) -> None:
        # Ray reports its use to its makers unless told otherwise: before it is imported.
        os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
        try:
            self._ray: Any = importlib.import_module('ray')
        except ImportError as error:
            raise SelectionError('--engine', found=f'ray, which cannot be imported ({error})',
                                 expected=f'it installed: {how_to_install("ray")}') from error
        self._processes = processes
        self._address = address

    def run(self, jobs: Iterable[Job]) -> Iterator[JobReport]:
        """
        Yield the report of each job, in any order.

        :raises SelectionError: where the cluster cannot be reached, a machine of it lacks a
            package, or the workers of a job died each time that it was tried; the parts of
            finished jobs stand
        """
        waiting = iter(jobs)
        first = next(waiting, None)
        if first is None:
            return  # a cluster takes seconds to start
        with self._connected(first.threads):
            run = self._ray.remote(max_retries=_RETRIES)(run_job)
            largest = self._largest_machine()
            waiting = chain([first], waiting)

            def submit(count: int) -> list[Any]:
                return [run.options(num_cpus=min(job.threads, largest)).remote(_absolute(job))
                        for job in islice(waiting, count)]

            running = submit(self._processes)
            while running:
                done, running = self._ray.wait(running, num_returns=1)
                # The next one goes out before the caller does something with this report.
                running += submit(len(done))
                for finished in done:
                    yield self._result(finished)

    @contextmanager
    def _connected(self, threads: int) -> Iterator[None]:
        """
        Join the cluster, or start one; leave it as it was.

        :param threads: of each job, for a cluster that is started
        """
        if self._ray.is_initialized():
            yield
            return
        # 'local': with no address Ray would join whatever RAY_ADDRESS names. What a job takes has
        # to be there for each, or they would run one after another.
        options = ({'address': self._address} if self._address else {
            'address': 'local', 'num_cpus': self._processes * threads,
            'include_dashboard': False})
        try:
            if self._address:
                self._check_address()
            with _few_tries(self._address):
                self._ray.init(**options, log_to_driver=False, logging_level='error')
        except (OSError, RuntimeError, ValueError, self._ray.exceptions.RayError) as error:
            raise self._refusal(error) from error
        try:
            yield
        finally:
            self._ray.shutdown()

    def _check_address(self) -> None:
        """
        Connect once: Ray itself would try for minutes.

        :raises OSError: where nothing answers
        :raises ValueError: where it is no address
        """
        scheme, separator, rest = self._address.rpartition('://')
        if separator and scheme != 'ray':
            return  # of another way to a cluster, which Ray may know
        host, colon, port = rest.rpartition(':')
        if not colon:
            raise ValueError('no port')
        with socket.create_connection((host, int(port)), timeout=_CONNECT_S):
            return

    def _refusal(self, error: Exception) -> SelectionError:
        """Return why no cluster was joined, whose deepest cause Ray puts into words."""
        told = '\n'.join(map(str, _causes(error)))
        if 'AuthenticationError' in told or any(
                type(one).__name__ == 'AuthenticationError' for one in _causes(error)):
            asked = os.environ.get('RAY_AUTH_MODE', '').lower() == 'token'
            return SelectionError(
                f'--address {self._address}', expected=_HOW_TO_TELL,
                found=('no token, or one that the cluster refuses' if asked
                       else 'a cluster that wants a token'))
        if 'Version mismatch' in told:
            words = ' '.join(told[told.index('Version mismatch'):].split())
            return SelectionError(f'--address {self._address}', found=words,
                                  expected='the same Ray and Python on every machine')
        reason = str(error).strip().partition('\n')[0] or type(error).__name__
        return SelectionError('--address', found=f'{self._address!r}: {reason}',
                              expected='HOST:PORT of a Ray cluster')

    def _largest_machine(self) -> int:
        """Return the processors of the largest machine: a job that wants more would never run."""
        return max((int(node['Resources'].get('CPU', 0)) for node in self._ray.nodes()
                    if node['Alive']), default=1) or 1

    def _result(self, finished: Any) -> JobReport:
        try:
            report: JobReport = self._ray.get(finished)
        except self._ray.exceptions.RayTaskError as error:
            raise _lack(error) or error.cause from error
        except self._ray.exceptions.RayError as error:
            raise SelectionError(
                'index', found=f'a worker that died {_RETRIES + 1} times ({type(error).__name__})',
                expected='all to live; run it again to go on where it stopped') from error
        return report


@contextmanager
def _few_tries(address: str) -> Iterator[None]:
    """Let Ray join the cluster at an address now or not at all: its head has just answered."""
    if not address or _TRIES_VARIABLE in os.environ:
        yield
        return
    os.environ[_TRIES_VARIABLE] = _TRIES
    try:
        yield
    finally:
        del os.environ[_TRIES_VARIABLE]


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _lack(error: Any) -> SelectionError | None:
    """Return what a machine of the cluster cannot import; None where a job failed otherwise."""
    text, missing = str(error), _IMPORT.findall(f'{error}\n{error.cause}')
    # Without this package Ray itself cannot load the job, and raises a RuntimeError that says so.
    if not missing or not isinstance(error.cause, (ImportError, RuntimeError)):
        return None
    node = _NODE.search(text)
    return SelectionError(f'node {node[1] if node else "unknown"}', found=missing[-1],
                          expected='the same packages on every machine of the cluster')


def _absolute(job: Job) -> Job:
    """Return the job with paths that mean the same in a worker's own working directory."""
    return replace(job, parts=job.parts.absolute(), bags=tuple(
        replace(bag, path=bag.path.absolute()) for bag in job.bags))
