# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Any vision model of transformers saved on disk: DINOv2, CLIP, SigLIP."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from active_collection.bags.images import RGB
from active_collection.errors import ConfigError
from active_collection.packages import how_to_install
from active_collection.selection.extractors.images_to_tensor import check_options
from active_collection.selection.extractors.images_to_tensor import device
from active_collection.selection.extractors.images_to_tensor import pooled
from active_collection.selection.extractors.images_to_tensor import unit_length


class TransformersModel:
    """
    The image features of a transformers model, scaled to length 1.

    A model of images and texts gives its image embedding, any other its pooled output. Images are
    prepared by the model's own image processor.

    :param options: weights: the directory that `save_pretrained` wrote. Nothing is downloaded
    :raises ConfigError: where transformers is missing, or the directory cannot be loaded
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        check_options(options, ['weights'], 'transformers')
        path = Path(options.get('weights', ''))
        if not (path / 'config.json').is_file():
            raise ConfigError('transformers option weights', found=options.get('weights', ''),
                              expected='a directory with a config.json')
        try:
            import transformers
        except ImportError as error:
            raise ConfigError('transformers', found='no package transformers',
                              expected=how_to_install('transformers')) from error
        try:
            self._processor: Any = transformers.AutoImageProcessor.from_pretrained(
                path, local_files_only=True)
            self._network: Any = transformers.AutoModel.from_pretrained(
                path, local_files_only=True, use_safetensors=True).to(device()).eval()
            self._dimension = int(self._features([np.zeros((32, 32, 3), np.uint8)]).shape[1])
        except Exception as error:  # transformers raises whatever loading a model raises
            raise ConfigError(f'transformers option weights: {path}', found=error,
                              expected='a saved vision model with safetensors') from error

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
        prepared = self._processor(images=list(images), return_tensors='pt').to(device())
        with torch.inference_mode():
            if hasattr(self._network, 'get_image_features'):
                output: Any = self._network.get_image_features(**prepared)
            else:
                output = self._network(**prepared)
        if isinstance(output, torch.Tensor):
            return output
        features = getattr(output, 'pooler_output', None)
        return pooled(output.last_hidden_state) if features is None else pooled(features)
