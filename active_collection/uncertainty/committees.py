# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Disagreement of members with categorical heads: query by committee.

Shapes: M members, B observations, K classes. `probabilities` is always of shape (M, B, K), at
least 0, and sums to 1 over K. Entropies are in nats.
"""
from __future__ import annotations

import torch
from torch import Tensor


def entropy(probabilities: Tensor) -> Tensor:
    """Return -sum_k p_k log p_k, shape (...), 0 to log K, of probabilities of shape (..., K)."""
    terms: Tensor = torch.special.entr(probabilities)
    return terms.sum(-1)


def predictive_entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy of the members' mean, H[mean_m p_m]: total uncertainty, shape (B,)."""
    return entropy(probabilities.mean(0))


def mutual_information(probabilities: Tensor) -> Tensor:
    """
    Return H[mean_m p_m] - mean_m H[p_m], shape (B,), 0 to log min(M, K): BALD.

    Houlsby et al. 2011, "Bayesian active learning for classification and preference learning",
    equation 2.
    """
    return (predictive_entropy(probabilities) - entropy(probabilities).mean(0)).clamp(min=0.0)


def consensus_kl(probabilities: Tensor) -> Tensor:
    """
    Return each member's divergence from the committee's mean, KL(p_m || mean p), shape (M, B).

    McCallum and Nigam 1998, "Employing EM and pool-based active learning for text classification".
    Its mean over members is `mutual_information`; its maximum tells a single dissenter.
    """
    mean = probabilities.mean(0)
    ratio = torch.where(probabilities > 0, probabilities / mean, torch.ones_like(probabilities))
    return (probabilities * ratio.log()).sum(-1)


def vote_entropy(probabilities: Tensor) -> Tensor:
    """
    Return the entropy of the members' votes, shape (B,), 0 to log min(M, K).

    Dagan and Engelson 1995, "Committee-based sampling for training probabilistic classifiers".
    Each member votes for its most probable class; of equals, for the first.
    """
    return entropy(_votes(probabilities))


def variation_ratio(probabilities: Tensor) -> Tensor:
    """
    Return the share of members that do not vote for the most popular class, shape (B,), below 1.

    Freeman 1965, "Elementary applied statistics".
    """
    return 1.0 - _votes(probabilities).amax(-1)


def _votes(probabilities: Tensor) -> Tensor:
    """Return the share of votes for each class, shape (B, K)."""
    chosen = probabilities.argmax(-1)
    return torch.nn.functional.one_hot(chosen, probabilities.shape[-1]).to(
        probabilities.dtype).mean(0)
