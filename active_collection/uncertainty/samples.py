# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Disagreement of members that only give samples: diffusion, flow matching, ACT and the like.

`samples` is always of shape (M, S, B, H, A): S samples of each of M members for B observations,
each an action chunk of H steps in A dimensions, in action units. Samples of one member are
independent.
"""
from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class VarianceComponents:
    """
    How much of the samples' variance is between members and how much within.

    :param between: epistemic, shape (B, H, A), in squared action units
    :param within: aleatoric, likewise
    """

    between: Tensor
    within: Tensor


def variance_components(samples: Tensor) -> VarianceComponents:
    """
    Split the variance of samples by one-way analysis of variance with random effects.

    within = mean_m s_m^2, between = Var_m[mean of samples] - within / S, where all variances are
    unbiased (Searle, Casella and McCulloch 1992, "Variance components"). Without the
    last term a few samples of members that agree would look like disagreement. Below 0 it is 0.

    :param samples: with M and S at least 2
    """
    within = samples.var(dim=1, correction=1).mean(0)
    between = samples.mean(1).var(dim=0, correction=1) - within / samples.shape[1]
    return VarianceComponents(between.clamp(min=0.0), within)


def energy_distance(samples: Tensor, *, scale: Tensor) -> Tensor:
    """
    Return the energy distance of members' chunks, the mean over pairs of members.

    2 E|X - Y| - E|X - X'| - E|Y - Y'| (Szekely and Rizzo 2013, "Energy statistics: a class of
    statistics based on distances"), estimated without bias, hence slightly negative now and then
    where members agree. It sees any difference, not only of means.

    :param samples: with M and S at least 2
    :param scale: length that counts as 1 in each action dimension, such as its half-range,
        shape (A,), in action units
    :returns: shape (B,), dimensionless
    """
    flat = _flattened(samples / scale)

    def between(x: Tensor, y: Tensor) -> Tensor:
        return torch.cdist(x, y).mean((1, 2))

    def within(x: Tensor) -> Tensor:
        count = x.shape[1]
        return torch.cdist(x, x).sum((1, 2)) / (count * (count - 1))

    own = [within(member) for member in flat]
    return torch.stack([
        2 * between(flat[i], flat[j]) - own[i] - own[j]
        for i, j in itertools.combinations(range(len(flat)), 2)]).mean(0)


def squared_mmd(samples: Tensor, *, scale: Tensor, bandwidth: float) -> Tensor:
    """
    Return the squared maximum mean discrepancy of members' chunks, the mean over pairs of members.

    With the kernel exp(-|x - y|^2 / (2 bandwidth^2)), by the unbiased estimator of Gretton et al.
    2012, "A kernel two-sample test", lemma 6; slightly negative now and then.

    :param samples: with M and S at least 2
    :param scale: length that counts as 1 in each action dimension, shape (A,), in action units
    :param bandwidth: of the kernel, in those lengths; differences far below it are not seen, and
        all far above it look alike
    :returns: shape (B,), dimensionless, at most 2
    """
    flat = _flattened(samples / scale)

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(x, y) ** 2 / (2 * bandwidth ** 2))

    def within(x: Tensor) -> Tensor:
        count = x.shape[1]
        values = kernel(x, x)
        diagonal = torch.diagonal(values, dim1=1, dim2=2).sum(-1)
        return (values.sum((1, 2)) - diagonal) / (count * (count - 1))

    own = [within(member) for member in flat]
    return torch.stack([
        own[i] + own[j] - 2 * kernel(flat[i], flat[j]).mean((1, 2))
        for i, j in itertools.combinations(range(len(flat)), 2)]).mean(0)


def _flattened(samples: Tensor) -> Tensor:
    """Return samples as (M, B, S, H * A)."""
    return samples.permute(0, 2, 1, 3, 4).flatten(3)
