# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A beat from a thread of its own, so that no queue of callbacks can hold it up."""
from __future__ import annotations

import threading
from collections.abc import Callable


class Heartbeat:
    """
    Calls something again and again until closed.

    :param beat: what is called; it must be safe in any thread
    :param period_s: time between two calls (s)
    """

    def __init__(self, beat: Callable[[], None], *, period_s: float) -> None:
        self._beat = beat
        self._period_s = period_s
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name='heartbeat', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Call it no more."""
        self._closed.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        while not self._closed.wait(self._period_s):
            self._beat()
