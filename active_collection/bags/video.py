# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a foxglove_msgs/CompressedVideo topic, decoded by PyAV only where one is wanted."""
from __future__ import annotations

import logging
from typing import Any

import numpy as np

from active_collection.bags.images import MAX_PIXELS
from active_collection.bags.images import RGB
from active_collection.bags.images import VIDEO
from active_collection.bags.images import to_rgb
from active_collection.bags.reader import Bag
from active_collection.errors import BagError
from active_collection.errors import ConfigError
from active_collection.packages import how_to_install

#: FFmpeg's names of the formats that the message knows.
_DECODERS = {'h264': ('h264',), 'h265': ('hevc',), 'av1': ('libdav1d', 'av1'), 'vp9': ('vp9',)}
#: Bytes that are kept of packets that wait for a picture to be wanted.
_LONGEST_WAIT = 256 << 20
#: How far back a key frame is looked for, in turn (s).
_LOOK_BACK_S = (2.0, 15.0, 120.0)


class VideoStream:
    """
    The messages of one video topic, in order.

    A frame that is no key frame needs all frames since the last one. So packets are kept until a
    picture is wanted; a key frame makes those before it superfluous, and they are never decoded.

    :param where: bag and topic, for messages
    :param max_pixels: largest height times width
    """

    def __init__(self, where: str, max_pixels: int = MAX_PIXELS) -> None:
        self._where, self._max_pixels = where, max_pixels
        self._format = ''
        self._context: Any = None
        self._waiting: list[bytes] = []
        self._kept = 0
        self._started = False

    @property
    def has_key_frame(self) -> bool:
        """Tell whether a key frame has come, without which nothing can be decoded."""
        return self._started

    def push(self, message: Any) -> None:
        """
        Take the next message.

        :raises BagError: where its format is unknown, or no key frame comes for too long
        """
        form, data = str(message.format).lower(), bytes(np.asarray(message.data, np.uint8))
        if form not in _DECODERS:
            raise BagError(f'{self._where}: format', found=repr(message.format),
                           expected=f'one of {", ".join(_DECODERS)}')
        if is_key_frame(data, form):
            self._waiting, self._kept, self._context = [], 0, None
            self._started, self._format = True, form
        if not self._started:
            return
        self._waiting.append(data)
        self._kept += len(data)
        if self._kept > _LONGEST_WAIT:
            self._stop()
            raise BagError(f'{self._where}: data', found=f'{self._kept:,} bytes without a key '
                           'frame', expected='a key frame now and then')

    def picture(self) -> RGB:
        """
        Return the picture of the last message.

        :return: uint8 of shape (height, width, 3)
        :raises BagError: where no key frame has come yet, or a packet is corrupt; the next key
            frame begins anew
        :raises ConfigError: where PyAV is missing
        """
        av = _av()
        if not self._started:
            raise BagError(f'{self._where}: data', found='no key frame so far',
                           expected='a video that begins with one')
        try:
            if self._context is None:
                self._context = self._open(av)
            packets, self._waiting, self._kept = self._waiting, [], 0
            frame = None
            for data in packets:
                for frame in self._context.decode(av.Packet(data)):  # noqa: B007 - the last one
                    pass
            if frame is None or not packets:
                raise BagError(f'{self._where}: data', found='no picture',
                               expected='one a message')
            if frame.width * frame.height > self._max_pixels:
                raise BagError(f'{self._where}: size', found=f'{frame.height} x {frame.width}',
                               expected=f'1 to {self._max_pixels:,} pixels')
            return np.asarray(frame.to_ndarray(format='rgb24'), dtype=np.uint8)
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            self._stop()
            raise BagError(f'{self._where}: data', found=f'{type(error).__name__}: {error}',
                           expected=f'{self._format} of at most {self._max_pixels:,} pixels'
                           ) from error
        except BagError:
            self._stop()
            raise

    def _open(self, av: Any) -> Any:
        for name in _DECODERS[self._format]:
            try:
                context = av.CodecContext.create(name, 'r')
            except (av.error.FFmpegError, ValueError):
                continue
            context.thread_count = 1
            # One message is one picture: none may wait in the decoder for others.
            context.options = {'max_pixels': str(self._max_pixels), 'flags': 'low_delay',
                               **({'max_frame_delay': '1'} if name == 'libdav1d' else {})}
            return context
        raise BagError(f'{self._where}: format', found=self._format,
                       expected='a format that this FFmpeg decodes')

    def _stop(self) -> None:
        self._context, self._started, self._waiting, self._kept = None, False, [], 0


def is_key_frame(data: bytes, form: str) -> bool:
    """
    Tell whether a packet can be decoded without those before it.

    :param form: h264, h265 (both Annex B), av1 (OBUs) or vp9
    """
    if form == 'vp9':
        return _is_vp9_key(data)
    if form == 'av1':
        # A key frame that can be started from comes with a sequence header (OBU type 1).
        return 1 in _obu_types(data)
    kinds = _nal_kinds(data)
    if form == 'h264':
        return 5 in {kind & 0x1F for kind in kinds}
    return any(16 <= kind >> 1 & 0x3F <= 21 for kind in kinds)


def picture_at(bag: Bag, topic: str, receive_ns: int, sequence: int, *,
               max_pixels: int = MAX_PIXELS) -> RGB:
    """
    Return the picture of one message of any image topic; of a video, decoded from a key frame on.

    :param receive_ns: its receive time (ns)
    :param sequence: its number among the topic's messages of that time
    :return: uint8 of shape (height, width, 3)
    :raises BagError: where there is no such message, or it cannot be decoded
    """
    where = f'{bag.path}: {topic} at {receive_ns} ns'
    if topic not in bag.topics or bag.topics[topic].type != VIDEO:
        for message in bag.messages([topic], start_ns=receive_ns, stop_ns=receive_ns + 1):
            if message.sequence == sequence:
                return to_rgb(message.decode(), where=where, max_pixels=max_pixels)
        raise _missing(where, sequence)
    starts = [receive_ns - round(seconds * 1e9) for seconds in _LOOK_BACK_S]
    for start_ns in [start for start in starts if start > bag.start_ns] + [0]:
        stream = VideoStream(where, max_pixels)
        for message in bag.messages([topic], start_ns=start_ns, stop_ns=receive_ns + 1):
            stream.push(message.decode())
            if (message.receive_ns, message.sequence) == (receive_ns, sequence):
                if stream.has_key_frame or start_ns == 0:
                    return stream.picture()
                break
        else:
            break
    raise _missing(where, sequence)


def _missing(where: str, sequence: int) -> BagError:
    return BagError(where, found='no such message', expected=f'number {sequence} of that time')


def _nal_kinds(data: bytes) -> list[int]:
    """Return the first byte of each NAL unit."""
    kinds = []
    position = data.find(b'\0\0\1')
    while 0 <= position < len(data) - 3:
        kinds.append(data[position + 3])
        position = data.find(b'\0\0\1', position + 3)
    return kinds


def _obu_types(data: bytes) -> set[int]:
    """Return the types of the OBUs, as far as their lengths can be followed."""
    types = set()
    position = 0
    while position < len(data):
        head = data[position]
        types.add(head >> 3 & 15)
        position += 2 if head & 4 else 1
        if not head & 2:  # without a length: the last one
            break
        size = shift = 0
        while position < len(data) and shift < 56:
            byte = data[position]
            size |= (byte & 0x7F) << shift
            position, shift = position + 1, shift + 7
            if not byte & 0x80:
                break
        position += size
    return types


def _is_vp9_key(data: bytes) -> bool:
    """Read the first bits of an uncompressed header: marker, profile, existing frame, type."""
    if not data or data[0] >> 6 != 2:
        return False
    profile = (data[0] >> 5 & 1) | (data[0] >> 4 & 1) << 1
    shift = 3 if profile < 3 else 2
    existing, other = data[0] >> shift & 1, data[0] >> (shift - 1) & 1
    return not existing and not other


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise ConfigError(VIDEO, found='no package av',
                          expected=how_to_install('video')) from error
    logging.getLogger('libav').setLevel(logging.CRITICAL)  # says in lines what is raised anyway
    return av
