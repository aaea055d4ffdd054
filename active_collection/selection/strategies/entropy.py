"""The units about whose class a classifier is least sure, by the entropy of its probabilities."""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from active_collection.errors import SelectionError
from active_collection.selection.batch import Batch
from active_collection.selection.units import Scores
from active_collection.selection.units import Units


def entropy(probabilities: NDArray[np.floating]) -> Scores:
    """
    Return the Shannon entropy of each row (Shannon, 1948), in nats: 0 sure, log C not at all.

    :param probabilities: (N, C), rows that sum to 1
    """
    p = np.asarray(probabilities, np.float64)
    return np.asarray(-np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=1))


class Entropy:
    """
    Takes the units with the largest entropy of the class probabilities (Settles, 2009, 3.1).

    The score is that entropy (nats). Equal ones come in random order.
    """

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises SelectionError: where the pool has no class probabilities
        """
        if units.probabilities is None:
            raise SelectionError(
                'class probabilities', found='none', expected='a round with labels, from which '
                "probabilities come; for a policy ensemble's variance, strategy uncertainty")
        scores = entropy(units.probabilities)
        order = np.lexsort((rng.permutation(len(units)), -scores))
        batch.take_in_order(order, scores[order], 'entropy {score}')
