# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Turn image messages of every common encoding into RGB arrays, within a size limit."""
from __future__ import annotations

import struct
from collections.abc import Callable
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from active_collection.bags import rvl
from active_collection.errors import BagError

if TYPE_CHECKING:
    from active_collection.bags.reader import Bag

#: (height, width, 3), red green blue.
RGB = NDArray[np.uint8]

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage'
#: Each frame needs the ones before it: `video.VideoStream` decodes it.
VIDEO = 'foxglove_msgs/msg/CompressedVideo'
IMAGE_TYPES = frozenset({IMAGE, COMPRESSED_IMAGE, VIDEO})

#: Largest image that is decoded: 8,192 x 8,192. A compressed one can claim any size in few bytes.
MAX_PIXELS = 1 << 26

#: OpenCV decodes to red green blue from 4.11 on; before, to blue green red.
_DECODES_TO_RGB = hasattr(cv2, 'IMREAD_COLOR_RGB')

_PNG = b'\x89PNG\r\n\x1a\n'
_JPEG = b'\xff\xd8'
#: Element types of raw pictures, by name and whether they are big-endian.
_ORDERED = {(name, is_big): np.dtype(name).newbyteorder('>' if is_big else '<')
            for name in ('u1', 'u2', 'f4') for is_big in (False, True)}
#: Bytes in front of the PNG of a compressedDepth message: int32 format, float32 quantisation a, b.
_DEPTH_HEADER = struct.Struct('<iff')


class _Encoding(NamedTuple):
    """How a raw encoding lies in memory, and how it becomes RGB."""

    dtype: str
    channels: int
    convert: Callable[[NDArray[Any]], RGB]


def image_topics(bag: Bag) -> list[str]:
    """
    Return the topics of a bag that hold images, in the order of their names.

    :raises BagError: where it has none; names the topics that it has
    """
    topics = [name for name, info in bag.topics.items() if info.type in IMAGE_TYPES and info.count]
    if not topics:
        found = ', '.join(f'{name} ({info.type})' for name, info in bag.topics.items())
        raise BagError(bag.path, found=f'topics {found}' if found else 'no topics',
                       expected=f'a topic with messages of {" or ".join(sorted(IMAGE_TYPES))}')
    return topics


def to_rgb(message: Any, *, where: str, max_pixels: int = MAX_PIXELS) -> RGB:
    """
    Return the picture of an Image or CompressedImage message.

    Depth (16UC1, 32FC1, compressedDepth) becomes grey: near is bright, far is dark, the 1st and
    99th percentile of the picture are the ends; what was not measured (0, NaN) is black.

    :param message: from rosbags or rclpy
    :param where: bag, topic and time, for messages
    :param max_pixels: largest height times width
    :return: uint8 of shape (height, width, 3); may share memory with the message
    :raises BagError: where size, step, encoding or content is wrong
    """
    try:
        if hasattr(message, 'encoding'):
            return _raw_to_rgb(message, where, max_pixels)
        if hasattr(message, 'format'):
            return _compressed_to_rgb(message, where, max_pixels)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        # A bag brings its own definitions: its "Image" may have other fields than ours.
        raise BagError(where, found=f'{type(error).__name__}: {error}',
                       expected='an image message with the usual fields') from error
    raise BagError(where, found=type(message).__name__, expected='an image message')


def for_opencv(image: NDArray[Any]) -> NDArray[Any]:
    """
    Return a picture in one piece of memory; of a single pixel, 2 x 2 of it.

    OpenCV before 4.6 does not take a single pixel.

    :param image: (height, width) or (height, width, channels)
    """
    if image.shape[:2] == (1, 1):
        image = image.repeat(2, axis=0).repeat(2, axis=1)
    return np.ascontiguousarray(image)


def stamp_ns(message: Any, receive_ns: int) -> int:
    """Return when a message says it was taken (ns); its receive time where it does not say."""
    stamp = getattr(getattr(message, 'header', None), 'stamp', None)
    stamp = getattr(message, 'timestamp', None) if stamp is None else stamp  # of a video
    seconds, nanoseconds = getattr(stamp, 'sec', 0), getattr(stamp, 'nanosec', 0)
    if not isinstance(seconds, int) or not isinstance(nanoseconds, int):
        return receive_ns
    taken = seconds * 10**9 + nanoseconds
    return taken if 0 < taken < 1 << 63 else receive_ns


def _raw_to_rgb(message: Any, where: str, max_pixels: int) -> RGB:
    height, width, step = int(message.height), int(message.width), int(message.step)
    _check_size(height, width, where, max_pixels)
    encoding = _ENCODINGS.get(str(message.encoding).lower())
    if encoding is None:
        raise BagError(f'{where}: encoding', found=repr(message.encoding),
                       expected=f'one of {", ".join(_ENCODINGS)}')
    dtype = _ORDERED[encoding.dtype, bool(message.is_bigendian)]
    row = width * encoding.channels * dtype.itemsize
    data = np.asarray(message.data, dtype=np.uint8)
    needed = step * (height - 1) + row
    if step < row or data.size < needed:
        raise BagError(f'{where}: data', found=f'step {step}, {data.size} bytes',
                       expected=f'step >= {row}, {needed} bytes for {height} x {width} '
                                f'{message.encoding}')
    if step != row:
        data = np.ascontiguousarray(
            np.lib.stride_tricks.as_strided(data, (height, row), (step, 1), writeable=False))
    elif data.size > needed:
        data = data[:needed]
    shape = (height, width, encoding.channels) if encoding.channels > 1 else (height, width)
    pixels = (data.view(dtype) if dtype.itemsize > 1 else data).reshape(shape)
    pixels.setflags(write=False)
    try:
        return encoding.convert(pixels)
    except cv2.error as error:
        raise BagError(f'{where}: data', found=f'{height} x {width} {message.encoding} '
                       f'({error.err})', expected='a picture of this encoding') from error


def _compressed_to_rgb(message: Any, where: str, max_pixels: int) -> RGB:
    data = np.asarray(message.data, dtype=np.uint8)
    if 'compresseddepth' in str(message.format).lower():
        return _compressed_depth_to_rgb(data, str(message.format), where, max_pixels)
    if _DECODES_TO_RGB:
        return _decode(data, cv2.IMREAD_COLOR_RGB, where, max_pixels)
    return _by(cv2.COLOR_BGR2RGB)(_decode(data, cv2.IMREAD_COLOR, where, max_pixels))


def _compressed_depth_to_rgb(data: NDArray[np.uint8], form: str, where: str,
                             max_pixels: int) -> RGB:
    if data.size <= _DEPTH_HEADER.size:
        raise BagError(f'{where}: data', found=f'{data.size} bytes of {form!r}',
                       expected='compressedDepth with a 12 byte header')
    _, a, b = _DEPTH_HEADER.unpack(data[:_DEPTH_HEADER.size].tobytes())
    content = data[_DEPTH_HEADER.size:]
    if 'rvl' in form.lower():
        _check_size(*rvl.size(content), where, max_pixels)
        depth: NDArray[Any] = rvl.decode(content)
    else:
        depth = _decode(content, cv2.IMREAD_UNCHANGED, where, max_pixels)
    if depth.ndim != 2:
        raise BagError(f'{where}: data', found=f'{depth.shape[2]} channels', expected='1 channel')
    if form.lower().startswith('32fc1'):
        quantised = depth.astype(np.float32)
        with np.errstate(divide='ignore', invalid='ignore'):
            depth = np.where(quantised > 0, a / (quantised - b), np.nan)
    return _depth_to_rgb(depth)


def _decode(data: NDArray[np.uint8], flag: int, where: str, max_pixels: int) -> NDArray[Any]:
    """Decode a JPEG or PNG after looking at the size that it claims."""
    content = data.tobytes()
    height, width = _claimed_size(content, where)
    _check_size(height, width, where, max_pixels)
    if content.startswith(_JPEG) and b'\xff\xd9' not in content[-65536:]:
        raise BagError(f'{where}: data', found=f'{len(content)} bytes without an end',
                       expected='a whole JPEG')
    try:
        decoded = cv2.imdecode(data, flag)
    except cv2.error as error:
        raise BagError(f'{where}: data', found=str(error.err), expected='JPEG or PNG') from error
    if decoded is None:
        raise BagError(f'{where}: data', found=f'{len(content)} corrupt bytes',
                       expected='a whole JPEG or PNG')
    return np.asarray(decoded)


def _claimed_size(content: bytes, where: str) -> tuple[int, int]:
    """Return height and width from the head of a PNG or JPEG."""
    if content.startswith(_PNG) and len(content) >= 24:
        width, height = struct.unpack('>II', content[16:24])
        return height, width
    position = 2 if content.startswith(_JPEG) else len(content)
    while position + 9 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:
            position += 1
        elif 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack('>HH', content[position + 5:position + 9])
            return height, width
        else:
            position += 2 + int.from_bytes(content[position + 2:position + 4], 'big')
    raise BagError(f'{where}: data', found=f'{len(content)} bytes that begin with '
                   f'{content[:8].hex() or "nothing"}', expected='a JPEG or PNG')


def _check_size(height: int, width: int, where: str, max_pixels: int) -> None:
    if height < 1 or width < 1 or height * width > max_pixels:
        raise BagError(f'{where}: size', found=f'{height} x {width}',
                       expected=f'1 to {max_pixels:,} pixels')


def _grey_to_rgb(grey: NDArray[Any]) -> RGB:
    return np.repeat(grey[:, :, None], 3, axis=2)


def _high_byte(pixels: NDArray[Any]) -> RGB:
    return (pixels >> 8).astype(np.uint8)


def _depth_to_rgb(depth: NDArray[Any]) -> RGB:
    metres = depth.astype(np.float32)
    valid = np.isfinite(metres) & (metres > 0)
    grey = np.zeros(depth.shape, np.uint8)
    if valid.any():
        near, far = np.percentile(metres[valid], (1, 99))
        scale = 1.0 / (far - near) if far > near else 0.0
        share = np.clip((metres[valid] - near) * scale, 0.0, 1.0)
        grey[valid] = np.round(255.0 - 254.0 * share).astype(np.uint8)
    return _grey_to_rgb(grey)


def _by(code: int) -> Callable[[NDArray[Any]], RGB]:
    """Return OpenCV's conversion with a code."""
    def convert(pixels: NDArray[Any]) -> RGB:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), code), dtype=np.uint8)
    return convert


def _by_16(code: int) -> Callable[[NDArray[Any]], RGB]:
    """Return OpenCV's conversion of the high bytes of 16-bit pixels."""
    convert = _by(code)
    return lambda pixels: convert(_high_byte(pixels))


def _bayer() -> dict[str, _Encoding]:
    encodings = {}
    # OpenCV names a pattern after its second row, and only later versions after its first too.
    for pattern, code in (('rggb', cv2.COLOR_BayerBG2RGB), ('bggr', cv2.COLOR_BayerRG2RGB),
                          ('gbrg', cv2.COLOR_BayerGR2RGB), ('grbg', cv2.COLOR_BayerGB2RGB)):
        encodings[f'bayer_{pattern}8'] = _Encoding('u1', 1, _by(code))
        encodings[f'bayer_{pattern}16'] = _Encoding('u2', 1, _by_16(code))
    return encodings


_ENCODINGS: Mapping[str, _Encoding] = {
    'rgb8': _Encoding('u1', 3, lambda pixels: pixels),
    'rgba8': _Encoding('u1', 4, lambda pixels: np.ascontiguousarray(pixels[:, :, :3])),
    'rgb16': _Encoding('u2', 3, _high_byte),
    'rgba16': _Encoding('u2', 4, lambda pixels: _high_byte(pixels[:, :, :3])),
    'bgr8': _Encoding('u1', 3, _by(cv2.COLOR_BGR2RGB)),
    'bgra8': _Encoding('u1', 4, _by(cv2.COLOR_BGRA2RGB)),
    'bgr16': _Encoding('u2', 3, _by_16(cv2.COLOR_BGR2RGB)),
    'bgra16': _Encoding('u2', 4, _by_16(cv2.COLOR_BGRA2RGB)),
    '8uc3': _Encoding('u1', 3, _by(cv2.COLOR_BGR2RGB)),
    '8uc4': _Encoding('u1', 4, _by(cv2.COLOR_BGRA2RGB)),
    'mono8': _Encoding('u1', 1, _grey_to_rgb),
    '8uc1': _Encoding('u1', 1, _grey_to_rgb),
    'mono16': _Encoding('u2', 1, lambda pixels: _grey_to_rgb(_high_byte(pixels))),
    '16uc1': _Encoding('u2', 1, _depth_to_rgb),
    '32fc1': _Encoding('f4', 1, _depth_to_rgb),
    'yuv422': _Encoding('u1', 2, _by(cv2.COLOR_YUV2RGB_UYVY)),
    'uyvy': _Encoding('u1', 2, _by(cv2.COLOR_YUV2RGB_UYVY)),
    'yuv422_yuy2': _Encoding('u1', 2, _by(cv2.COLOR_YUV2RGB_YUY2)),
    'yuyv': _Encoding('u1', 2, _by(cv2.COLOR_YUV2RGB_YUY2)),
    **_bayer(),
}
