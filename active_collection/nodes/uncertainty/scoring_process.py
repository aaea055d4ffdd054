# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the uncertainty node sets for its whole process: each once, and nowhere else."""
from __future__ import annotations

import gc
import importlib
import sys
import threading
from contextlib import suppress
from typing import Any

#: How long a thread that reads an ensemble may keep the interpreter from an observation (s).
SWITCH_S = 0.001


class ScoringProcess:
    """
    The process of a node that scores.

    :param threads: of each prediction
    """

    def __init__(self, *, threads: int) -> None:
        sys.setswitchinterval(SWITCH_S)
        self._threads = threads
        self._lock = threading.Lock()
        self._is_set = False
        self._is_frozen = False

    def import_torch(self) -> None:
        """Import torch, which takes seconds the first time, and set the threads that it uses."""
        with self._lock:
            if self._is_set:
                return
            with suppress(Exception):  # whoever reads an ensemble next says what is amiss with it
                torch: Any = importlib.import_module('torch')
                torch.set_num_threads(self._threads)
                self._is_set = True

    def tidy(self) -> None:
        """
        Let go of what an ensemble leaves that is not used any more.

        A collection that looks at everything torch has made takes 50 ms, in which no observation
        is scored. So what is there with the first ensemble is taken out of its sight, after the
        garbage has been; what comes later is little and is looked through at once.
        """
        with self._lock:
            gc.collect()
            if not self._is_frozen:
                gc.freeze()
                self._is_frozen = True
