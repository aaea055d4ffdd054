# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How far an observation is from the training data."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def knn_distance(points: Tensor, reference: Tensor, neighbours: int) -> Tensor:
    """
    Return the mean Euclidean distance to the k nearest reference points.

    Sun et al. 2022, "Out-of-distribution detection with deep nearest neighbors", with the mean of
    the k distances in place of the k-th, which varies less with where one point lies.

    :param points: shape (B, E)
    :param reference: shape (R, E)
    :param neighbours: k; at most R are taken
    :returns: shape (B,), in the unit of the embedding
    """
    # not by a matrix product, which loses the distance of near points
    distances = torch.cdist(points, reference, compute_mode='donot_use_mm_for_euclid_dist')
    return distances.topk(min(neighbours, len(reference)), dim=1, largest=False).values.mean(1)


@dataclass(frozen=True)
class KnnNovelty:
    """
    Distance to the training data over that of a typical new observation of the same kind.

    :param reference: embeddings of training observations, shape (R, E)
    :param scale: median `knn_distance` of the held-out episodes' observations; positive
    """

    reference: Tensor
    scale: float
    neighbours: int

    @classmethod
    def fit(cls, training: Tensor, held_out: Tensor, *, neighbours: int, largest: int,
            generator: torch.Generator) -> KnnNovelty:
        """
        Keep a reference and scale it by held-out episodes.

        :param training: embeddings, shape (N, E); a random subset is kept where N > `largest`
        :param held_out: embeddings of episodes that are not in `training`, shape (H, E)
        """
        chosen = torch.randperm(len(training), generator=generator)[:largest].sort().values
        reference = training[chosen].contiguous()
        typical = knn_distance(held_out, reference, neighbours).median().item()
        return cls(reference, max(typical, 1e-9), neighbours)

    @torch.inference_mode()
    def of(self, embeddings: Tensor) -> Tensor:
        """
        Return the novelty of embedded observations.

        :param embeddings: shape (B, E)
        :returns: shape (B,), dimensionless: 1 is as far as a typical held-out observation
        """
        return knn_distance(embeddings, self.reference, self.neighbours) / self.scale
