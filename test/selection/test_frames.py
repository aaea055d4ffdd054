# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The first frame of each period of each camera is decoded, the others are not even read."""
from __future__ import annotations

import numpy as np
import pytest
from bag_factory import START_NS
from bag_factory import camera
from bag_factory import image
from bag_factory import joints
from bag_factory import scene
from bag_factory import write_bag
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.bags.reader import open_bag
from active_collection.errors import BagError
from active_collection.selection.frames import Frames

MS = 1_000_000
FIRST, SECOND = '/first/image_raw', '/second/image_raw'


def look(path, *, rate_hz, cameras=(FIRST,), max_pixels=10_000):
    """Return (topic, ms since the start) of the frames taken, messages read, and the errors."""
    taken, read, errors = [], 0, []
    with open_bag(path) as bag:
        frames = Frames(bag, cameras, rate_hz=rate_hz, max_pixels=max_pixels)
        for message in bag.messages(cameras, wanted=frames.wanted):
            read += 1
            try:
                frame = frames.take(message)
            except BagError as error:
                errors.append(str(error))
                continue
            if frame is not None:
                taken.append((message.topic, (message.receive_ns - START_NS) // MS))
    return taken, read, errors


def at(times_ms, topic=FIRST):
    return [(topic, START_NS + ms * MS, image(scene(i), stamp_ns=START_NS + ms * MS))
            for i, ms in enumerate(times_ms)]


def test_only_the_first_of_each_period_is_read(tmp_path):
    write_bag(tmp_path / 'b', at(range(0, 3000, 100)))
    taken, read, _ = look(tmp_path / 'b', rate_hz=2.0)
    assert [ms for _, ms in taken] == [0, 500, 1000, 1500, 2000, 2500]
    assert read == 6


def test_cameras_have_periods_of_their_own(tmp_path):
    entries = sorted([*at(range(0, 2000, 100)), *at(range(250, 2000, 100), SECOND)],
                     key=lambda entry: entry[1])
    write_bag(tmp_path / 'b', entries)
    taken, _, _ = look(tmp_path / 'b', rate_hz=1.0, cameras=(FIRST, SECOND))
    assert [ms for topic, ms in taken if topic == FIRST] == [0, 1000]
    assert [ms for topic, ms in taken if topic == SECOND] == [250, 1250]


def test_a_frame_that_comes_a_little_early_counts_for_the_next_period(tmp_path):
    write_bag(tmp_path / 'b', at([0, 960, 980, 1020, 1960]))
    assert [ms for _, ms in look(tmp_path / 'b', rate_hz=1.0)[0]] == [0, 960, 1960]
    write_bag(tmp_path / 'c', at([0, 940, 1020]))
    assert [ms for _, ms in look(tmp_path / 'c', rate_hz=1.0)[0]] == [0, 1020]


def test_a_frame_that_cannot_be_decoded_leaves_its_period_to_the_next(tmp_path):
    entries = at([0, 500, 1000, 1100, 1200, 2000])
    entries[2][2].step = 3
    write_bag(tmp_path / 'b', entries)
    taken, _, errors = look(tmp_path / 'b', rate_hz=1.0)
    assert [ms for _, ms in taken] == [0, 1100, 2000]
    assert len(errors) == 1 and f'{START_NS + 1000 * MS} ns' in errors[0]


def test_a_picture_over_the_limit_is_an_error_with_both_sizes(tmp_path):
    write_bag(tmp_path / 'b', camera(1, topic=FIRST))
    _, _, errors = look(tmp_path / 'b', rate_hz=0, max_pixels=767)
    assert len(errors) == 1 and '24 x 32' in errors[0] and '767' in errors[0]


def test_what_is_no_camera_is_always_wanted(tmp_path):
    entries = [*at([0, 10]), ('/joint_states', START_NS, joints())]
    write_bag(tmp_path / 'b', sorted(entries, key=lambda entry: entry[1]))
    with open_bag(tmp_path / 'b') as bag:
        frames = Frames(bag, [FIRST], rate_hz=1.0, max_pixels=10_000)
        assert all(frames.wanted('/joint_states', START_NS) for _ in range(3))


def test_a_frame_has_its_picture_and_when_it_was_taken(tmp_path):
    write_bag(tmp_path / 'b', camera(1, topic=FIRST, first=7))
    with open_bag(tmp_path / 'b') as bag:
        frames = Frames(bag, [FIRST], rate_hz=1.0, max_pixels=10_000)
        frame = frames.take(next(iter(bag.messages([FIRST]))))
    assert np.array_equal(frame.picture, scene(7))
    assert frame.stamp_ns == START_NS


@pytest.fixture(scope='module')
def empty(tmp_path_factory):
    """A bag whose topics are known: what is asked of it later is up to the test."""
    path = write_bag(tmp_path_factory.mktemp('frames') / 'b', camera(1, topic=FIRST))
    with open_bag(path) as bag:
        yield bag


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60),
       st.floats(0.1, 50.0, allow_nan=False))
def test_no_period_has_two_frames_and_none_with_frames_is_left_out(empty, times_ms, rate_hz):
    frames = Frames(empty, [FIRST], rate_hz=rate_hz, max_pixels=10_000)
    message = next(iter(empty.messages([FIRST])))
    times = [START_NS + ms * MS for ms in sorted(times_ms)]
    period = round(1e9 / rate_hz)
    taken = []
    for time in times:
        if frames.wanted(FIRST, time):
            object.__setattr__(message, 'receive_ns', time)
            assert frames.take(message) is not None
            taken.append(time)
    number = [(time - times[0] + period // 20) // period for time in times]
    assert taken == [time for i, time in enumerate(times)
                     if i == 0 or number[i] > max(number[:i])]
