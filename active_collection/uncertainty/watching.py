# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Watch a directory for a newer ensemble, and read it beside the work that goes on."""
from __future__ import annotations

import queue
import threading
from pathlib import Path

from active_collection.errors import ActiveCollectionError
from active_collection.uncertainty.ensemble_files import Ensemble
from active_collection.uncertainty.ensemble_files import load_newest
from active_collection.uncertainty.ensemble_files import newest


def read_ready(path: Path) -> Ensemble:
    """
    Read an ensemble, or the newest of a directory of them, so that its first prediction is fast.

    :raises ActiveCollectionError: where there is none, or it cannot be used
    """
    ensemble = load_newest(path)
    ensemble.warm_up()
    return ensemble


class EnsembleWatcher:
    """
    Reads each ensemble that becomes the newest of a directory, once.

    A thread of its own looks and reads, so that reading a large ensemble holds nothing up; what it
    read waits until `take` is called. A bad ensemble is refused once, and `problem` says why.

    :param directory: a directory of ensembles, or one ensemble; may be missing at first
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ready: queue.SimpleQueue[Ensemble | ActiveCollectionError] = queue.SimpleQueue()
        self._seen: Path | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.problem = ''

    def start(self, period_s: float) -> None:
        """
        Look at once, and then again and again.

        :param period_s: time between two looks (s); 0: only now
        """
        self._look()
        if period_s > 0:
            self._thread = threading.Thread(
                target=self._watch, args=[period_s], name='ensembles', daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def take(self) -> Ensemble | None:
        """Return the newest ensemble read since the last call; None if there is none."""
        taken: Ensemble | None = None
        while not self._ready.empty():
            result = self._ready.get_nowait()  # nobody else takes from it
            if isinstance(result, ActiveCollectionError):
                self.problem = str(result)
            else:
                taken, self.problem = result, ''
        return taken

    def _watch(self, period_s: float) -> None:
        while not self._stopping.wait(period_s):
            self._look()

    def _look(self) -> None:
        found = newest(self._directory)
        if found is None or found == self._seen:
            return
        self._seen = found
        try:
            self._ready.put(read_ready(found))
        except ActiveCollectionError as error:
            self._ready.put(error)
