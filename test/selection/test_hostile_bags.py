# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Broken bags are reported and stepped over: never a traceback, never silence."""
from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from bag_factory import START_NS
from bag_factory import camera
from bag_factory import image
from bag_factory import scene
from bag_factory import write_bag
from bag_factory import write_bag1
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.bags.find import find_bags
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling
from active_collection.selection.pool import Pool

ALL = IndexSettings('descriptor', sampling=Sampling(rate_hz=0))
KINDS = {'a.mcap': ('mcap', 'none'), 'zstd.mcap': ('mcap', 'storage'),
         'a.db3': ('sqlite3', 'none'), 'a.bag': ('rosbag1', 'none'),
         'lz4.bag': ('rosbag1', 'lz4')}


@pytest.fixture(scope='module')
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp('corpus')
    for name, (storage, compression) in KINDS.items():
        if storage == 'rosbag1':
            frames = [('/c', START_NS + i * 10**8, image(scene(i), ros1=True)) for i in range(4)]
            write_bag1(root / name, frames, compression=compression)
        else:
            made = write_bag(root / Path(name).stem, camera(4), storage=storage,
                             compression=compression)
            shutil.move(next(p for p in made.iterdir() if p.suffix == Path(name).suffix),
                        root / name)
            shutil.rmtree(made)
    return root


@pytest.mark.parametrize('name', KINDS)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_flipped_and_missing_bytes_are_counted_or_do_no_harm(corpus, name, data):
    check_damaged(corpus, name, data)


@pytest.mark.slow
@pytest.mark.parametrize('name', KINDS)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_many_flipped_and_missing_bytes_do_no_harm(corpus, name, data):
    check_damaged(corpus, name, data)


def check_damaged(corpus, name, data):
    content = bytearray((corpus / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
    content = content[:data.draw(st.one_of(st.just(len(content)),
                                           st.integers(1, len(content))))]
    with TemporaryDirectory() as directory:
        root = Path(directory)
        write_bag(root / 'bags' / 'whole', camera(2, first=50))
        (root / 'bags' / name).write_bytes(bytes(content))
        report = index(find_bags([root / 'bags']), root / 'pool', ALL)
        pool = Pool.open(root / 'pool')
        assert pool.texts('bag').count('bags/whole') == 2
        assert report.indexed + len(report.failed) == 2
        assert all('\n' not in line for line in
                   (*(line for _, line in report.failed), *report.corrupt))


def test_metadata_that_names_files_elsewhere_does_not_reach_them(tmp_path):
    made = write_bag(tmp_path / 'bags' / 'b', camera(2))
    write_bag(tmp_path / 'secret', camera(3, first=9))
    metadata = made / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('b.mcap', '../../secret/secret.mcap'))
    report = index(find_bags([tmp_path / 'bags']), tmp_path / 'pool', ALL)
    assert report.units == 0
    assert 'secret.mcap' in report.failed[0][1]


def test_an_image_that_claims_to_be_huge_is_left_out(tmp_path):
    huge = image(scene(1))
    huge.height = huge.width = 1 << 20
    write_bag(tmp_path / 'bags' / 'b', [*camera(2), ('/camera/image_raw', START_NS + 10**9, huge)])
    report = index(find_bags([tmp_path / 'bags']), tmp_path / 'pool', ALL)
    assert report.added == 2
    assert 'pixels' in report.corrupt[0]
