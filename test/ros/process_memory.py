# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast processes grow once they have what they need."""
from __future__ import annotations

import statistics
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import theilslopes

#: A process grows for so long however flat it is later (s): modules that it imports late, message
#: histories that fill up (the last 100 episodes), heaps that the threads of the middleware get.
WARM_UP_S = 600.0
#: What was seen within so long is one figure, its median: a scan that comes and goes is none (s).
WINDOW_S = 60.0
#: Fewer figures than these tell no slope.
FEWEST = 10


@dataclass(frozen=True)
class Growth:
    """
    How fast one process grew.

    :param mb_h: median of the slopes between any two figures (MB an hour)
    :param low: of its 95 % interval, as if the figures did not depend on each other
    :param high: of the same
    :param seconds: from its first figure to its last
    """

    mb_h: float
    low: float
    high: float
    seconds: float


class ProcessMemory:
    """
    Follows the memory of processes of several kinds: what is theirs alone, or shared by no file.

    Pages of libraries, which come in as they are touched and are shared by all, do not count.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)

    def look(self, kind: str, pid: int, now_s: float) -> None:
        """Note what a process has, if it is there."""
        with suppress(FileNotFoundError, ProcessLookupError):
            self.note(kind, pid, now_s, unshared_mb(pid))

    def note(self, kind: str, pid: int, now_s: float, size_mb: float) -> None:
        """Note what a process was seen to have (MB)."""
        self._seen[kind, pid].append((now_s, size_mb))

    def growth(self) -> dict[str, list[Growth]]:
        """Return kind to the growth of each of its processes that lived for long enough."""
        found: dict[str, list[Growth]] = defaultdict(list)
        for (kind, _), seen in self._seen.items():
            windows: dict[int, list[tuple[float, float]]] = defaultdict(list)
            for at, size in seen:
                if (age := at - seen[0][0]) >= WARM_UP_S:
                    windows[int(age // WINDOW_S)].append((at, size))
            if len(windows) < FEWEST:
                continue
            times = [statistics.median(at for at, _ in window) for window in windows.values()]
            sizes = [statistics.median(size for _, size in window)
                     for window in windows.values()]
            slope, _, low, high = theilslopes(sizes, times)
            found[kind].append(Growth(
                *(float(s) * 3600 for s in (slope, low, high)), times[-1] - times[0]))
        return found


def unshared_mb(pid: int) -> float:
    """Return the memory of a process that is no file's: its own, and what it shares (MB)."""
    status = dict(line.split(':', 1) for line in
                  Path(f'/proc/{pid}/status').read_text().splitlines() if ':' in line)
    return sum(int(status.get(name, '0').split()[0])
               for name in ('RssAnon', 'RssShmem')) * 1024 / 1e6
