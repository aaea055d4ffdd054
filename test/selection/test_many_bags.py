# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Thousands of bags of one frame each are one pool, and cost no file left open."""
from __future__ import annotations

from pathlib import Path

import pytest
from bag_factory import START_NS
from bag_factory import camera
from bag_factory import write_bag

from active_collection.bags.find import find_bags
from active_collection.selection import index as index_module
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.pool import Pool
from active_collection.selection.select import Query
from active_collection.selection.select import select


def open_files():
    return sum(1 for _ in Path('/proc/self/fd').iterdir())


def check(directory, count, monkeypatch):
    for i in range(count):
        write_bag(directory / 'bags' / f'{i // 100:03}' / f'b{i}', camera(
            1, first=i, start_ns=START_NS + i * 10**9, size=(8, 8)))
    (directory / 'bags' / 'torn.mcap').write_bytes(b'\x89MCAP0\r\n')
    monkeypatch.setattr(index_module, '_PROCESS_BYTES', 1)
    opened = open_files()
    told = []

    report = index(find_bags([directory / 'bags']), directory / 'pool', IndexSettings(
        'descriptor',
        processes=2), lambda *progress: told.append(progress))

    assert (report.indexed, report.units, len(report.failed)) == (count, count, 1)
    assert open_files() <= opened + 2
    assert told[-1] == (count + 1, count + 1, count)
    assert len(told) >= count // 64  # bags are indexed by the dozen
    pool = Pool.open(directory / 'pool')
    assert len(set(pool.texts('unit_id'))) == len(set(pool.texts('bag'))) == count
    assert not list((directory / 'pool' / 'parts').iterdir())

    again = index(find_bags([directory / 'bags']), directory / 'pool',
                  IndexSettings('descriptor', processes=2))

    assert (again.indexed, again.unchanged, again.units) == (0, count, count)
    chosen = select(pool, Query(count // 10))
    assert len({pick.unit for pick in chosen.picks}) == len(chosen.picks) > 0


def test_dozens_of_tiny_bags(tmp_path, monkeypatch):
    check(tmp_path, 60, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thousands_of_tiny_bags(tmp_path, monkeypatch):
    check(tmp_path, 3000, monkeypatch)
