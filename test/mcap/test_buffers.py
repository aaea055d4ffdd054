# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Memory is used again only when nobody looks at it any more."""
from __future__ import annotations

import numpy as np
import pytest
from bag_factory import camera
from bag_factory import scene
from bag_factory import write_bag
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.bags.images import to_rgb
from active_collection.bags.reader import open_bag
from active_collection.mcap.buffers import SMALL
from active_collection.mcap.buffers import Buffers

SIZE = (240, 320)  # 230 kB a picture: more than the allocator keeps at hand


def address(view):
    return np.frombuffer(view, np.uint8).__array_interface__['data'][0]


def test_what_nobody_looks_at_is_lent_again():
    buffers = Buffers()
    first = buffers.take(1000)
    place = address(first)
    assert address(buffers.take(900)) != place  # it is looked at
    del first
    assert address(buffers.take(900)) == place


@pytest.mark.parametrize('look', [
    lambda view: view[10:20], lambda view: np.frombuffer(view, np.uint8)[::7],
    lambda view: view.toreadonly()])
def test_whatever_is_made_of_a_buffer_keeps_it(look):
    buffers = Buffers()
    view = buffers.take(1000)
    view[:] = bytes(range(250)) * 4
    seen = look(view)
    before = bytes(seen)
    del view
    for _ in range(10):
        buffers.take(1000)[:] = b'x' * 1000
    assert bytes(seen) == before


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 6)), max_size=60))
def test_no_two_views_ever_share_memory(steps):
    buffers, held = Buffers(), []
    for number, (size, keep) in enumerate(steps):
        view = buffers.take(size)
        assert len(view) == size
        view[:] = bytes([number % 256]) * size
        held = [*held[-keep:], (view, number % 256)] if keep else [(view, number % 256)]
        for seen, value in held:
            assert set(bytes(seen)) == {value}


@pytest.mark.parametrize('compression', ['none', 'storage'])
@pytest.mark.parametrize('sparse', [False, True])
def test_pictures_that_are_kept_stay_what_they_were(tmp_path, compression, sparse):
    write_bag(tmp_path / 'b', camera(24, size=SIZE), compression=compression)
    assert SIZE[0] * SIZE[1] * 3 > SMALL
    with open_bag(tmp_path / 'b') as bag:
        kept = [to_rgb(message.decode(), where='') for message in bag.messages(
            wanted=(lambda *_: True) if sparse else None)]
    assert all(np.array_equal(picture, scene(i, size=SIZE)) for i, picture in enumerate(kept))
    with open_bag(tmp_path / 'b') as bag:
        some = [to_rgb(message.decode(), where='') if i % 3 == 0 else None
                for i, message in enumerate(bag.messages(
                    wanted=(lambda *_: True) if sparse else None))]
    assert all(picture is None or np.array_equal(picture, scene(i, size=SIZE))
               for i, picture in enumerate(some))


def test_pictures_cannot_be_written_into(tmp_path):
    """They share memory with the chunk that other messages lie in."""
    write_bag(tmp_path / 'b', camera(2, size=SIZE))
    with open_bag(tmp_path / 'b') as bag:
        picture = to_rgb(next(iter(bag.messages())).decode(), where='')
    with pytest.raises(ValueError, match='read-only'):
        picture[0, 0, 0] = 1
