# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a node's process does before it imports anything that takes time."""
from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import NoReturn

#: Signals that ask a node to end: Ctrl-C, kill, the terminal is closed.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Environment variable: the process with which this one is to end, by its id.
PARENT = 'ACTIVE_COLLECTION_PARENT'

PR_SET_PDEATHSIG = 1


def begin(interrupted: int) -> None:
    """
    Let signals end the process at once and without a word until it answers them itself.

    While Python imports, Ctrl-C would be a traceback, or be lost. Where PARENT says so, the
    process ends when its parent does: launch leaves its nodes running when it is killed.

    :param interrupted: exit status of a process that is ended so
    """
    def end(*_: object) -> NoReturn:
        os._exit(interrupted)

    for number in ENDING:
        if not is_ignored(number):
            signal.signal(number, end)
    parent = os.environ.pop(PARENT, '')
    if parent:
        end_with_parent()
        if not Path(f'/proc/{parent}').exists():
            end()  # it ended before the kernel was told


def end_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when its parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def is_ignored(number: signal.Signals) -> bool:
    """Tell whether whoever started this process had it outlive its terminal, as nohup does."""
    return number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN
