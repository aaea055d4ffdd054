# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Embeddings that are not what the index has the checksum of are not used."""
from __future__ import annotations

import zlib

import numpy as np
import pytest
from bag_factory import camera
from bag_factory import write_bag

from active_collection.bags.find import find_bags
from active_collection.cli.main import main
from active_collection.errors import SelectionError
from active_collection.selection import pool as pool_module
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling
from active_collection.selection.pool import EMBEDDINGS
from active_collection.selection.pool import Pool
from active_collection.selection.pool import checksum
from active_collection.selection.pool import checksum_of


@pytest.fixture
def data(tmp_path):
    for i in range(2):
        write_bag(tmp_path / 'bags' / f'b{i}', camera(4, first=10 * i))
    again(tmp_path)
    return tmp_path


def again(data):
    return index(find_bags([data / 'bags']), data / 'pool',
                 IndexSettings('descriptor', sampling=Sampling(rate_hz=0)))


def flip(data, place=-5):
    """Turn one bit of the embeddings."""
    path = data / 'pool' / EMBEDDINGS
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_checksum_of_pieces_is_that_of_the_whole(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float16)
    monkeypatch.setattr(pool_module, '_ROWS', 7)
    assert checksum(vectors) == zlib.crc32(vectors.tobytes())
    assert checksum(vectors[40:], checksum(vectors[:40])) == checksum(vectors)


def test_the_index_has_the_checksum_of_all_rows_also_of_those_that_came_later(data):
    first = Pool.open(data / 'pool')
    assert checksum_of(first.units) == (8, checksum(first.embeddings))
    write_bag(data / 'bags' / 'b2', camera(3, first=50))
    again(data)
    pool = Pool.open(data / 'pool')
    assert checksum_of(pool.units) == (11, checksum(pool.embeddings))


def test_a_flipped_bit_is_found_when_the_pool_is_opened(data):
    flip(data)
    with pytest.raises(SelectionError, match='differ from the checksum') as caught:
        Pool.open(data / 'pool')
    assert EMBEDDINGS in caught.value.where


def test_a_large_pool_is_opened_at_once_and_verified_when_asked(data, monkeypatch, capsys):
    monkeypatch.setattr(pool_module, '_CHECKED', 0)
    arguments = ['index', str(data / 'bags'), '--pool', str(data / 'pool'), '--rate', '0',
                 '--extractor', 'descriptor']
    assert main([*arguments, '--verify']) == 0
    flip(data)
    Pool.open(data / 'pool')
    assert main(arguments) == 0
    assert main([*arguments, '--verify']) == 2
    assert 'embeddings.npy: found 8 rows that differ' in capsys.readouterr().err


def test_what_is_damaged_is_not_copied_into_a_larger_pool(data, monkeypatch):
    monkeypatch.setattr(pool_module, '_CHECKED', 0)
    flip(data)
    before = (data / 'pool' / EMBEDDINGS).read_bytes()
    write_bag(data / 'bags' / 'b2', camera(3, first=50))
    with pytest.raises(SelectionError, match='differ from the checksum'):
        again(data)
    assert (data / 'pool' / EMBEDDINGS).read_bytes() == before
    assert not list((data / 'pool').glob('.*partial'))
