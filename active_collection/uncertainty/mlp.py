# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""M multilayer perceptrons as one module to train: stacked parameters, one product a layer."""
from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch import nn

from active_collection.config import Model
from active_collection.config import validate
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.stacked import LARGEST_LOG_VARIANCE
from active_collection.uncertainty.stacked import StackedMlps
from active_collection.uncertainty.tensor_files import read_tensors

#: File of the members' parameters in an ensemble's directory.
MEMBERS = 'members.safetensors'


class MlpMembers(nn.Module):
    """
    Members of the same architecture with Gaussian heads, trained together.

    The normalisation of inputs and actions is part of it; `stacked` gives what predicts in the
    units of the topics.

    :param members: number of members M
    :param inputs: size of an observation D
    :param actions: number of action dimensions A
    :param hidden: width of each hidden layer
    :param variance_floor: smallest predicted variance, in normalised action units
    :param horizon: steps of the action chunk H
    :param shared: number of first layers that all members share; the rest are the heads
    :param priors: each member has a fixed random network beside it, added to its mean
    """

    input_mean: Tensor
    input_scale: Tensor
    action_mean: Tensor
    action_scale: Tensor
    variance_scale: Tensor

    def __init__(self, *, members: int, inputs: int, actions: int, hidden: Sequence[int],
                 variance_floor: float, horizon: int = 1, shared: int = 0,
                 priors: bool = False) -> None:
        super().__init__()
        self.members = members
        self.outputs = horizon * actions
        self.horizon = horizon
        self.variance_floor = variance_floor
        sizes = list(itertools.pairwise([inputs, *hidden, 2 * self.outputs]))
        stack = [1 if layer < shared else members for layer in range(len(sizes))]
        self.weights = nn.ParameterList(
            torch.zeros(count, *size) for count, size in zip(stack, sizes, strict=True))
        self.biases = nn.ParameterList(
            torch.zeros(count, 1, size[1]) for count, size in zip(stack, sizes, strict=True))
        # Weights alone: a prior without biases is 0 at the mean observation, wild far from it.
        self.priors = nn.ParameterList(
            nn.Parameter(torch.zeros(members, *size), requires_grad=False)
            for size in (sizes if priors else ()))
        self.register_buffer('input_mean', torch.zeros(inputs))
        self.register_buffer('input_scale', torch.ones(inputs))
        self.register_buffer('action_mean', torch.zeros(actions))
        self.register_buffer('action_scale', torch.ones(actions))
        self.register_buffer('variance_scale', torch.ones(members, 1, self.outputs))

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, *, prior_scale: float = 1.0) -> None:
        """
        Draw every member's weights (He et al. 2015, uniform), biases zero.

        :param prior_scale: standard deviation of the priors' means at a typical observation, in
            normalised action units
        """
        for place, weight in enumerate(self.weights):
            last = place == len(self.weights) - 1
            bound = ((1.0 if last else 6.0) / weight.shape[1]) ** 0.5
            weight.copy_(torch.empty(weight.shape).uniform_(-bound, bound, generator=generator))
        for bias in self.biases:
            bias.zero_()
        for place, prior in enumerate(self.priors):
            last = place == len(self.priors) - 1
            # Hidden units keep the mean square of the inputs, 1 (He et al. 2015).
            spread = (prior_scale if last else 2.0 ** 0.5) / prior.shape[1] ** 0.5
            prior.copy_(spread * torch.randn(prior.shape, generator=generator))
            if last:
                prior[..., self.outputs:] = 0.0

    def heads(self, observations: Tensor,
              dropout: Sequence[Tensor] = ()) -> tuple[Tensor, Tensor]:
        """
        Return mean and log-variance in normalised action units, for training.

        :param observations: normalised, shape (B, D) for all members or (M, B, D) for each
        :param dropout: factor of each hidden layer's units, shape (M, B, width) each; empty: none
        :returns: mean and log-variance, each of shape (M, B, H A)
        """
        if observations.dim() == 2:
            observations = observations.expand(self.members, *observations.shape)
        hidden = observations
        last = len(self.weights) - 1
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if len(weight) == len(hidden):
                hidden = torch.baddbmm(bias, hidden, weight)
            else:
                flat = torch.addmm(bias[0], hidden.flatten(0, 1), weight[0])
                hidden = flat.reshape(*hidden.shape[:2], -1)
            if place < last:
                hidden = torch.relu_(hidden)
                if dropout:
                    hidden = hidden * dropout[place]
        mean, raw = hidden[..., :self.outputs], hidden[..., self.outputs:]
        if len(self.priors):
            mean = mean + self._prior(observations)
        return mean, LARGEST_LOG_VARIANCE - nn.functional.softplus(LARGEST_LOG_VARIANCE - raw)

    @torch.no_grad()
    def _prior(self, observations: Tensor) -> Tensor:
        hidden = observations
        for weight in self.priors[:-1]:
            hidden = torch.bmm(hidden, weight).relu_()
        return torch.bmm(hidden, self.priors[-1])[..., :self.outputs]

    def variance_of(self, log_variance: Tensor) -> Tensor:
        """
        Return variance in normalised action units, not below the floor before it is scaled.

        :param log_variance: shape (M, B, H A)
        """
        return (log_variance.exp() + self.variance_floor) * self.variance_scale

    def stacked(self) -> StackedMlps:
        """Return the members as they are, ready to predict."""
        weights, biases = list(self.weights), list(self.biases)
        if len(self.priors):
            weights = [torch.cat([w, p]) for w, p in zip(weights, self.priors, strict=True)]
            biases = [torch.cat([b, torch.zeros_like(b)]) for b in biases]
        return self._stack(weights, biases, self.variance_scale)

    def thinned(self, masks: Sequence[Tensor]) -> StackedMlps:
        """
        Return as many members as there are masks of the one network that this is.

        :param masks: factor of each hidden layer's units, shape (M, width) each
        """
        weights = [self.weights[0], *(
            mask[:, :, None] * weight
            for mask, weight in zip(masks, self.weights[1:], strict=True))]
        count = len(masks[0])
        biases = [self.biases[0], *(bias.expand(count, 1, -1) for bias in self.biases[1:])]
        return self._stack(weights, biases, self.variance_scale.expand(count, -1, -1))

    def with_heads(self, weight: Tensor, bias: Tensor) -> StackedMlps:
        """
        Return members that share all but the last layer of the one network that this is.

        :param weight: last layers, shape (M, F, 2 H A); `bias`: shape (M, 1, 2 H A)
        """
        return self._stack([*self.weights[:-1], weight], [*self.biases[:-1], bias],
                           self.variance_scale.expand(len(weight), -1, -1))

    def _stack(self, weights: Sequence[Tensor], biases: Sequence[Tensor],
               variance_scale: Tensor) -> StackedMlps:
        return StackedMlps(
            weights=weights, biases=biases, input_mean=self.input_mean,
            input_scale=self.input_scale, action_mean=self.action_mean,
            action_scale=self.action_scale, variance_floor=self.variance_floor,
            variance_scale=variance_scale, horizon=self.horizon,
            priors=self.members if len(self.priors) else 0)


class MlpNetwork(Model):
    """
    The `network` of a description whose source is 'mlp'.

    `shared`: number of first layers that all members share: one network with several heads.
    `priors`: a fixed random network beside each member (Osband et al. 2018).
    """

    hidden: tuple[Annotated[int, Field(ge=1, le=10**6)], ...] = Field(min_length=1)
    variance_floor: float = Field(gt=0)
    shared: int = Field(default=0, ge=0)
    priors: bool = False


class MlpSource:
    """Ensembles of our own training: members.safetensors with every member's parameters."""

    def load(self, directory: Path, description: EnsembleDescription) -> StackedMlps:
        """
        Read the members.

        :raises UncertaintyError: naming file and tensor, where one is missing, of a wrong shape or
            not finite
        """
        network = validate(description.network, MlpNetwork, where=f'{directory}: network')
        return read_members(directory, description, network, members=description.members).stacked()


def read_members(directory: Path, description: EnsembleDescription, network: MlpNetwork, *,
                 members: int) -> MlpMembers:
    """
    Read members.safetensors.

    :param members: number of networks in it
    :raises UncertaintyError: naming file and tensor, where one is missing, of a wrong shape or not
        finite
    """
    with torch.device('meta'):  # takes no memory, whatever the description claims
        read = MlpMembers(
            members=members, inputs=description.inputs, actions=description.actions,
            hidden=network.hidden, variance_floor=network.variance_floor,
            horizon=description.horizon, shared=network.shared, priors=network.priors)
    shapes = {name: tuple(t.shape) for name, t in read.state_dict().items()}
    read.load_state_dict(read_tensors(directory / MEMBERS, shapes), assign=True)
    return read.requires_grad_(False)
