# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast processes grow, told apart from what they need at first."""
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from process_memory import WARM_UP_S
from process_memory import ProcessMemory
from process_memory import unshared_mb


def lived(seconds, size_of):
    """Return the growth of a process that was looked at each 5 s."""
    memory = ProcessMemory()
    for age in range(0, int(seconds), 5):
        memory.note('recorder', 1, 1000.0 + age, size_of(age))
    return memory.growth()


def test_what_a_process_needs_at_first_is_no_growth():
    grown, = lived(WARM_UP_S + 1200, lambda age: 50.0 + 20.0 * min(1.0, age / WARM_UP_S))[
        'recorder']

    assert grown.mb_h == pytest.approx(0.0, abs=0.2)
    assert grown.seconds == pytest.approx(1140, abs=60)


def test_a_leak_shows_in_spite_of_what_comes_and_goes():
    def size(age):
        return 50.0 + 3.0 * age / 3600 + (8.0 if age % 300 < 20 else 0.0)

    grown, = lived(WARM_UP_S + 1200, size)['recorder']

    assert grown.low <= grown.mb_h <= grown.high
    assert grown.mb_h == pytest.approx(3.0, abs=0.5)


def test_one_that_lived_too_short_tells_nothing():
    assert lived(WARM_UP_S + 300, float) == {}


def test_memory_that_no_file_holds_is_a_processes_own():
    before = unshared_mb(os.getpid())
    taken = bytearray(b'x') * 30_000_000

    assert unshared_mb(os.getpid()) - before == pytest.approx(len(taken) / 1e6, abs=5.0)
