# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Choose whole trajectories before frames: scored by their units, kept apart by what they show.

A trajectory is what one bag holds: an episode. Its score is an aggregate of its units'
uncertainty or novelty; its embedding is the mean of theirs. So a pool of trajectories is a pool
like any other, and a query strategy chooses among them, under quotas of its own.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from active_collection.errors import ConfigError
from active_collection.errors import SelectionError
from active_collection.registry import unknown
from active_collection.selection.batch import Batch
from active_collection.selection.batch import Limits
from active_collection.selection.strategies import QueryStrategy
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Indices
from active_collection.selection.units import Scores
from active_collection.selection.units import Units

MEASURES = ('uncertainty', 'novelty')
AGGREGATES = ('mean', 'max', 'quantile', 'time_above')
#: The stratum that a trajectory's own units share.
STRATUM = 'bag'
#: A gap in a recording counts at most so long (s) for the time above the threshold.
_LONGEST_STEP_S = 1.0


@dataclass(frozen=True)
class Trajectories:
    """
    How trajectories are chosen, before units within them.

    :param count: trajectories wanted
    :param measure: of the units: uncertainty, or novelty (distance to the data collected before)
    :param aggregate: of a trajectory's units: mean, max, quantile, or time_above (s above the
        threshold)
    :param quantile: that quantile, 0 to 1; also the pool's quantile that is the threshold where
        none is given
    :param threshold: of time_above, in the measure's unit; None: the pool's quantile
    :param quotas: stratum to the most trajectories that share its value: bag columns,
        'factor.NAME' or 'tag.NAME' (objects, grasps, failure modes)
    :param each: most units of one trajectory; 0: no limit
    """

    count: int
    measure: str = 'uncertainty'
    aggregate: str = 'mean'
    quantile: float = 0.9
    threshold: float | None = None
    quotas: Mapping[str, int] = field(default_factory=dict)
    each: int = 0

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise unknown('trajectory measure', self.measure, list(MEASURES))
        if self.aggregate not in AGGREGATES:
            raise unknown('trajectory aggregate', self.aggregate, list(AGGREGATES))
        if self.count < 1 or self.each < 0:
            raise ConfigError('trajectories', found=f'{self.count} of {self.each} units each',
                              expected='at least 1 of at least 0')
        if not 0.0 <= self.quantile <= 1.0:
            raise ConfigError('trajectory quantile', found=self.quantile, expected='0 to 1')


@dataclass(frozen=True)
class Chosen:
    """
    The trajectories that were chosen.

    :param reasons: code of the stratum `bag` to one line, in the order in which they were chosen
    """

    reasons: Mapping[int, str]

    def holds(self, codes: Indices) -> NDArray[np.bool_]:
        """Return bool (N,): which units are of a chosen trajectory."""
        return np.isin(codes, list(self.reasons))


def choose(units: Units, novelty: Scores, candidates: NDArray[np.bool_], wanted: Trajectories, *,
           strategy: QueryStrategy, rng: np.random.Generator) -> Chosen:
    """
    Choose trajectories.

    :param units: the pool, with the strata that the quotas name
    :param novelty: float64 (N,), NaN where not known
    :param candidates: bool (N,): a trajectory without any cannot be chosen
    :param strategy: chooses among the trajectories, by score, embedding and what is labelled
    :raises SelectionError: where the measure is not known of any unit
    """
    values = units.uncertainty if wanted.measure == 'uncertainty' else novelty
    if not np.isfinite(values).any():
        raise SelectionError(
            f'trajectory measure {wanted.measure}', found='not known of any unit',
            expected='a pool of bags recorded with an uncertainty node, or the other measure')
    codes = units.strata[STRATUM]
    starts = np.unique(codes, return_index=True)[1]
    scores = aggregate(values, units, wanted)
    whole = _as_units(units, codes, starts, scores)
    possible = np.bincount(codes, weights=candidates, minlength=len(starts)) > 0
    batch = Batch(whole, min(wanted.count, len(whole)), candidates=possible,
                  limits=Limits(quotas=wanted.quotas))
    strategy.fill(whole, batch, rng)
    ranks = np.argsort(np.argsort(-np.where(np.isfinite(scores), scores, -np.inf))) + 1
    name = wanted.aggregate.replace('_', ' ')
    return Chosen({
        pick.unit: f'trajectory of {name} {wanted.measure} {scores[pick.unit]:.4g}, '
                   f'{ranks[pick.unit]} of {len(scores)}' for pick in batch.picks})


def aggregate(values: Scores, units: Units, wanted: Trajectories) -> Scores:
    """
    Return each trajectory's score, (T,); NaN where nothing is known of it.

    :param values: (N,): of the units, NaN where not known
    """
    codes = units.strata[STRATUM]
    count = int(codes.max()) + 1
    known = np.isfinite(values)
    if not known.any():
        return np.full(count, np.nan)
    order = np.flatnonzero(known)[np.argsort(codes[known], kind='stable')]
    groups, starts = np.unique(codes[order], return_index=True)
    result = np.full(count, np.nan)
    if wanted.aggregate == 'time_above':
        threshold = wanted.threshold
        if threshold is None:
            threshold = float(np.quantile(values[known], wanted.quantile))
        values = np.where(values > threshold, _durations(units), 0.0)
    for code, part in zip(groups, np.split(values[order], starts[1:]), strict=True):
        result[code] = (part.mean() if wanted.aggregate == 'mean'
                        else part.max() if wanted.aggregate == 'max'
                        else np.quantile(part, wanted.quantile) if wanted.aggregate == 'quantile'
                        else part.sum())
    return result


def _durations(units: Units) -> Scores:
    """Return the time that each unit stands for (s): up to the next one of its recording."""
    order = np.lexsort((units.stamps, units.recordings))
    steps = np.append(np.diff(units.stamps[order]) / 1e9, 0.0)
    last = np.append(np.diff(units.recordings[order]) != 0, True)
    steps[last] = 0.0
    # The cameras of one bag see the same time: each counts for its part.
    cameras = {int(code): len(np.unique(units.recordings[units.strata[STRATUM] == code]))
               for code in np.unique(units.strata[STRATUM])}
    share = np.array([cameras[int(code)] for code in units.strata[STRATUM]], np.float64)
    result = np.empty(len(units))
    result[order] = np.minimum(steps, _LONGEST_STEP_S)
    return np.asarray(result / share)


def _as_units(units: Units, codes: Indices, starts: Indices, scores: Scores) -> Units:
    """Return the trajectories as units: mean embedding, first stamp, aggregate as uncertainty."""
    sums = np.zeros((len(starts), units.embeddings.dimension), np.float64)
    for start, chunk in units.embeddings.chunks():
        np.add.at(sums, codes[start:start + len(chunk)], chunk)
    counts = np.bincount(codes, minlength=len(starts))
    means = (sums / counts[:, None]).astype(np.float32)
    return replace(
        units, embeddings=Embeddings.of(means), stamps=units.stamps[starts],
        recordings=np.arange(len(starts)), uncertainty=scores,
        labelled=np.bincount(codes, weights=units.labelled, minlength=len(starts)) > 0,
        strata={name: values[starts] for name, values in units.strata.items()},
        probabilities=None, members=None)
