# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames as small JPEG pictures, bounded in bytes so that the page that holds them opens fast."""
from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Bytes that the pictures of one page may take together, before base64 adds a third.
PAGE_BYTES = 9_000_000
LARGEST = 20_000
SMALLEST = 2_500


def budget(pictures: int) -> int:
    """Return the bytes that each of so many pictures may take."""
    return max(SMALLEST, min(LARGEST, PAGE_BYTES // max(1, pictures)))


def thumbnail(frame: npt.NDArray[np.uint8], *, limit: int = LARGEST, side: int = 256) -> bytes:
    """
    Return a frame as JPEG of at most `limit` bytes: first smaller in quality, then in size.

    :param frame: (H, W, 3) RGB or (H, W) grey, uint8
    :param limit: most bytes, at least SMALLEST
    :param side: most pixels along the longer side; a smaller frame is not enlarged
    :raises ValueError: where the frame has another shape or cannot be encoded
    """
    import cv2

    from active_collection.bags.images import for_opencv

    if frame.size == 0 or not (frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3)):
        raise ValueError(f'frame of shape (H, W) or (H, W, 3), not {frame.shape}')
    colours = for_opencv(frame if frame.ndim == 2 else frame[:, :, ::-1])
    pixels = side
    while True:
        scale = min(1.0, pixels / max(colours.shape[:2]))
        size = (max(1, round(colours.shape[1] * scale)), max(1, round(colours.shape[0] * scale)))
        small = cv2.resize(colours, size, interpolation=cv2.INTER_AREA) if scale < 1 else colours
        for quality in (84, 72, 60, 45):
            done, encoded = cv2.imencode('.jpg', small, [
                cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1])
            if not done:
                raise ValueError(f'frame of shape {frame.shape} cannot be encoded')
            if len(encoded) <= limit:
                return bytes(encoded)
        if pixels <= 16:
            raise ValueError(f'a limit of {limit} bytes is too small for a picture')
        pixels = pixels * 3 // 4
