# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""An embedding extractor: the mean colour of a picture."""
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from active_collection.registry import unknown


class MeanColour:
    """
    Mean red, green and blue, 0 to 1.

    :param options: none
    """

    dimension = 3

    def __init__(self, options: Mapping[str, str]) -> None:
        """Refuse options: there are none."""
        for name in options:
            raise unknown('mean_colour option', name, [])

    def embed(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 (len(images), 3) of pictures, each uint8 (height, width, 3)."""
        return np.array([image.mean(axis=(0, 1)) / 255.0 for image in images], np.float32)
