# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Distances from the training data that know its shape."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Share of the mean variance that is added to each variance, so that directions in which the
#: data do not vary have a finite distance.
RIDGE = 1e-3


@dataclass(frozen=True)
class Gaussian:
    """
    A Gaussian fitted to embeddings.

    :param mean: shape (E,)
    :param factor: lower Cholesky factor of the covariance, shape (E, E)
    """

    mean: Tensor
    factor: Tensor

    @classmethod
    def fit(cls, points: Tensor) -> Gaussian:
        """
        Fit mean and covariance, the latter with RIDGE.

        :param points: shape (N, E), N at least 2
        """
        return cls(points.mean(0), _factor(points - points.mean(0)))

    def squared_distance(self, points: Tensor) -> Tensor:
        """
        Return the squared Mahalanobis distance, (x - mean)' covariance^-1 (x - mean).

        Lee et al. 2018, "A simple unified framework for detecting out-of-distribution samples and
        adversarial attacks". For points of the Gaussian itself it is chi-squared with E degrees of
        freedom.

        :param points: shape (B, E)
        :returns: shape (B,), dimensionless, at least 0
        """
        whitened = torch.linalg.solve_triangular(
            self.factor, (points - self.mean).T, upper=False)
        squared: Tensor = (whitened ** 2).sum(0)
        return squared


@dataclass(frozen=True)
class RelativeMahalanobis:
    """
    Gaussians of groups with one covariance in common, against one Gaussian of all.

    :param groups: a Gaussian for each group, such as each task
    :param background: the Gaussian of all points
    """

    groups: tuple[Gaussian, ...]
    background: Gaussian

    @classmethod
    def fit(cls, points: Tensor, group_of: Tensor) -> RelativeMahalanobis:
        """
        Fit both.

        :param points: shape (N, E)
        :param group_of: group of each point, shape (N,), integer
        """
        members = [points[group_of == group] for group in sorted(set(group_of.tolist()))]
        factor = _factor(torch.cat([group - group.mean(0) for group in members]))
        return cls(tuple(Gaussian(group.mean(0), factor) for group in members),
                   Gaussian.fit(points))

    def distance(self, points: Tensor) -> Tensor:
        """
        Return min over groups of the squared distance, less that to the background.

        Ren et al. 2021, "A simple fix to Mahalanobis distance for improving near-OOD detection":
        directions in which all data vary alike cancel out.

        :param points: shape (B, E)
        :returns: shape (B,), dimensionless; may be negative, and low is familiar
        """
        nearest = torch.stack([g.squared_distance(points) for g in self.groups]).amin(0)
        return nearest - self.background.squared_distance(points)


def _factor(deviations: Tensor) -> Tensor:
    covariance = deviations.T @ deviations / len(deviations)
    ridge = RIDGE * covariance.diagonal().mean().clamp(min=1e-12)
    factor: Tensor = torch.linalg.cholesky(
        covariance + ridge * torch.eye(len(covariance), dtype=covariance.dtype))
    return factor
