# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Any network saved as ONNX, run by ONNX Runtime."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from active_collection.bags.images import RGB
from active_collection.errors import ConfigError
from active_collection.packages import how_to_install
from active_collection.selection.extractors.images_to_tensor import Preparation
from active_collection.selection.extractors.images_to_tensor import check_options
from active_collection.selection.extractors.images_to_tensor import existing_file
from active_collection.selection.extractors.images_to_tensor import pooled
from active_collection.selection.extractors.images_to_tensor import unit_length


class Onnx:
    """
    The first output of an ONNX file, scaled to length 1; feature maps are averaged over places.

    :param options: weights: the file, whose one input takes float32 (B, 3, size, size); size
        (224); mean, deviation (of ImageNet): three numbers with commas between
    :raises ConfigError: where ONNX Runtime is missing, or the file cannot be loaded
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        check_options(options, ['weights', *Preparation.OPTIONS], 'onnx')
        path = existing_file(options, 'weights', 'onnx')
        self._prepare = Preparation(options, 'onnx')
        try:
            import onnxruntime
        except ImportError as error:
            raise ConfigError('onnx', found='no package onnxruntime',
                              expected=how_to_install('onnx')) from error
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = torch.get_num_threads()
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(path), settings, providers=onnxruntime.get_available_providers())
            self._input = self._session.get_inputs()[0].name
            self._dimension = int(self._features([np.zeros((8, 8, 3), np.uint8)]).shape[1])
        except Exception as error:  # ONNX Runtime's errors have no common base
            raise ConfigError(f'onnx option weights: {path}', found=error,
                              expected='an ONNX file that takes images') from error

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
        batch = self._prepare.batch(images).contiguous().cpu().numpy()
        return pooled(torch.from_numpy(self._session.run(None, {self._input: batch})[0]))
