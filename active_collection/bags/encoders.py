# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Frozen image encoders: pictures in, a few numbers out, for observation vectors."""
from __future__ import annotations

import hashlib
import importlib
from functools import cache
from pathlib import Path
from typing import Any
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from active_collection.bags.fields import Vector
from active_collection.bags.images import RGB
from active_collection.bags.images import to_rgb
from active_collection.bags.observation import EncoderSpec
from active_collection.bags.observation import ObservationSpec
from active_collection.bags.torchscript import load_network
from active_collection.errors import ConfigError

#: Units of the built-in encoder's first and second layer, and its filters' width in pixels.
_CHANNELS = (16, 32)
_FILTER = 5
_STRIDE = 2

#: Larger: a channel's position is nearer to that of its largest value.
_SHARPNESS = 3.0

#: A TorchScript encoder that gives more numbers was exported without its pooling.
MOST_FEATURES = 65_536


class ImageEncoder(Protocol):
    """Turns a picture into a vector; the same picture always gives the same one."""

    def encode(self, image: RGB) -> Vector:
        """
        Return the picture's features.

        :param image: uint8 of shape (height, width, 3), red green blue
        :returns: float64 of shape (n,), n the same for all pictures
        """


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
        small = cv2.resize(np.ascontiguousarray(image), (self._size, self._size),
                           interpolation=cv2.INTER_AREA)
        planes = np.asarray(small, dtype=np.float32) / 255.0
        for filters in self._filters:
            planes = np.maximum(_patches(planes) @ filters, 0.0)
        return _expected_positions(planes)


class TorchScriptEncoder:
    """
    A network of the user's own, exported as TorchScript, of (1, 3, size, size) to (1, n).

    :param size: width and height in pixels that pictures are scaled to; values go in as 0 to 1
    :raises ConfigError: where the file is missing or no TorchScript
    """

    def __init__(self, path: Path, size: int) -> None:
        self._torch: Any = importlib.import_module('torch')
        self._path, self._size = path, size
        self._network = load_network(path, where='encoder')

    def encode(self, image: RGB) -> Vector:
        """
        Return float64 of shape (n,).

        :raises ConfigError: where the network fails or returns another thing
        """
        small = cv2.resize(np.ascontiguousarray(image), (self._size, self._size),
                           interpolation=cv2.INTER_AREA)
        pixels = self._torch.from_numpy(small).permute(2, 0, 1)[None].float() / 255.0
        try:
            with self._torch.inference_mode():
                features = self._network(pixels)
            vector: Vector = features.double().numpy()
        except (RuntimeError, AttributeError, TypeError) as error:
            raise ConfigError(f'encoder {self._path}', found=error,
                              expected='a network of (1, 3, size, size) to (1, n)') from error
        if vector.ndim != 2 or len(vector) != 1 or not 0 < vector.size <= MOST_FEATURES:
            raise ConfigError(f'encoder {self._path}', found=f'shape {vector.shape}',
                              expected=f'(1, n), n at most {MOST_FEATURES}')
        return vector.ravel()


def encode_message(encoder: ImageEncoder, message: object, where: str) -> Vector:
    """
    Return the features of an Image or CompressedImage message of rclpy or rosbags.

    :param where: its topic, for messages
    :raises ActiveCollectionError: where it is no picture, or the encoder fails
    """
    return encoder.encode(to_rgb(message, where=where))


def load_encoders(spec: ObservationSpec, directory: Path) -> dict[str, ImageEncoder]:
    """
    Read the image encoders of a specification.

    :param directory: that the files it names lie in: its own, or the ensemble's
    :returns: item name to encoder
    :raises ConfigError: where a file is missing, or another one than the specification was
        written for
    """
    return {item.name: _load(item.encoder, directory)
            for item in spec.observation if item.encoder is not None}


def with_fingerprints(spec: ObservationSpec, directory: Path) -> ObservationSpec:
    """
    Return a specification that says which content its encoders' files have.

    Features of another network under the same name are then never taken for those of this one.

    :raises ConfigError: where a file cannot be read
    """
    items = []
    for item in spec.observation:
        if item.encoder is None or not item.encoder.file:
            items.append(item)
            continue
        found = _fingerprint(directory / item.encoder.file)
        encoder = item.encoder.model_copy(update={'sha256': found})
        items.append(item.model_copy(update={'encoder': encoder}))
    return spec.model_copy(update={'observation': tuple(items)})


def encoder_files(spec: ObservationSpec, directory: Path) -> tuple[Path, ...]:
    """Return the files of a specification's encoders, each once."""
    names = [item.encoder.file for item in spec.observation if item.encoder is not None]
    return tuple(directory / name for name in dict.fromkeys(names) if name)


def _load(spec: EncoderSpec, directory: Path) -> ImageEncoder:
    if not spec.file:
        return _random_features(spec.size)
    path = directory / spec.file
    if spec.sha256 and _fingerprint(path) != spec.sha256:
        raise ConfigError(f'encoder {path}', found='another content',
                          expected=f'sha256 {spec.sha256}, which the ensemble was trained on')
    return TorchScriptEncoder(path, spec.size)


@cache
def _random_features(size: int) -> RandomFeatures:
    return RandomFeatures(size)


def _fingerprint(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f'encoder {path}', found=error,
                          expected='a TorchScript file') from error


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
