# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What each member of an ensemble learns from, and how often."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.settings import TrainingSettings


@dataclass(frozen=True)
class Draw:
    """
    The rows that a member learns from, and how often each is drawn.

    :param rows: shape (K,), on the device
    :param cumulative: sums of the weights of the rows up to each, shape (K,), float64, on the
        CPU; None: all rows alike
    """

    rows: Tensor
    cumulative: Tensor | None

    @classmethod
    def of(cls, rows: Tensor, weights: Tensor | None, device: torch.device) -> Draw:
        """Take rows with their weights, where those of all rows of the dataset are given."""
        cumulative = None if weights is None else weights[rows].cumsum(0)
        return cls(rows.to(device), cumulative)

    def batch(self, size: int, generator: torch.Generator) -> Tensor:
        """Return rows drawn with replacement, shape (size,)."""
        if self.cumulative is None:
            places = torch.randint(len(self.rows), (size,), generator=generator)
        else:
            level = torch.rand(size, dtype=torch.float64, generator=generator)
            places = torch.searchsorted(
                self.cumulative, level * self.cumulative[-1], right=True)
            places.clamp_(max=len(self.rows) - 1)  # a level may round up to the whole sum
        return self.rows[places.to(self.rows.device)]


def member_rows(dataset: Dataset, learnt: Sequence[Sequence[int]], settings: TrainingSettings,
                generator: torch.Generator) -> list[Tensor]:
    """
    Return each network's rows, those of an episode drawn twice twice.

    :param learnt: indices of the episodes that each network may learn
    """
    if settings.bootstrap == 'none':
        return [dataset.rows(episodes) for episodes in learnt]
    return [
        dataset.rows([episodes[place] for place in torch.randint(
            len(episodes), (len(episodes),), generator=generator).tolist()])
        for episodes in learnt]
