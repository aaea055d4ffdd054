# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Any network saved as TorchScript."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from active_collection.bags.images import RGB
from active_collection.bags.torchscript import load_network
from active_collection.errors import ConfigError
from active_collection.selection.extractors.images_to_tensor import Preparation
from active_collection.selection.extractors.images_to_tensor import check_options
from active_collection.selection.extractors.images_to_tensor import device
from active_collection.selection.extractors.images_to_tensor import existing_file
from active_collection.selection.extractors.images_to_tensor import pooled
from active_collection.selection.extractors.images_to_tensor import unit_length


class TorchScript:
    """
    The output of a TorchScript file, scaled to length 1; feature maps are averaged over places.

    :param options: weights: the file, which takes float32 (B, 3, size, size) and returns
        (B, D), (B, tokens, D) or (B, D, H, W); size (224); mean, deviation (of ImageNet): three
        numbers with commas between
    :raises ConfigError: where the file cannot be loaded or returns something else
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        check_options(options, ['weights', *Preparation.OPTIONS], 'torchscript')
        path = existing_file(options, 'weights', 'torchscript')
        self._prepare = Preparation(options, 'torchscript')
        self._network = load_network(
            path, where='torchscript option weights:', device=device())
        try:
            self._dimension = int(self._features([np.zeros((8, 8, 3), np.uint8)]).shape[1])
        except (RuntimeError, ValueError) as error:
            raise ConfigError(f'torchscript option weights: {path}', found=error,
                              expected='a TorchScript file that takes images') from error

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        return self._dimension

    def embed(self, images: Sequence[RGB]) -> NDArray[np.float32]:
        """Return float32 of shape (len(images), dimension), each of length 1."""
        if not images:
            return np.empty((0, self.dimension), np.float32)
        return unit_length(self._features(images))

    def _features(self, images: Sequence[RGB]) -> torch.Tensor:
        with torch.inference_mode():
            return pooled(self._network(self._prepare.batch(images)))
