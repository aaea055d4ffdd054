# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How good an image is: sharpness, exposure, and a hash that near-duplicates share."""
from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from active_collection.bags.images import RGB
from active_collection.bags.images import for_opencv

#: Longest side at which sharpness is measured, so that cameras can be compared.
_SIDE = 256


class Quality(NamedTuple):
    """
    What is measured of an image.

    :param blur: variance of the Laplacian of the grey image of at most 256 pixels a side
        (Pech-Pacheco et al., 2000); 0 is plain, below about 50 is blurred
    :param exposure: mean brightness, 0 to 1
    :param hash: 64-bit difference hash (Krawetz, 2013): bit set where a pixel of the 9 x 8 grey
        image is darker than its right neighbour
    """

    blur: float
    exposure: float
    hash: int


def measure(image: RGB) -> Quality:
    """Return the quality of an image, uint8 of shape (height, width, 3)."""
    image = for_opencv(image)
    scale = min(1.0, _SIDE / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1.0 else image
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    tiny = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    bits = np.packbits(tiny[:, :-1] < tiny[:, 1:])
    blur = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    return Quality(blur, float(grey.mean()) / 255.0, int.from_bytes(bits.tobytes(), 'big'))
