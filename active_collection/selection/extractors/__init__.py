# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Embedding extractors, found by name: images in, vectors out."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from active_collection.bags.images import RGB
from active_collection.registry import Registry

_HERE = 'active_collection.selection.extractors'


class Extractor(Protocol):
    """
    Turns images into vectors whose distance says how different the images are.

    :param options: the extractor's own, as text: {'weights': '/models/dinov2'}
    :raises ConfigError: where an option is unknown or wrong
    """

    def __init__(self, options: Mapping[str, str]) -> None: ...

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        ...

    def embed(self, images: Sequence[RGB]) -> NDArray[np.float32]:
        """
        Return one vector an image: the same for the same image, whatever else is in the batch.

        :param images: each uint8 of shape (height, width, 3), of any size
        :return: finite float32 of shape (len(images), dimension)
        """
        ...


EXTRACTORS: Registry[Extractor] = Registry(
    'embedding extractor', 'active_collection.embedding_extractors',
    {
        'descriptor': f'{_HERE}.descriptor:Descriptor',
        'efficientnet_lite0': f'{_HERE}.efficientnet_lite0:EfficientNetLite0',
        'torchscript': f'{_HERE}.torchscript:TorchScript',
        'onnx': f'{_HERE}.onnx:Onnx',
        'timm': f'{_HERE}.timm_model:TimmModel',
        'transformers': f'{_HERE}.transformers_model:TransformersModel',
    })
