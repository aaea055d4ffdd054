# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Child processes that always end: with us on SIGINT, with us when we are killed, and in order."""
from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from active_collection.errors import ActiveCollectionError
from active_collection.nodes.process_start import end_with_parent

#: How long a child may take to end after SIGINT, then after SIGTERM (s).
GRACE_S = 12.0


class ProcessFailedError(ActiveCollectionError):
    """A child process ended by itself with an error."""


class Processes:
    """
    A set of child processes, each with a log file, stopped together at the end of a `with` block.

    They get sessions of their own, so that Ctrl-C in a terminal reaches them through us alone and
    in our order; should we be killed, the kernel sends them SIGTERM.

    :param logs: directory of the log files, one a process
    :param environment: their environment
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = dict(environment)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str]) -> None:
        """
        Start a process that runs until `stop`.

        :param name: name of its log file
        """
        with (self._logs / f'{name}.log').open('wb') as log:
            self._running[name] = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env=self._environment, start_new_session=True,
                preexec_fn=end_with_parent)  # noqa: PLW1509 - one libc call, no Python locks

    def check(self) -> None:
        """
        Tell whether all still run.

        :raises ProcessFailedError: naming one that does not, with the last line of its log
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ProcessFailedError(
                    f'{name} ({self.log(name)})',
                    found=f'exit status {process.returncode}: {self._last_line(name)}',
                    expected='a running process')

    def log(self, name: str) -> Path:
        """Return the log file of a process."""
        return self._logs / f'{name}.log'

    def stop(self) -> dict[str, int]:
        """End all: SIGINT, then SIGTERM, then SIGKILL. Return the exit status of each."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            alive = [p for p in self._running.values() if p.poll() is None]
            for process in alive:
                process.send_signal(number)
            deadline = time.monotonic() + GRACE_S
            for process in alive:
                try:
                    process.wait(timeout=max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    continue
        statuses = {name: process.returncode for name, process in self._running.items()}
        self._running.clear()
        return statuses

    def _last_line(self, name: str) -> str:
        lines = self.log(name).read_text(errors='replace').strip().splitlines()
        return lines[-1] if lines else 'nothing logged'
