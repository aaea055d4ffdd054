# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""An image encoder of the user's own: a network exported as TorchScript."""
from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import cv2

from active_collection.bags.fields import Vector
from active_collection.bags.images import RGB
from active_collection.bags.images import for_opencv
from active_collection.bags.torchscript import load_network
from active_collection.errors import ConfigError

#: A network that gives more numbers was exported without its pooling.
MOST_FEATURES = 65_536


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
        small = cv2.resize(for_opencv(image), (self._size, self._size),
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
