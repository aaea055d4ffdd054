# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The units about whose class the members of a committee disagree."""
from __future__ import annotations

import numpy as np

from active_collection.registry import unknown
from active_collection.selection.batch import Batch
from active_collection.selection.strategies.ranking import entropy
from active_collection.selection.strategies.ranking import members_of
from active_collection.selection.strategies.ranking import take_highest
from active_collection.selection.units import Scores
from active_collection.selection.units import Units

MEASURES = ('vote_entropy', 'consensus_kl', 'variance')


class QueryByCommittee:
    """
    Takes the units about which the members disagree most (Seung, Opper and Sompolinsky, 1992).

    :param measure: vote_entropy: entropy of the members' votes (Engelson and Dagan, 1996), nats;
        consensus_kl: mean Kullback-Leibler divergence of the members from their mean (McCallum
        and Nigam, 1998), nats; variance: of the members' predictions, summed over outputs. For
        actions and other regression the members are the policies of an ensemble, and their
        variance is the pool's uncertainty
    """

    def __init__(self, *, measure: str = 'vote_entropy') -> None:
        if measure not in MEASURES:
            raise unknown('query_by_committee measure', measure, list(MEASURES))
        self._measure = measure

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where the pool has no committee
        """
        if self._measure == 'variance' and units.members is None and np.isfinite(
                units.uncertainty).any():
            scores = units.uncertainty
        else:
            scores = disagreement(members_of(units), self._measure)
        take_highest(scores, batch, rng, f'{self._measure.replace("_", " ")} {{score}}')


def disagreement(members: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
                 measure: str) -> Scores:
    """
    Return how far members disagree, (N,), at least 0.

    :param members: (M, N, C): each member's class probabilities
    :param measure: one of MEASURES
    """
    if measure == 'vote_entropy':
        votes = members.argmax(axis=2)
        shares = (votes[:, :, None] == np.arange(members.shape[2])).mean(axis=0)
        return entropy(shares)
    if measure == 'consensus_kl':
        divergence = entropy(members.mean(axis=0)) - entropy(members).mean(axis=0)
        return np.asarray(np.maximum(divergence, 0.0))
    return np.asarray(members.var(axis=0).sum(axis=1))
