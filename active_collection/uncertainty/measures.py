# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Uncertainty of Gaussian heads, and its normalisation by the action's range.

Shapes: M members, B observations, A action dimensions. Every function is defined for any floating
dtype and keeps it.
"""
from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


def epistemic_variance(mean: Tensor) -> Tensor:
    """
    Return what members disagree on, Var_m[mu_m]: the population variance over members.

    The first term of the law of total variance for the uniform mixture of the members, as in
    Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using deep
    ensembles", section 2.4.

    :param mean: each member's mean action, shape (M, B, A), in action units
    :returns: shape (B, A), in squared action units; 0 for a single member
    """
    return mean.var(dim=0, correction=0)


def aleatoric_variance(variance: Tensor) -> Tensor:
    """
    Return the noise that members agree on, E_m[sigma_m^2].

    :param variance: each member's predicted variance, shape (M, B, A), in squared action units
    :returns: shape (B, A), in squared action units
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


def overall(normalised_variance: Tensor) -> Tensor:
    """
    Return one number an observation: the mean over action dimensions.

    :param normalised_variance: shape (..., A), dimensionless in 0 to 1
    :returns: shape (...), dimensionless in 0 to 1
    """
    return normalised_variance.mean(dim=-1)


@dataclass(frozen=True)
class Decomposition:
    """
    The law of total variance over members, normalised by the action's range.

    :param epistemic: disagreement, shape (B,), dimensionless in 0 to 1
    :param aleatoric: noise members agree on, shape (B,), 0 to 1; None without variance heads
    :param epistemic_per_dimension: shape (B, A), 0 to 1
    """

    epistemic: Tensor
    aleatoric: Tensor | None
    epistemic_per_dimension: Tensor

    @property
    def total(self) -> Tensor:
        """Return epistemic + aleatoric, shape (B,); epistemic alone without variance heads."""
        return self.epistemic if self.aleatoric is None else self.epistemic + self.aleatoric


def decompose(mean: Tensor, variance: Tensor | None, *, largest: Tensor) -> Decomposition:
    """
    Split the variance of the members' uniform mixture: total = Var_m[mu_m] + E_m[sigma_m^2].

    :param mean: each member's mean action, shape (M, B, A), in action units
    :param variance: each member's variance, shape (M, B, A), in squared units; None without heads
    :param largest: as `largest_variance` returns it, shape (A,)
    """
    per_dimension = normalised(epistemic_variance(mean), largest)
    aleatoric = None
    if variance is not None:
        aleatoric = overall(normalised(aleatoric_variance(variance), largest))
    return Decomposition(overall(per_dimension), aleatoric, per_dimension)
