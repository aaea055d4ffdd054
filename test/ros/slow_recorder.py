# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A recorder node that is slower than its messages: `slow_recorder.py WHERE RATE [ROS...]`."""
from __future__ import annotations

import os
import sys
import time

from active_collection.mcap import writer
from active_collection.nodes.recorder.recorder import main
from active_collection.recording.intake import Intake


class SlowDisk:
    """The module `os`, with a disk that takes so many bytes a second."""

    def __init__(self, rate: float) -> None:
        self._rate = rate

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def writev(self, descriptor: int, views: list[memoryview]) -> int:
        written = os.writev(descriptor, views)
        time.sleep(written / self._rate)
        return written


def slow_down_receiving(rate: float) -> None:
    """Let a receiver that hardly gets the processor take so many bytes a second."""
    receive = Intake.receive

    def slow(self: Intake, message: object) -> None:
        time.sleep(len(message.data) / rate)
        receive(self, message)

    Intake.receive = slow


if __name__ == '__main__':
    where, rate = sys.argv.pop(1), float(sys.argv.pop(1))
    if where == 'disk':
        writer.os = SlowDisk(rate)
    else:
        slow_down_receiving(rate)
    sys.exit(main())
