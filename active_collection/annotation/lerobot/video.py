# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The video files of one camera: episodes one after the other, a new file at a size."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_collection.annotation.lerobot import statistics
from active_collection.annotation.lerobot.statistics import Statistics
from active_collection.bags.images import RGB
from active_collection.errors import AnnotationError

#: Every second picture stands alone, so that any can be shown without decoding many before it.
_OPTIONS = {'g': '2', 'crf': '23', 'bf': '0', 'preset': 'veryfast'}
_CODEC, _PIXELS = 'libx264', 'yuv420p'


@dataclass(frozen=True)
class Clip:
    """
    Where an episode lies in a camera's videos.

    :param file: number of the file
    :param start: number of its first picture in that file
    :param statistics: of its pictures
    """

    file: int
    start: int
    count: int
    statistics: Statistics


class CameraWriter:
    """
    Encodes the pictures of one camera. Close it, or the last file has no end.

    :param path: of the file of a number, from 0
    :param fps: pictures a second
    :param largest: size at which the next episode goes into another file (bytes)
    """

    def __init__(self, path: Callable[[int], Path], fps: int, largest: int) -> None:
        self._path = path
        self._fps = fps
        self._largest = largest
        self._file = 0
        self._frames = 0
        self._container: Any = None
        self._stream: Any = None
        #: (height, width) of the pictures as stored; None before the first.
        self.size: tuple[int, int] | None = None

    def write(self, frames: Iterable[RGB], count: int) -> Clip:
        """
        Add an episode.

        :param frames: `count` pictures of one size, the same in all episodes
        :raises AnnotationError: where the size changes or pictures are missing
        """
        if self._container is not None and self._written() >= self._largest:
            self.close()
            self._file, self._frames = self._file + 1, 0
        start, wanted, kept = self._frames, statistics.sampled(count), []
        for number, frame in enumerate(frames):
            if number in wanted:
                kept.append(frame)
            self._encode(frame)
        if self._frames - start != count:
            raise AnnotationError(self._path(self._file), found=f'{self._frames - start} pictures',
                                  expected=count)
        return Clip(self._file, start, count, statistics.of_pictures(kept))

    def close(self) -> None:
        """Write what is left, and close the file. Closing it again does nothing."""
        container, self._container = self._container, None
        if container is not None:
            container.mux(self._stream.encode(None))
            container.close()

    def _encode(self, frame: RGB) -> None:
        import av

        even = _even(frame)
        if self.size is None:
            self.size = even.shape[:2]
        if even.shape[:2] != self.size:
            raise AnnotationError(
                self._path(self._file), found=f'a picture of {even.shape[:2]} pixels',
                expected=f'{self.size}, as before')
        if self._container is None:  # a file without pictures would be no video
            path = self._path(self._file)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(str(path), 'w')
            self._stream = self._container.add_stream(_CODEC, rate=self._fps, options=_OPTIONS)
            self._stream.height, self._stream.width = self.size
            self._stream.pix_fmt = _PIXELS
            self._stream.codec_context.time_base = Fraction(1, self._fps)
        picture = av.VideoFrame.from_ndarray(even, format='rgb24')
        picture.pts = self._frames
        picture.time_base = Fraction(1, self._fps)
        self._container.mux(self._stream.encode(picture))
        self._frames += 1

    def _written(self) -> int:
        """Return the size of the open file (bytes), which is there once a picture has left."""
        try:
            return self._path(self._file).stat().st_size
        except FileNotFoundError:  # the encoder still looks ahead over all that it was given
            return 0


def _even(frame: RGB) -> NDArray[np.uint8]:
    """Return a picture with even sides, as 4:2:0 wants: an odd edge is repeated."""
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode='edge')
    return np.ascontiguousarray(frame)
