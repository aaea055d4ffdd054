# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The posterior of one network's last layer, in closed form, and members drawn from it."""
from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from active_collection.config import validate
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble import Prediction
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.mlp import MlpNetwork
from active_collection.uncertainty.mlp import read_members
from active_collection.uncertainty.tensor_files import read_tensors

#: File of the posterior in an ensemble's directory.
POSTERIOR = 'posterior.safetensors'

#: Rounds of the fixed point by which noise and prior are found; it has settled long before.
ROUNDS = 30


class LaplaceNetwork(MlpNetwork):
    """The `network` of a description whose source is 'laplace'; `seed`: of the members."""

    seed: int = Field(ge=0, lt=2**63)


@dataclass(frozen=True)
class Posterior:
    """
    Gaussians over the weights of each output's last layer, N(weights, covariance).

    All outputs see the same features, so all covariances have the same eigenvectors. F counts the
    features and a constant 1, which takes the bias; P outputs, in normalised action units.

    :param basis: eigenvectors in columns, shape (F, F)
    :param variance: of the weights along each eigenvector, shape (P, F)
    """

    basis: Tensor
    variance: Tensor

    @classmethod
    def fit(cls, features: Tensor, targets: Tensor, weights: Tensor) -> Posterior:
        """
        Fit noise and prior by the evidence, and with them the posterior.

        Daxberger et al. 2021, "Laplace redux - effortless Bayesian deep learning", for the last
        layer and a Gaussian likelihood, where the Hessian is the exact one: precision = features'
        features / noise + prior. Noise and the prior's precision of each output are those of
        the largest evidence (MacKay 1992, "Bayesian interpolation").

        :param features: of the training data with the constant 1, shape (N, F)
        :param targets: normalised actions, shape (N, P)
        :param weights: of the trained last layer with its bias, shape (F, P)
        """
        features, weights = features.double(), weights.double()
        squared_error = ((targets.double() - features @ weights) ** 2).sum(0)
        values, basis = torch.linalg.eigh(features.T @ features)
        values = values.clamp(min=0.0)
        squared_weights = (weights ** 2).sum(0).clamp(min=1e-12)
        noise = (squared_error / len(features)).clamp(min=1e-12)
        prior = torch.ones_like(noise)
        for _ in range(ROUNDS):
            scaled = values / noise[:, None]
            determined = (scaled / (scaled + prior[:, None])).sum(1)
            prior = (determined / squared_weights).clamp(min=1e-6)
            noise = (squared_error / (len(features) - determined).clamp(min=1.0)).clamp(min=1e-12)
        return cls(basis.float(), (1 / (values / noise[:, None] + prior[:, None])).float())

    def predictive_variance(self, features: Tensor) -> Tensor:
        """
        Return the variance of each output's mean, features' covariance features.

        :param features: with the constant 1, shape (B, F)
        :returns: shape (B, P), in squared normalised action units
        """
        return (features @ self.basis) ** 2 @ self.variance.T

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return deviations of the weights from their mean, shape (count, F, P)."""
        normal = torch.randn(count, *self.variance.shape, generator=generator)
        return self.basis @ (normal * self.variance.sqrt()).transpose(1, 2)


class LaplaceMembers:
    """
    Members drawn from the posterior, beside the variance that infinitely many would have.

    :param network: of one member
    :param members: number of draws M
    :param seed: of the draws
    """

    def __init__(self, network: MlpMembers, posterior: Posterior, *, members: int,
                 seed: int) -> None:
        deviations = posterior.draw(members, torch.Generator().manual_seed(seed))
        weight = network.weights[-1].detach().expand(members, -1, -1).clone()
        bias = network.biases[-1].detach().expand(members, -1, -1).clone()
        weight[..., :network.outputs] += deviations[:, :-1]
        bias[..., :network.outputs] += deviations[:, -1:]
        self._posterior = posterior
        self._stacked = network.with_heads(weight, bias)
        self._scale = network.action_scale
        self._chunk = (network.horizon, len(network.action_scale))

    def embed(self, observations: Tensor) -> Tensor:
        """Return normalised observations, shape (B, D)."""
        return self._stacked.embed(observations)

    @torch.inference_mode()
    def predict(self, observations: Tensor) -> Prediction:
        """Return every draw's prediction; see `Members.predict`."""
        variance = self._posterior.predictive_variance(
            with_constant(self._stacked.features(observations)))
        return replace(self._stacked.predict(observations),
                       epistemic=variance.reshape(-1, *self._chunk) * self._scale ** 2)


def with_constant(features: Tensor) -> Tensor:
    """Return features with a 1 behind each row, shape (N, F + 1)."""
    return torch.cat([features, features.new_ones(len(features), 1)], 1)


def fit_posterior(network: MlpMembers, observations: Tensor, targets: Tensor) -> Posterior:
    """
    Fit the posterior of a trained network's last layer.

    :param observations: of the training data, shape (N, D), in the units of the topics
    :param targets: shape (N, H A), in normalised action units
    """
    last = torch.cat([network.weights[-1][0], network.biases[-1][0]]).detach()
    features = with_constant(network.stacked().features(observations))
    return Posterior.fit(features, targets, last[:, :network.outputs])


class LaplaceSource:
    """Ensembles by last-layer Laplace: one network in members.safetensors, and its posterior."""

    def load(self, directory: Path, description: EnsembleDescription) -> LaplaceMembers:
        """
        Read network and posterior, and draw the members.

        :raises UncertaintyError: naming file and tensor, where one is missing, of a wrong shape or
            not finite
        """
        network = validate(description.network, LaplaceNetwork, where=f'{directory}: network')
        trained = read_members(directory, description, network, members=1)
        size = network.hidden[-1] + 1
        tensors = read_tensors(directory / POSTERIOR, {
            'basis': (size, size), 'variance': (trained.outputs, size)})
        return LaplaceMembers(trained, Posterior(**tensors), members=description.members,
                              seed=network.seed)
