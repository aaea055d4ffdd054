# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Uncertainty of Gaussian heads, and its normalisation by the action's range.

Shapes: M members, B observations, A action dimensions, and in action chunks H steps before them.
Every function is defined for any floating dtype and keeps it.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def epistemic_variance(mean: Tensor) -> Tensor:
    """
    Return what members disagree on, Var_m[mu_m]: the population variance over members.

    The first term of the law of total variance for the uniform mixture of the members, as in
    Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using deep
    ensembles", section 2.4.

    :param mean: each member's mean action, shape (M, ..., A), in action units
    :returns: shape (..., A), in squared action units; 0 for a single member
    """
    return mean.var(dim=0, correction=0)


def aleatoric_variance(variance: Tensor) -> Tensor:
    """
    Return the noise that members agree on, E_m[sigma_m^2].

    :param variance: each member's predicted variance, shape (M, ..., A), in squared action units
    :returns: shape (..., A), in squared action units
    """
    return variance.mean(dim=0)


def epistemic_covariance(mean: Tensor) -> Tensor:
    """
    Return Cov_m[mu_m], of which `epistemic_variance` is the diagonal.

    :param mean: shape (M, B, A), in action units
    :returns: shape (B, A, A), in squared action units; symmetric, positive semidefinite
    """
    deviation = mean - mean.mean(dim=0)
    return deviation.permute(1, 2, 0) @ deviation.permute(1, 0, 2) / mean.shape[0]


def mixture_covariance(mean: Tensor, variance: Tensor) -> Tensor:
    """
    Return the covariance of the members' uniform mixture, Cov_m[mu_m] + E_m[diag(sigma_m^2)].

    The law of total covariance, for heads whose dimensions are independent given the member.

    :param mean: shape (M, B, A), in action units; `variance` likewise, in squared action units
    :returns: shape (B, A, A), in squared action units
    """
    return epistemic_covariance(mean) + torch.diag_embed(aleatoric_variance(variance))


def largest_variance(low: Tensor, high: Tensor) -> Tensor:
    """
    Return the largest variance that a quantity within a range can have, (high - low)^2 / 4.

    Popoviciu's inequality (1935); reached when half of the members say `low` and half `high`.

    :param low: lower bound of each action dimension, shape (A,), in action units
    :param high: upper bound, likewise
    :returns: shape (A,), in squared action units
    """
    return (high - low) ** 2 / 4


def normalised(variance: Tensor, largest: Tensor) -> Tensor:
    """
    Return variance over its largest possible value, so that tasks and robots can be compared.

    Fleet-DAgger (Hoque et al. 2022, "Fleet-DAgger: interactive robot fleet learning with scalable
    human supervision") prioritises robots by ensemble variance normalised so. Predictions beyond
    the action's range count as 1.

    :param variance: shape (..., A), in squared action units
    :param largest: as `largest_variance` returns it, shape (A,)
    :returns: shape (..., A), dimensionless in 0 to 1
    """
    return (variance / largest).clamp(max=1.0)


@dataclass(frozen=True)
class Decomposition:
    """
    The law of total variance over members, normalised by the action's range.

    :param epistemic: disagreement, shape (B,), dimensionless in 0 to 1
    :param aleatoric: noise members agree on, shape (B,), 0 to 1; None without variance heads
    :param per_dimension: epistemic, mean over the chunk's steps, shape (B, A), 0 to 1
    :param per_step: epistemic, mean over dimensions, shape (B, H), 0 to 1
    :param member_shares: each member's normalised squared distance from the mean action, over M,
        shape (B, M); they sum to the variance over members
    """

    epistemic: Tensor
    aleatoric: Tensor | None
    per_dimension: Tensor
    per_step: Tensor
    member_shares: Tensor

    @property
    def total(self) -> Tensor:
        """Return epistemic + aleatoric, shape (B,); epistemic alone without variance heads."""
        return self.epistemic if self.aleatoric is None else self.epistemic + self.aleatoric


def decompose(mean: Tensor, variance: Tensor | None, *, largest: Tensor,
              epistemic: Tensor | None = None) -> Decomposition:
    """
    Split the variance of the members' uniform mixture: total = Var_m[mu_m] + E_m[sigma_m^2].

    :param mean: each member's mean action, shape (M, B, H, A), in action units
    :param variance: each member's variance, likewise, in squared units; None without heads
    :param largest: as `largest_variance` returns it, shape (A,)
    :param epistemic: what stands for Var_m[mu_m], shape (B, H, A), where it is known otherwise
    """
    shares = ((mean - mean.mean(0)) ** 2 / largest).mean((2, 3)) / len(mean)
    between = normalised(epistemic_variance(mean) if epistemic is None else epistemic, largest)
    aleatoric = None
    if variance is not None:
        aleatoric = normalised(aleatoric_variance(variance), largest).mean((1, 2))
    return Decomposition(epistemic=between.mean((1, 2)), aleatoric=aleatoric,
                         per_dimension=between.mean(1), per_step=between.mean(2),
                         member_shares=shares.T)
