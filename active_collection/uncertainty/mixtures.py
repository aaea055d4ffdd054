# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Entropy of the mixture that Gaussian members form, and what of it is disagreement.

The entropy of a mixture has no closed form. Kolchinsky and Tracey 2017, "Estimating mixture
entropy with pairwise distances", bound it by distances between its components, in closed form.
"""
from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Distance = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def gaussian_entropy(variance: Tensor) -> Tensor:
    """
    Return the differential entropy of independent Gaussians, sum_a log(2 pi e variance_a) / 2.

    :param variance: shape (..., A), positive
    :returns: shape (...), in nats; it depends on the action's unit
    """
    return 0.5 * torch.log(2 * math.pi * math.e * variance).sum(-1)


def kullback_leibler(mean: Tensor, variance: Tensor, other_mean: Tensor,
                     other_variance: Tensor) -> Tensor:
    """
    Return KL(N(mean, variance) || N(other_mean, other_variance)) of independent Gaussians.

    :param mean: shape (..., A), likewise the others, which may broadcast; variances positive
    :returns: shape (...), in nats
    """
    ratio = variance / other_variance
    shift = (mean - other_mean) ** 2 / other_variance
    return 0.5 * (ratio + shift - 1 - ratio.log()).sum(-1)


def bhattacharyya(mean: Tensor, variance: Tensor, other_mean: Tensor,
                  other_variance: Tensor) -> Tensor:
    """
    Return the Bhattacharyya distance of independent Gaussians, -log integral sqrt(p q).

    :param mean: shape (..., A), likewise the others, which may broadcast; variances positive
    :returns: shape (...), in nats
    """
    middle = (variance + other_variance) / 2
    shift = (mean - other_mean) ** 2 / (8 * middle)
    return (shift + 0.5 * (middle.log() - 0.5 * (variance.log() + other_variance.log()))).sum(-1)


def mutual_information_bounds(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """
    Bound the mutual information of action and member: what knowing the member would tell.

    Kolchinsky and Tracey 2017: -mean_i log mean_j exp(-D(p_i || p_j)) is a lower bound where D is
    the Bhattacharyya distance, and an upper bound where it is the Kullback-Leibler divergence.
    Both are 0 where all members say the same and log M where none overlap.

    :param mean: each member's mean action, shape (M, B, A)
    :param variance: each member's variance, shape (M, B, A), positive
    :returns: lower and upper bound, each of shape (B,), in nats, 0 to log M
    """
    return (_pairwise(mean, variance, bhattacharyya), _pairwise(mean, variance, kullback_leibler))


def entropy_bounds(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """
    Bound the entropy of the members' uniform mixture.

    It is the mean entropy of the members, which is the aleatoric part, and the mutual information
    of `mutual_information_bounds`, which is the epistemic part.

    :param mean: each member's mean action, shape (M, B, A)
    :param variance: each member's variance, shape (M, B, A), positive
    :returns: lower and upper bound, each of shape (B,), in nats
    """
    conditional = gaussian_entropy(variance).mean(0)
    lower, upper = mutual_information_bounds(mean, variance)
    return conditional + lower, conditional + upper


def _pairwise(mean: Tensor, variance: Tensor, distance: Distance) -> Tensor:
    apart = distance(mean[:, None], variance[:, None], mean[None], variance[None])  # (M, M, B)
    return -(torch.logsumexp(-apart, dim=1) - math.log(len(mean))).mean(0)
