# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Any model of timm, with a checkpoint on disk."""
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
from active_collection.selection.extractors.images_to_tensor import device
from active_collection.selection.extractors.images_to_tensor import existing_file
from active_collection.selection.extractors.images_to_tensor import unit_length


class TimmModel:
    """
    The pooled features of a timm model without its classifier, scaled to length 1.

    :param options: model: timm's name of it, 'vit_small_patch14_dinov2'; weights: its checkpoint,
        a file; size, mean, deviation: those of the model unless given
    :raises ConfigError: where timm is missing, or model or checkpoint cannot be loaded
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        check_options(options, ['model', 'weights', *Preparation.OPTIONS], 'timm')
        path = existing_file(options, 'weights', 'timm')
        try:
            import timm
        except ImportError as error:
            raise ConfigError('timm', found='no package timm',
                              expected=how_to_install('timm')) from error
        try:
            network: Any = timm.create_model(options.get('model', ''), pretrained=False,
                                             checkpoint_path=str(path), num_classes=0)
        except Exception as error:  # timm raises whatever loading a checkpoint raises
            raise ConfigError(f'timm option model: {options.get("model", "")!r}',
                              found=error, expected='a model of timm that fits '
                              f'{path}') from error
        own = timm.data.resolve_model_data_config(network)
        defaults = {'size': str(own['input_size'][-1]),
                    'mean': ','.join(map(str, own['mean'])),
                    'deviation': ','.join(map(str, own['std']))}
        self._prepare = Preparation({**defaults, **options}, 'timm')
        self._network = network.to(device()).eval()

    @property
    def dimension(self) -> int:
        """Return the length of a vector."""
        return int(self._network.num_features)

    def embed(self, images: Sequence[RGB]) -> NDArray[np.float32]:
        """Return float32 of shape (len(images), dimension), each of length 1."""
        if not images:
            return np.empty((0, self.dimension), np.float32)
        with torch.inference_mode():
            return unit_length(self._network(self._prepare.batch(images)))
