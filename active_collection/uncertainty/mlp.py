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
    """

    input_mean: Tensor
    input_scale: Tensor
    action_mean: Tensor
    action_scale: Tensor
    variance_scale: Tensor

    def __init__(self, *, members: int, inputs: int, actions: int, hidden: Sequence[int],
                 variance_floor: float) -> None:
        super().__init__()
        self.members = members
        self.actions = actions
        self.variance_floor = variance_floor
        sizes = [inputs, *hidden, 2 * actions]
        self.weights = nn.ParameterList(
            torch.zeros(members, before, after)
            for before, after in itertools.pairwise(sizes))
        self.biases = nn.ParameterList(torch.zeros(members, 1, after) for after in sizes[1:])
        self.register_buffer('input_mean', torch.zeros(inputs))
        self.register_buffer('input_scale', torch.ones(inputs))
        self.register_buffer('action_mean', torch.zeros(actions))
        self.register_buffer('action_scale', torch.ones(actions))
        self.register_buffer('variance_scale', torch.ones(members, 1, actions))

    def initialise(self, generator: torch.Generator) -> None:
        """Draw every member's weights (He et al. 2015, uniform), biases zero."""
        with torch.no_grad():
            for place, weight in enumerate(self.weights):
                last = place == len(self.weights) - 1
                bound = ((1.0 if last else 6.0) / weight.shape[1]) ** 0.5
                weight.copy_(torch.empty(weight.shape).uniform_(
                    -bound, bound, generator=generator))
            for bias in self.biases:
                bias.zero_()

    def heads(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return mean and log-variance in normalised action units, for training.

        :param observations: normalised, shape (B, D) for all members or (M, B, D) for each
        :returns: mean and log-variance, each of shape (M, B, A)
        """
        if observations.dim() == 2:
            observations = observations.expand(self.members, *observations.shape)
        hidden = observations
        last = len(self.weights) - 1
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, hidden, weight)
            if place < last:
                hidden = torch.relu_(hidden)
        mean, raw = hidden[..., :self.actions], hidden[..., self.actions:]
        return mean, LARGEST_LOG_VARIANCE - nn.functional.softplus(LARGEST_LOG_VARIANCE - raw)

    def variance_of(self, log_variance: Tensor) -> Tensor:
        """
        Return variance in normalised action units, not below the floor before it is scaled.

        :param log_variance: shape (M, B, A)
        """
        return (log_variance.exp() + self.variance_floor) * self.variance_scale

    def stacked(self) -> StackedMlps:
        """Return the members as they are, ready to predict."""
        return StackedMlps(
            weights=list(self.weights), biases=list(self.biases), input_mean=self.input_mean,
            input_scale=self.input_scale, action_mean=self.action_mean,
            action_scale=self.action_scale, variance_floor=self.variance_floor,
            variance_scale=self.variance_scale)


class MlpSource:
    """Ensembles of our own training: members.safetensors with every member's parameters."""

    def load(self, directory: Path, description: EnsembleDescription) -> StackedMlps:
        """
        Read the members.

        :raises UncertaintyError: naming file and tensor, where one is missing, of a wrong shape or
            not finite
        """
        network = validate(description.network, MlpNetwork, where=f'{directory}: network')
        with torch.device('meta'):  # takes no memory, whatever the description claims
            members = MlpMembers(
                members=description.members, inputs=description.inputs,
                actions=description.actions, hidden=network.hidden,
                variance_floor=network.variance_floor)
        shapes = {name: tuple(t.shape) for name, t in members.state_dict().items()}
        members.load_state_dict(read_tensors(directory / MEMBERS, shapes), assign=True)
        return members.stacked()


class MlpNetwork(Model):
    """The `network` of a description whose source is 'mlp'."""

    hidden: tuple[Annotated[int, Field(ge=1, le=10**6)], ...] = Field(min_length=1)
    variance_floor: float = Field(gt=0)
