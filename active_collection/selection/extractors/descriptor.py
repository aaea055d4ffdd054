# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A weight-free image descriptor: where colours and edges lie. No network, no download."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from active_collection.bags.images import RGB
from active_collection.bags.images import for_opencv
from active_collection.registry import unknown

_SIDE = 64
_COLOUR_CELLS = 8
_EDGE_CELLS = 8
_ORIENTATIONS = 6
_EDGE_WEIGHT = 0.5


class Descriptor:
    """
    Mean Lab colours of 8 x 8 cells beside gradient histograms of 8 x 8 cells in 6 orientations.

    Histograms of oriented gradients: Dalal and Triggs (2005). Fast and the same on every machine;
    it tells scenes, views and object positions apart, not what the objects are.

    The colours are in units of the whole range and the histograms of unit length times 0.5, so the
    Euclidean distance of two vectors is about the root mean square difference of the pictures.

    :param options: none
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        for name in options:
            raise unknown('descriptor option', name, [])

    @property
    def dimension(self) -> int:
        """Return the length of a vector: 576."""
        return _COLOUR_CELLS ** 2 * 3 + _EDGE_CELLS ** 2 * _ORIENTATIONS

    def embed(self, images: Sequence[RGB]) -> NDArray[np.float32]:
        """Return float32 of shape (len(images), 576)."""
        vectors = np.empty((len(images), self.dimension), np.float32)
        for vector, image in zip(vectors, images, strict=True):
            small = cv2.resize(for_opencv(image), (_SIDE, _SIDE),
                               interpolation=cv2.INTER_AREA)
            colours = _colours(small)
            vector[:colours.size] = colours
            vector[colours.size:] = _EDGE_WEIGHT * _edges(small)
        return vectors


def _colours(image: RGB) -> NDArray[np.float32]:
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    cells = cv2.resize(lab, (_COLOUR_CELLS, _COLOUR_CELLS), interpolation=cv2.INTER_AREA)
    scaled = cells.reshape(-1) / (255.0 * _COLOUR_CELLS)
    return np.asarray(scaled, dtype=np.float32)


def _edges(image: RGB) -> NDArray[np.float32]:
    # Smoothed, because histograms of unit length would be those of the noise in a plain image.
    grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    grey = grey.astype(np.float32)
    x, y = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    magnitude = np.hypot(x, y)
    orientation = np.floor(np.mod(np.arctan2(y, x), np.pi) * (_ORIENTATIONS / np.pi))
    bins = np.minimum(orientation.astype(np.int64), _ORIENTATIONS - 1)
    cell = np.arange(_SIDE) * _EDGE_CELLS // _SIDE
    places = (cell[:, None] * _EDGE_CELLS + cell[None, :]) * _ORIENTATIONS + bins
    histogram = np.bincount(places.reshape(-1), magnitude.reshape(-1),
                            minlength=_EDGE_CELLS ** 2 * _ORIENTATIONS)
    length = float(np.linalg.norm(histogram))
    scaled = histogram / length if length > 0 else histogram
    return np.asarray(scaled, dtype=np.float32)
