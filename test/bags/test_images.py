# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from bag_factory import START_NS
from bag_factory import camera
from bag_factory import compressed
from bag_factory import image
from bag_factory import joints
from bag_factory import scene
from bag_factory import write_bag
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.bags import images
from active_collection.bags.images import image_topics
from active_collection.bags.images import stamp_ns
from active_collection.bags.images import to_rgb
from active_collection.bags.reader import open_bag
from active_collection.errors import BagError

RGB = scene(7)
GREY = RGB[:, :, 0]


def rgb_of(message):
    return to_rgb(message, where='/camera')


@pytest.mark.parametrize(('encoding', 'pixels'), [
    ('rgb8', RGB), ('bgr8', RGB[:, :, ::-1]), ('rgba8', np.dstack([RGB, GREY])),
    ('bgra8', np.dstack([RGB[:, :, ::-1], GREY])), ('8UC3', RGB[:, :, ::-1]),
    ('rgb16', RGB.astype(np.uint16) << 8 | 77), ('bgr16', RGB[:, :, ::-1].astype(np.uint16) << 8)])
@pytest.mark.parametrize('padding', [0, 6])
def test_colour_encodings_give_the_same_picture(encoding, pixels, padding):
    got = rgb_of(image(pixels, encoding, padding=padding))
    assert got.dtype == np.uint8
    assert np.array_equal(got, RGB)


@pytest.mark.parametrize(('encoding', 'pixels'), [
    ('mono8', GREY), ('8UC1', GREY), ('mono16', GREY.astype(np.uint16) << 8)])
def test_grey_encodings_give_three_equal_channels(encoding, pixels):
    assert np.array_equal(rgb_of(image(pixels, encoding)), np.dstack([GREY] * 3))


def test_big_endian_pixels_are_swapped():
    pixels = (GREY.astype(np.uint16) << 8).astype('>u2')
    got = rgb_of(image(pixels, 'mono16', big_endian=True))
    assert np.array_equal(got[:, :, 0], GREY)


@pytest.mark.parametrize(('encoding', 'dtype', 'unit'), [('16UC1', np.uint16, 1000),
                                                       ('32FC1', np.float32, 1)])
def test_depth_is_bright_where_near_and_black_where_not_measured(encoding, dtype, unit):
    depth = (np.linspace(0.5, 4.0, 600).reshape(20, 30) * unit).astype(dtype)
    depth[0, 0] = 0
    got = rgb_of(image(depth, encoding))[:, :, 0]
    assert got[0, 0] == 0
    assert got[0, 1] == 255
    assert got[-1, -1] == 1
    assert np.all(np.diff(got.reshape(-1)[1:].astype(int)) <= 0)


def test_depth_without_any_measurement_is_black():
    assert not rgb_of(image(np.full((4, 4), np.nan, np.float32), '32FC1')).any()


@pytest.mark.parametrize(('encoding', 'order'), [
    ('yuv422', 'UYVY'), ('uyvy', 'UYVY'), ('yuv422_yuy2', 'YUYV'), ('yuyv', 'YUYV')])
def test_yuv_is_converted(encoding, order):
    packed = np.full((4, 4, 2), 128, np.uint8)
    packed[:, :, order.index('Y')] = 235
    got = rgb_of(image(packed, encoding))
    assert got.shape == (4, 4, 3)
    assert np.ptp(got) <= 1
    assert got.min() >= 254


@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
@pytest.mark.parametrize('bits', [8, 16])
def test_bayer_of_a_plain_colour_gives_that_colour(pattern, bits):
    colour = {'r': 200, 'g': 100, 'b': 30}
    mosaic = np.empty((8, 8), np.uint16)
    for i, letter in enumerate(pattern):
        mosaic[i // 2::2, i % 2::2] = colour[letter]
    pixels = mosaic.astype(np.uint8) if bits == 8 else mosaic << 8
    got = rgb_of(image(pixels, f'bayer_{pattern}{bits}'))
    assert got[4, 4].tolist() == [200, 100, 30]


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_compressed_images_are_decoded_as_rgb(suffix):
    smooth = cv2.GaussianBlur(scene(3, size=(64, 64)), (0, 0), 5)
    data = cv2.imencode(suffix, smooth[:, :, ::-1])[1].tobytes()
    got = rgb_of(compressed(data))
    assert np.abs(got.astype(int) - smooth).mean() < 5


def test_an_opencv_that_decodes_only_to_bgr_gives_the_same_picture(monkeypatch):
    message = compressed(cv2.imencode('.png', scene(3)[:, :, ::-1])[1].tobytes())
    monkeypatch.setattr(images, '_DECODES_TO_RGB', False)

    np.testing.assert_array_equal(rgb_of(message), scene(3))


@pytest.mark.parametrize('shape', [(1, 1, 3), (1, 1), (1, 7, 3), (7, 1, 3), (5, 4, 3)])
def test_a_picture_for_opencv_is_in_one_piece_and_no_single_pixel(shape):
    picture = np.flip(np.full(shape, (9,), np.uint8), axis=-1)

    prepared = images.for_opencv(picture)

    assert prepared.flags.c_contiguous and (prepared == 9).all()
    assert prepared.shape == ((2, 2, *shape[2:]) if shape[:2] == (1, 1) else shape)


@pytest.mark.parametrize(('form', 'dtype'), [('16UC1', np.uint16), ('32FC1', np.float32)])
def test_compressed_depth_is_decoded(form, dtype):
    depth = np.linspace(500, 4000, 600).reshape(20, 30)
    a, b = 100.0, -10.0
    stored = depth if form == '16UC1' else a / (depth / 1000) + b + 20
    data = struct.pack('<iff', 0, a, b + 20) + cv2.imencode(
        '.png', stored.astype(np.uint16))[1].tobytes()
    got = rgb_of(compressed(data, f'{form}; compressedDepth png'))[:, :, 0]
    assert got[0, 0] == 255
    assert got[-1, -1] == 1


def png_header(width: int, height: int) -> bytes:
    body = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + body + bytes(64)


JPEG = cv2.imencode('.jpg', RGB)[1].tobytes()


def bomb() -> bytes:
    start = JPEG.index(b'\xff\xc0')
    return JPEG[:start + 5] + b'\xff\xff\xff\xff' + JPEG[start + 9:]


@pytest.mark.parametrize('data', [
    b'', b'\xff\xd8', b'GIF89a', png_header(10**6, 10**6), png_header(0, 5), png_header(64, 64),
    JPEG[:len(JPEG) // 2], JPEG[:-2], bomb(), JPEG[:100] + JPEG[:2]])
def test_corrupt_compressed_images_are_refused_before_memory_is_taken(data):
    with pytest.raises(BagError, match='/camera'):
        rgb_of(compressed(data))


@pytest.mark.parametrize('change', [
    {'height': 0}, {'width': 2**31}, {'height': 2**20, 'width': 2**20}, {'step': 1},
    {'encoding': 'cmyk'}, {'encoding': ''}, {'height': 25}, {'data': np.zeros(5, np.uint8)}])
def test_raw_images_of_a_wrong_size_step_or_encoding_are_refused(change):
    message = image(RGB)
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(BagError, match='/camera'):
        rgb_of(message)


def test_what_is_no_image_is_refused():
    with pytest.raises(BagError, match='JointState'):
        rgb_of(joints())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flipped_bits_give_a_picture_or_a_bag_error(data):
    content = bytearray(data.draw(st.sampled_from(
        [JPEG, cv2.imencode('.png', RGB)[1].tobytes()])))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        got = to_rgb(compressed(bytes(content)), where='/camera', max_pixels=10**6)
    except BagError:
        return
    assert got.ndim == 3
    assert got.dtype == np.uint8


@settings(max_examples=80, deadline=None)
@given(shape=st.tuples(st.integers(-1, 40), st.integers(-1, 40)), step=st.integers(0, 200),
       size=st.integers(0, 4000),
       encoding=st.sampled_from(['rgb8', 'mono16', '32FC1', 'bayer_rggb8', 'yuv422', 'x']))
def test_any_header_gives_a_picture_of_its_size_or_a_bag_error(shape, step, size, encoding):
    message = image(RGB)
    (message.height, message.width), message.step = shape, step
    message.encoding, message.data = encoding, np.zeros(size, np.uint8)
    try:
        got = rgb_of(message)
    except BagError:
        return
    assert got.shape == (*shape, 3)


def test_image_topics_are_found_by_type(tmp_path):
    path = write_bag(tmp_path / 'a', [*camera(2), ('/joint_states', START_NS, joints()),
                                      ('/jpeg', START_NS, compressed(JPEG))])
    with open_bag(path) as bag:
        assert image_topics(bag) == ['/camera/image_raw', '/jpeg']


def test_a_bag_without_images_names_the_topics_that_it_has(tmp_path):
    path = write_bag(tmp_path / 'a', [('/joint_states', START_NS, joints())])
    with open_bag(path) as bag, pytest.raises(BagError, match='/joint_states'):
        image_topics(bag)


def test_the_stamp_is_the_headers_or_else_the_receive_time():
    assert stamp_ns(image(RGB, stamp_ns=5_000_000_001), 7) == 5_000_000_001
    assert stamp_ns(image(RGB, stamp_ns=0), 7) == 7
    assert stamp_ns(object(), 7) == 7


def test_an_image_type_with_other_fields_is_refused():
    strange = type('Image', (), {'encoding': 'rgb8', 'height': 3})()
    with pytest.raises(BagError, match='usual fields'):
        rgb_of(strange)
    strange.header = type('Header', (), {'stamp': type('Time', (), {'sec': 'x'})()})()
    assert stamp_ns(strange, 7) == 7
