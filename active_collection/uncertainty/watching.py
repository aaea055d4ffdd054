# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Watch a directory for a newer ensemble, and read it beside the work that goes on."""
from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from active_collection.errors import ActiveCollectionError
from active_collection.errors import UncertaintyError
from active_collection.packages import missing
from active_collection.uncertainty.ensemble_directory import ensembles_of
from active_collection.uncertainty.ensemble_directory import state_of

if TYPE_CHECKING:
    from active_collection.uncertainty.ensemble_files import Ensemble

#: An ensemble that was refused is read again when its files have changed and rest, or after so
#: long where they do not come to rest (s).
LONGEST_CHANGE_S = 10.0
#: One that was refused for what lies outside of its files, memory or a disk, is read again after
#: so long (s).
RETRY_S = 60.0


class UnforeseenError(UncertaintyError):
    """The code that reads an ensemble raised what it should not; its cause is that error."""


def read_ready(path: Path) -> Ensemble:
    """
    Read an ensemble, or the newest of a directory of them, so that its first prediction is fast.

    The first call imports torch, which takes seconds: a robot without an ensemble does without.

    :raises ActiveCollectionError: where there is none, or it cannot be used, or a library that it
        needs is not installed
    :raises UnforeseenError: where its source, which may be a third party's, raises anything else
    """
    try:
        from active_collection.uncertainty.ensemble_files import load_newest

        ensemble = load_newest(path)
        ensemble.warm_up()
    except (ActiveCollectionError, KeyboardInterrupt):
        raise
    except BaseException as error:  # sys.exit() and panics of compiled libraries among them
        absent = (missing(str(path), error) if isinstance(error, ModuleNotFoundError) else None)
        if absent is not None:
            raise absent from error
        raise UnforeseenError(path, found=f'{type(error).__name__}: {error}',
                              expected='an ensemble that can be read') from error
    return ensemble


@dataclass
class _Refusal:
    """
    An ensemble that was refused.

    :param read: state of its files when it was read
    :param seen: their state at the last look
    :param at: when it was read (monotonic s)
    """

    error: ActiveCollectionError
    read: frozenset[tuple[str, int, int, int]]
    seen: frozenset[tuple[str, int, int, int]]
    at: float

    @property
    def is_of_files(self) -> bool:
        """Tell whether its files alone are to blame."""
        return not isinstance(self.error.__cause__, (OSError, MemoryError))

    def is_due(self, state: frozenset[tuple[str, int, int, int]]) -> bool:
        """Tell whether it is to be read again, and remember the state of its files."""
        rests, self.seen = state == self.seen, state
        waited_s = time.monotonic() - self.at
        if state != self.read:
            return rests or waited_s > LONGEST_CHANGE_S
        return not self.is_of_files and waited_s > RETRY_S


class EnsembleWatcher:
    """
    Reads each ensemble that becomes the newest of a directory, once.

    A thread of its own looks and reads, so that reading a large ensemble holds nothing up; what it
    read waits until `take` is called. One that is refused stands in `failure` and is read again
    once its files have changed: it may have been seen while it was copied. Meanwhile the newest
    that can be read counts.

    :param directory: a directory of ensembles, or one ensemble; may be missing at first
    :param read: reads one, as `read_ready` does
    """

    def __init__(self, directory: Path, *,
                 read: Callable[[Path], Ensemble] = read_ready) -> None:
        self._directory = directory
        self._read = read
        self._ready: queue.SimpleQueue[tuple[Ensemble | None, ActiveCollectionError | None]] = (
            queue.SimpleQueue())
        self._current: Path | None = None
        self._refused: dict[Path, _Refusal] = {}
        self._told = ''
        self._changed = threading.Condition()
        self._period_s = 0.0
        self._is_stopping = False
        self._thread: threading.Thread | None = None
        self.failure: ActiveCollectionError | None = None

    @property
    def problem(self) -> str:
        """Return why the newest ensemble is refused; empty where it is not."""
        return str(self.failure or '')

    def start(self, period_s: float) -> None:
        """
        Look at once, and then again and again.

        :param period_s: time between two looks (s); 0: only now
        """
        self._look()
        self.change(period_s)

    def change(self, period_s: float) -> None:
        """
        Look as often from here on, in place of how often it did.

        :param period_s: time between two looks (s); 0: no more
        """
        with self._changed:
            self._period_s = period_s
            self._changed.notify()
        if period_s > 0 and self._thread is None:
            self._thread = threading.Thread(target=self._watch, name='ensembles', daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def take(self) -> Ensemble | None:
        """Return the newest ensemble read since the last call; None if there is none."""
        taken: Ensemble | None = None
        while not self._ready.empty():
            ensemble, self.failure = self._ready.get_nowait()  # nobody else takes from it
            taken = ensemble or taken
        return taken

    def _watch(self) -> None:
        while True:
            with self._changed:
                if self._is_stopping:
                    return
                is_told = self._changed.wait(self._period_s or None)
            if not is_told:
                self._look()

    def _look(self) -> None:
        """Read what is newer than what was read last; whatever comes, there is a next look."""
        ensemble: Ensemble | None = None
        failure: ActiveCollectionError | None = None
        try:
            for path in self._newer():
                result = self._tried(path)
                if not isinstance(result, ActiveCollectionError):
                    ensemble, self._current = result, path
                    break
                failure = failure or result
        except ActiveCollectionError as error:
            failure = error
        except Exception as error:
            failure = UnforeseenError(self._directory, found=f'{type(error).__name__}: {error}')
            failure.__cause__ = error
        if ensemble is not None or str(failure or '') != self._told:
            self._told = str(failure or '')
            self._ready.put((ensemble, failure))

    def _newer(self) -> list[Path]:
        """Return the ensembles that may take the place of what was read last, newest first."""
        found = ensembles_of(self._directory)
        self._refused = {path: refusal for path, refusal in self._refused.items()
                         if path in found}
        return found[:found.index(self._current)] if self._current in found else found

    def _tried(self, path: Path) -> Ensemble | ActiveCollectionError:
        """Return an ensemble, or why it is refused, whether now or at a look before."""
        state = state_of(path)
        refusal = self._refused.get(path)
        if refusal is not None and not refusal.is_due(state):
            return refusal.error
        try:
            ensemble = self._read(path)
        except ActiveCollectionError as error:
            self._refused[path] = _Refusal(error, state, state, time.monotonic())
            return error
        self._refused.pop(path, None)
        return ensemble
