# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""From what the members predict to the numbers of an estimate, whatever their heads are."""
from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from active_collection.errors import UncertaintyError
from active_collection.uncertainty import committees
from active_collection.uncertainty.ensemble import Measure
from active_collection.uncertainty.ensemble import Prediction
from active_collection.uncertainty.measures import Decomposition
from active_collection.uncertainty.measures import decompose
from active_collection.uncertainty.measures import largest_variance
from active_collection.uncertainty.mixtures import mutual_information_bounds
from active_collection.uncertainty.samples import energy_distance
from active_collection.uncertainty.samples import squared_mmd
from active_collection.uncertainty.samples import variance_components

#: Width of the MMD's kernel, in half-ranges of the action times the root of the numbers in a
#: chunk: the kernel of two chunks that differ by it in each number is exp(-1/2).
BANDWIDTH = 0.5


@dataclass(frozen=True)
class Assessment:
    """
    The uncertainty of a batch of observations.

    :param epistemic: by the ensemble's measure, shape (B,), dimensionless
    :param split: the law of total variance, of which `aleatoric`, `total` and all parts are taken
        whatever the measure is
    """

    epistemic: Tensor
    split: Decomposition


class Assessor:
    """
    Computes `epistemic` by one measure, and the split of the variance beside it.

    :param measure: 'variance': normalised variance of the mean, 0 to 1. 'mutual_information' of
        action and member over its largest value log M, 0 to 1: of Gaussian heads the lower bound
        of Kolchinsky and Tracey 2017, of categorical heads BALD, mean over numbers of the chunk.
        'energy_distance' and 'mmd' between members' samples, in half-ranges, 0 where they agree.
        'vote_entropy' and 'consensus_kl' (its largest member) of categorical heads over log M, and
        'variation_ratio': mean over numbers of the chunk, 0 to 1
    :param low: of the action's range, shape (A,), in action units; `high` likewise
    """

    def __init__(self, measure: Measure, low: Tensor, high: Tensor) -> None:
        self._measure = measure
        self._scale = (high - low) / 2
        self._largest = largest_variance(low, high)

    def assess(self, prediction: Prediction) -> Assessment:
        """
        Return the uncertainty of a prediction.

        :raises UncertaintyError: where the members' heads do not give what the measure needs
        """
        split = self._split(prediction)
        if self._measure == 'variance':
            return Assessment(split.epistemic, split)
        members = len(prediction.mean)
        if self._measure in {'energy_distance', 'mmd'}:
            if prediction.samples is None or min(prediction.samples.shape[:2]) < 2:
                raise self._unfit('at least 2 samples of at least 2 members')
            value = self._between_samples(prediction.samples)
        elif prediction.probabilities is not None:
            committee = _COMMITTEES[self._measure](prediction.probabilities)
            value = committee.mean((1, 2)) / (
                1.0 if self._measure == 'variation_ratio' else math.log(max(members, 2)))
        elif self._measure == 'mutual_information' and prediction.variance is not None:
            mean, variance = prediction.mean / self._scale, prediction.variance / self._scale ** 2
            lower, _ = mutual_information_bounds(mean.flatten(2), variance.flatten(2))
            value = lower / math.log(max(members, 2))
        else:
            raise self._unfit('categorical heads' if self._measure != 'mutual_information'
                              else 'variance or categorical heads')
        return Assessment(value, split)

    def _split(self, prediction: Prediction) -> Decomposition:
        if prediction.samples is not None and min(prediction.samples.shape[:2]) > 1:
            parts = variance_components(prediction.samples)
            return decompose(prediction.mean, parts.within[None], largest=self._largest,
                             epistemic=parts.between)
        return decompose(prediction.mean, prediction.variance, largest=self._largest,
                         epistemic=prediction.epistemic)

    def _between_samples(self, samples: Tensor) -> Tensor:
        if self._measure == 'energy_distance':
            return energy_distance(samples, scale=self._scale)
        numbers = samples.shape[3] * samples.shape[4]
        return squared_mmd(samples, scale=self._scale, bandwidth=BANDWIDTH * numbers ** 0.5)

    def _unfit(self, expected: str) -> UncertaintyError:
        return UncertaintyError(
            f'measure {self._measure}', found='members that do not give them', expected=expected)


def _largest_divergence(probabilities: Tensor) -> Tensor:
    return committees.consensus_kl(probabilities).amax(0)


_COMMITTEES: Mapping[str, Callable[[Tensor], Tensor]] = {
    'mutual_information': committees.mutual_information,
    'vote_entropy': committees.vote_entropy,
    'variation_ratio': committees.variation_ratio,
    'consensus_kl': _largest_divergence,
}
