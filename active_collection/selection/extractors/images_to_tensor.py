# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the network extractors share: images to one batch, and the device to run on."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from active_collection.bags.images import RGB
from active_collection.bags.images import for_opencv
from active_collection.errors import ConfigError
from active_collection.registry import unknown


def device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device('cuda' if torch.cuda.is_available() else 'cpu')


def to_batch(images: Sequence[RGB], size: int, mean: Sequence[float],
             deviation: Sequence[float]) -> torch.Tensor:
    """
    Return images as one normalised batch, squeezed to a square so that nothing is cut off.

    :param size: side of the square (pixels)
    :param mean: of each channel, 0 to 1
    :param deviation: of each channel, greater than 0
    :return: float32 (B, 3, size, size), channels last in memory
    """
    batch = np.empty((len(images), size, size, 3), np.uint8)
    for place, image in zip(batch, images, strict=True):
        shrinks = image.shape[0] >= size and image.shape[1] >= size
        cv2.resize(for_opencv(image), (size, size), dst=place,
                   interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    scaled = torch.from_numpy(batch).to(device()).permute(0, 3, 1, 2).float()
    scale = torch.tensor([255.0 * d for d in deviation], device=scaled.device)
    offset = torch.tensor([m / d for m, d in zip(mean, deviation, strict=True)],
                          device=scaled.device)
    return scaled.div_(scale[:, None, None]).sub_(offset[:, None, None])


class Preparation:
    """
    How a network wants its images: the options size, mean and deviation.

    :param options: may hold others too
    :param name: of the extractor, for messages
    :raises ConfigError: where one is wrong
    """

    OPTIONS = ('size', 'mean', 'deviation')

    def __init__(self, options: Mapping[str, str], name: str) -> None:
        self._size = whole_number(options, 'size', 224)
        self._mean = _three(options.get('mean', '0.485,0.456,0.406'), f'{name} option mean')
        deviation = options.get('deviation', '0.229,0.224,0.225')
        self._deviation = _three(deviation, f'{name} option deviation')
        if min(self._deviation) <= 0:
            raise ConfigError(f'{name} option deviation', found=deviation,
                              expected='numbers greater than 0')

    def batch(self, images: Sequence[RGB]) -> torch.Tensor:
        """Return images as float32 (B, 3, size, size)."""
        return to_batch(images, self._size, self._mean, self._deviation)


def _three(text: str, where: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(','))
    except ValueError:
        values = ()
    if len(values) != 3 or not np.isfinite(values).all():
        raise ConfigError(where, found=repr(text), expected='three numbers: 0.5,0.5,0.5')
    return values


def pooled(features: torch.Tensor) -> torch.Tensor:
    """
    Return one vector an image.

    :param features: (B, D), (B, tokens, D) or (B, D, H, W)
    :raises ValueError: where it is something else
    """
    if features.ndim == 4:
        return features.mean(dim=(2, 3))
    if features.ndim == 3:
        return features.mean(dim=1)
    if features.ndim == 2:
        return features
    raise ValueError(f'features of shape {tuple(features.shape)}')


def existing_file(options: Mapping[str, str], key: str, name: str) -> Path:
    """
    Return an option that names a file.

    :raises ConfigError: where it is missing or there is none
    """
    path = Path(options.get(key, ''))
    if not path.is_file():
        raise ConfigError(f'{name} option {key}', found=repr(options.get(key, '')),
                          expected='a file')
    return path


def unit_length(vectors: torch.Tensor) -> NDArray[np.float32]:
    """Return vectors (B, D) scaled to length 1, so that distance is an angle; 0 stays 0."""
    scaled = torch.nn.functional.normalize(vectors.float(), dim=1)
    return np.asarray(scaled.cpu().numpy(), dtype=np.float32)


def whole_number(options: Mapping[str, str], name: str, default: int) -> int:
    """
    Return an option that is a whole number of at least 1.

    :raises ConfigError: where it is not
    """
    text = options.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f'extractor option {name}', found=repr(text),
                          expected='a whole number of at least 1')
    return int(text)


def check_options(options: Mapping[str, str], known: Sequence[str], name: str) -> None:
    """
    Refuse options that an extractor does not have.

    :param name: of the extractor
    :raises ConfigError: naming the nearest one
    """
    for key in options:
        if key not in known:
            raise unknown(f'{name} option', key, list(known))
