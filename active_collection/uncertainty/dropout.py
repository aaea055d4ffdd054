# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Members that are one network trained with dropout, each with other units left out."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from active_collection.config import validate
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.mlp import MlpNetwork
from active_collection.uncertainty.mlp import read_members
from active_collection.uncertainty.stacked import StackedMlps


class DropoutNetwork(MlpNetwork):
    """
    The `network` of a description whose source is 'mc_dropout'.

    `rate`: share of hidden units that are left out. `seed`: of the members' masks.
    """

    rate: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0, lt=2**63)


def masks(shape: Sequence[int], widths: Sequence[int], *, rate: float,
          generator: torch.Generator) -> list[Tensor]:
    """
    Draw the factors of hidden units: 0 with probability `rate`, else 1 / (1 - rate).

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".

    :param shape: in front of the units
    :param widths: of each hidden layer
    :returns: one tensor a layer, shape (*shape, width)
    """
    return [torch.empty(*shape, width).bernoulli_(1 - rate, generator=generator) / (1 - rate)
            for width in widths]


def thin(network: MlpMembers, *, members: int, rate: float, seed: int) -> StackedMlps:
    """
    Return M draws from the approximate posterior of a network trained with dropout.

    Gal and Ghahramani 2016, "Dropout as a Bayesian approximation". The masks are drawn once and
    hold for every observation: each member is one policy, and the same observation always gives
    the same estimate.
    """
    widths = [weight.shape[2] for weight in network.weights[:-1]]
    return network.thinned(masks((members,), widths, rate=rate,
                                 generator=torch.Generator().manual_seed(seed)))


class DropoutSource:
    """Ensembles by Monte Carlo dropout: members.safetensors with one network's parameters."""

    def load(self, directory: Path, description: EnsembleDescription) -> StackedMlps:
        """
        Read the network and draw its members.

        :raises UncertaintyError: naming file and tensor, where one is missing, of a wrong shape or
            not finite
        """
        network = validate(description.network, DropoutNetwork, where=f'{directory}: network')
        return thin(read_members(directory, description, network, members=1),
                    members=description.members, rate=network.rate, seed=network.seed)
