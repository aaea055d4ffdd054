# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Frozen image encoders: pictures in, a few numbers out, for observation vectors.

OpenCV is imported with the first picture or encoder: observations of numbers do without it.
"""
from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Protocol

from active_collection.bags.fields import Vector
from active_collection.bags.observation import EncoderSpec
from active_collection.bags.observation import ObservationSpec
from active_collection.errors import ConfigError

if TYPE_CHECKING:
    from active_collection.bags.images import RGB


class ImageEncoder(Protocol):
    """Turns a picture into a vector; the same picture always gives the same one."""

    def encode(self, image: RGB) -> Vector:
        """
        Return the picture's features.

        :param image: uint8 of shape (height, width, 3), red green blue
        :returns: float64 of shape (n,), n the same for all pictures
        """


def encode_message(encoder: ImageEncoder, message: object, where: str) -> Vector:
    """
    Return the features of an Image or CompressedImage message of rclpy or rosbags.

    :param where: its topic, for messages
    :raises ActiveCollectionError: where it is no picture, or the encoder fails
    """
    from active_collection.bags.images import to_rgb

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
    from active_collection.bags.torchscript_encoder import TorchScriptEncoder

    return TorchScriptEncoder(path, spec.size)


@cache
def _random_features(size: int) -> ImageEncoder:
    from active_collection.bags.random_features import RandomFeatures

    return RandomFeatures(size)


def _fingerprint(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(f'encoder {path}', found=error,
                          expected='a TorchScript file') from error
