# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from fractions import Fraction

import cv2
import numpy as np
import pytest
from bag_factory import START_NS
from bag_factory import STORE
from bag_factory import compressed
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import get_types_from_msg

from active_collection.bags.images import VIDEO
from active_collection.bags.images import to_rgb
from active_collection.bags.reader import open_bag
from active_collection.bags.video import VideoStream
from active_collection.bags.video import is_key_frame
from active_collection.bags.video import picture_at
from active_collection.errors import BagError

av = pytest.importorskip('av')

STORE.register(get_types_from_msg('builtin_interfaces/Time timestamp\nstring frame_id\n'
                                  'uint8[] data\nstring format', VIDEO))
ENCODERS = {'h264': ('libx264', {'preset': 'ultrafast', 'tune': 'zerolatency'}),
            'h265': ('libx265', {'preset': 'ultrafast', 'tune': 'zerolatency',
                                 'x265-params': 'log-level=none'}),
            'vp9': ('libvpx-vp9', {'deadline': 'realtime', 'cpu-used': '8', 'lag-in-frames': '0'}),
            'av1': ('libsvtav1', {'preset': '12', 'crf': '20',
                                  'svtav1-params': 'pred-struct=1:lookahead=0'})}
#: Frames from one key frame to the next.
GROUP = 5


def frame(number):
    """A picture whose brightness tells its number, with something that moves."""
    pixels = np.full((64, 96, 3), 20 + 12 * number, np.uint8)
    cv2.circle(pixels, (10 + 4 * number, 32), 8, (255, 255, 255), -1)
    return pixels


@pytest.fixture(autouse=True)
def _ordinary_priority():
    """SVT-AV1, run by root, turns its caller into a real-time process that starves all others."""
    before, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    yield
    os.sched_setscheduler(0, before, parameter)


def encode(form, count):
    """`count` packets, one a frame; skips where this FFmpeg has no encoder."""
    name, options = ENCODERS[form]
    try:
        context = av.CodecContext.create(name, 'w')
    except (av.error.FFmpegError, ValueError):
        pytest.skip(f'no encoder {name}')
    context.width, context.height, context.pix_fmt = 96, 64, 'yuv420p'
    context.time_base, context.framerate = Fraction(1, 30), Fraction(30)
    context.gop_size, context.max_b_frames = GROUP, 0
    if form != 'av1':
        context.bit_rate = 2_000_000
    context.options = options
    packets = []
    for number in range(count):
        picture = av.VideoFrame.from_ndarray(frame(number), format='rgb24')
        picture.pts = number
        if form == 'vp9' and number % GROUP == 0:
            picture.pict_type = av.video.frame.PictureType.I
        packets += [bytes(packet) for packet in context.encode(picture)]
    packets += [bytes(packet) for packet in context.encode(None)]
    if len(packets) != count:
        pytest.skip(f'{name} made {len(packets)} packets of {count} frames')
    return packets


def message(data, form, number=0):
    ns = START_NS + number * 10**8
    stamp = STORE.types['builtin_interfaces/msg/Time'](ns // 10**9, ns % 10**9)
    return STORE.types[VIDEO](stamp, 'camera', np.frombuffer(data, np.uint8), form)


def brightness(picture):
    return picture[:8, :8].mean()


@pytest.mark.parametrize('form', ENCODERS)
def test_every_picture_is_decoded_whether_or_not_those_before_it_were_wanted(form):
    packets = encode(form, 15)
    for step in (1, 3, 7):
        stream = VideoStream('/video')
        for number, packet in enumerate(packets):
            stream.push(message(packet, form))
            if number % step == step - 1:
                assert abs(brightness(stream.picture()) - (20 + 12 * number)) < 6


@pytest.mark.parametrize('form', ENCODERS)
def test_key_frames_are_told_from_others(form):
    keys = [is_key_frame(packet, form) for packet in encode(form, 11)]
    assert keys[0]
    assert not all(keys)
    if form in {'h264', 'h265'}:
        assert [number for number, key in enumerate(keys) if key] == [0, 5, 10]


def test_a_video_that_begins_between_key_frames_is_refused_until_the_next():
    packets = encode('h264', 8)
    stream = VideoStream('/video')
    for packet in packets[2:5]:
        stream.push(message(packet, 'h264'))
        with pytest.raises(BagError, match='key frame'):
            stream.picture()
    for packet in packets[5:7]:
        stream.push(message(packet, 'h264'))
    assert abs(brightness(stream.picture()) - (20 + 12 * 6)) < 6


def test_a_corrupt_packet_costs_pictures_until_the_next_key_frame():
    packets = encode('h264', 12)
    packets[1] = b'\0\0\0\1\x61' + bytes(40)
    stream = VideoStream('/video')
    good = []
    for number, packet in enumerate(packets):
        stream.push(message(packet, 'h264'))
        try:
            good.append((number, brightness(stream.picture())))
        except BagError:
            continue
    assert {0, 5, 6, 7, 8, 9, 10, 11} <= {number for number, _ in good}


def test_a_picture_over_the_limit_is_refused():
    stream = VideoStream('/video', max_pixels=1000)
    stream.push(message(encode('h264', 1)[0], 'h264'))
    with pytest.raises(BagError, match='1,000 pixels'):
        stream.picture()


def test_an_unknown_format_is_refused():
    with pytest.raises(BagError, match='format'):
        VideoStream('/video').push(message(b'x', 'mpeg2'))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_flipped_bytes_give_a_picture_or_a_bag_error(data):
    packets = encode('h264', 6)
    stream = VideoStream('/video', max_pixels=10**6)
    for packet in packets:
        content = bytearray(packet)
        for _ in range(data.draw(st.integers(0, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        try:
            stream.push(message(bytes(content), 'h264'))
            assert stream.picture().ndim == 3
        except BagError:
            continue


def write_video(path, form='h264', count=15):
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/video', VIDEO, typestore=STORE)
        for number, packet in enumerate(encode(form, count)):
            data = STORE.serialize_cdr(message(packet, form, number), VIDEO)
            writer.write(connection, START_NS + number * 10**8, data)
    return path


def test_any_picture_of_a_recorded_video_is_found(tmp_path):
    with open_bag(write_video(tmp_path / 'v')) as bag:
        for number in (0, 4, 5, 13):
            got = picture_at(bag, '/video', START_NS + number * 10**8, 0)
            assert abs(brightness(got) - (20 + 12 * number)) < 6
        with pytest.raises(BagError, match='no such message'):
            picture_at(bag, '/video', START_NS + 7, 0)


def rvl(depth):
    """Encode as Wilson's paper does, pixel by pixel."""
    nibbles, previous, flat, place = [], 0, depth.reshape(-1).astype(int), 0

    def put(value):
        while True:
            low, value = value & 7, value >> 3
            nibbles.append(low | (8 if value else 0))
            if not value:
                return
    while place < flat.size:
        zeros = place
        while place < flat.size and flat[place] == 0:
            place += 1
        put(place - zeros)
        start = place
        while place < flat.size and flat[place] != 0:
            place += 1
        put(place - start)
        for value in flat[start:place]:
            delta = value - previous
            put((delta << 1) ^ (delta >> 31))
            previous = value
    nibbles += [0] * (-len(nibbles) % 8)
    words = [sum(n << (28 - 4 * i) for i, n in enumerate(nibbles[at:at + 8]))
             for at in range(0, len(nibbles), 8)]
    head = np.array([depth.shape[1], depth.shape[0]], '<u4')
    return head.tobytes() + np.array(words, '<u4').tobytes()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), gaps=st.floats(0, 1))
def test_rvl_gives_back_every_depth(seed, gaps):
    from active_collection.bags.rvl import decode
    rng = np.random.default_rng(seed)
    depth = np.cumsum(rng.integers(-300, 300, (9, 14)), axis=1).clip(0, 65535) + 1000
    depth = np.where(rng.random(depth.shape) < gaps, 0, depth).astype(np.uint16)
    assert np.array_equal(decode(np.frombuffer(rvl(depth), np.uint8)), depth)


def test_compressed_depth_with_rvl_becomes_a_picture():
    depth = np.linspace(500, 4000, 600).reshape(20, 30).astype(np.uint16)
    got = to_rgb(compressed(bytes(12) + rvl(depth), '16UC1; compressedDepth rvl'), where='/c')
    assert (got[0, 0, 0], got[-1, -1, 0]) == (255, 1)


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200), size=st.tuples(st.integers(0, 50), st.integers(0, 2**32 - 1)))
def test_rvl_of_any_bytes_is_a_picture_or_a_bag_error(data, size):
    content = bytes(12) + np.array(size, '<u4').tobytes() + data
    try:
        got = to_rgb(compressed(content, '16UC1; compressedDepth rvl'), where='/c',
                     max_pixels=10**4)
    except BagError:
        return
    assert got.shape == (size[1], size[0], 3)
