# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""An image encoder that needs no training and no download: random convolutions."""
from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from active_collection.bags.fields import Vector
from active_collection.bags.images import RGB
from active_collection.bags.images import for_opencv

#: Units of the first and second layer, and the filters' width in pixels.
_CHANNELS = (16, 32)
_FILTER = 5
_STRIDE = 2

#: Larger: a channel's position is nearer to that of its largest value.
_SHARPNESS = 3.0


class RandomFeatures:
    """
    Keypoints of random convolutions: where in the picture each of 32 random patterns lies.

    Two convolutions whose filters are drawn by a fixed seed, and of each channel the expected
    position of its softmax, as in Levine et al. 2016, "End-to-end training of deep visuomotor
    policies". Saxe et al. 2011, "On random weights and unsupervised feature learning", show how
    far random filters go. No download, no learning, the same on every machine up to rounding.

    :param size: width and height in pixels that pictures are scaled to
    """

    def __init__(self, size: int) -> None:
        random = np.random.default_rng(0)
        self._size = size
        self._filters: list[NDArray[np.float32]] = []
        before = 3
        for channels in _CHANNELS:
            filters = random.normal(size=(channels, _FILTER, _FILTER, before))
            # without a mean a filter does not see brightness, only patterns
            filters -= filters.mean((1, 2), keepdims=True)
            filters /= np.sqrt((filters ** 2).sum((1, 2, 3), keepdims=True))
            self._filters.append(filters.reshape(channels, -1).T.astype(np.float32))
            before = channels

    def encode(self, image: RGB) -> Vector:
        """Return float64 of shape (64,): x of each pattern, -1 to 1, then y of each."""
        small = cv2.resize(for_opencv(image), (self._size, self._size),
                           interpolation=cv2.INTER_AREA)
        planes = np.asarray(small, dtype=np.float32) / 255.0
        for filters in self._filters:
            planes = np.maximum(_patches(planes) @ filters, 0.0)
        return _expected_positions(planes)


def _patches(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what each filter sees at each place, shape (height, width, filter's values)."""
    windows = np.lib.stride_tricks.sliding_window_view(planes, (_FILTER, _FILTER), axis=(0, 1))
    seen = windows[::_STRIDE, ::_STRIDE].transpose(0, 1, 3, 4, 2)
    return seen.reshape(*seen.shape[:2], -1)


def _expected_positions(planes: NDArray[np.float32]) -> Vector:
    """Return x and y of each channel's softmax, of values scaled to a standard deviation of 1."""
    height, width, channels = planes.shape
    values = planes.reshape(-1, channels).astype(np.float64)
    values = _SHARPNESS * (values - values.mean(0)) / np.maximum(values.std(0), 1e-6)
    weights = np.exp(values - values.max(0))
    weights /= weights.sum(0)
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing='ij')
    return np.concatenate([x.ravel() @ weights, y.ravel() @ weights])
