# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The units from whose labels, taken together, most would be learnt about the model."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from active_collection.errors import ConfigError
from active_collection.selection.batch import Batch
from active_collection.selection.strategies.query_by_committee import disagreement
from active_collection.selection.strategies.ranking import entropy
from active_collection.selection.strategies.ranking import members_of
from active_collection.selection.units import Units

_CHUNK = 256


class BatchBald:
    """
    Greedily takes the unit that adds most to the batch's mutual information with the model.

    BatchBALD (Kirsch, van Amersfoort and Gal, 2019). By the chain rule, what a unit adds is its
    expected entropy under the members that remain likely for each joint label of the picks, less
    the mean of the members' own entropies. The joint labels are enumerated while there are at
    most `configurations` of them, and sampled beyond (section 3.3 there). Only the `candidates`
    units with the largest BALD score are compared. The score is the gain (nats); M members can
    tell at most log M.

    :param configurations: joint labels that are kept, at least 1
    :param candidates: units that are compared, at least 1
    """

    def __init__(self, *, configurations: int = 1000, candidates: int = 2000) -> None:
        if configurations < 1:
            raise ConfigError('batch_bald configurations', found=configurations,
                              expected='at least 1')
        if candidates < 1:
            raise ConfigError('batch_bald candidates', found=candidates, expected='at least 1')
        self._configurations = configurations
        self._candidates = candidates

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where the pool has no committee
        """
        members = members_of(units)
        alone = disagreement(members, 'consensus_kl')
        noise = entropy(members).mean(axis=0)
        labels = _JointLabels(np.full((1, len(members)), 1.0 / len(members)), np.ones(1))
        while not batch.is_full:
            left = np.flatnonzero(batch.available)
            left = left[np.lexsort((left, -alone[left]))][:self._candidates]
            gains = labels.expected_entropy(members[:, left]) - noise[left]
            # Equal to 12 digits is equal: then BALD's order decides, not rounding.
            best = int(np.argmax(np.round(gains, 12)))
            gain, unit = max(float(gains[best]), 0.0), int(left[best])
            batch.take(unit, gain, f'adds {gain:.4g} nats to the batch')
            labels = labels.extended(members[:, unit], self._configurations, rng)


class _JointLabels(NamedTuple):
    """
    Joint labels of the picks.

    :param posterior: (S, M): how likely each member is, given a joint label; rows sum to 1
    :param mass: (S,): how likely each joint label is; sums to 1
    """

    posterior: NDArray[np.float64]
    mass: NDArray[np.float64]

    def expected_entropy(self, members: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the entropy of each candidate's label given the picks': (M, N, C) to (N,)."""
        result = np.empty(members.shape[1])
        for start in range(0, len(result), _CHUNK):
            part = members[:, start:start + _CHUNK]
            predicted = np.einsum('sm,mnc->nsc', self.posterior, part, optimize=True)
            result[start:start + part.shape[1]] = entropy(predicted) @ self.mass
        return result

    def extended(self, member: NDArray[np.float64], most: int,
                 rng: np.random.Generator) -> _JointLabels:
        """
        Return the joint labels with one more pick.

        :param member: (M, C): its class probabilities
        :param most: joint labels to keep; a sample of so many where there are more
        """
        product = (self.posterior[:, None, :] * member.T[None]).reshape(-1, len(member))
        share = product.sum(axis=1)
        mass = np.repeat(self.mass, member.shape[1]) * share
        if len(mass) > most:
            chosen = rng.choice(len(mass), most, p=mass / mass.sum())
            product, share, mass = product[chosen], share[chosen], np.full(most, 1.0 / most)
        possible = share > 0
        return _JointLabels(product[possible] / share[possible, None],
                            mass[possible] / mass[possible].sum())
