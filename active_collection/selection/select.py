# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Choose a batch of units from a pool."""
from __future__ import annotations

import inspect
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_collection.errors import ConfigError
from active_collection.errors import SelectionError
from active_collection.registry import unknown
from active_collection.selection import head
from active_collection.selection.batch import Batch
from active_collection.selection.batch import Limits
from active_collection.selection.batch import Pick
from active_collection.selection.pool import Pool
from active_collection.selection.strata import FACTOR
from active_collection.selection.strata import TAG
from active_collection.selection.strata import strata
from active_collection.selection.strategies import STRATEGIES
from active_collection.selection.strategies import QueryStrategy
from active_collection.selection.trajectories import STRATUM
from active_collection.selection.trajectories import Trajectories
from active_collection.selection.trajectories import choose
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Units


@dataclass(frozen=True)
class Query:
    """
    What is asked of the pool.

    :param count: units wanted
    :param strategy: name of the query strategy
    :param options: the strategy's, as text
    :param seed: of all randomness
    :param include: unit ids that are taken first, whatever the strategy says
    :param exclude: unit ids that are never taken
    :param labelled: unit ids that have a label, or were chosen in an earlier round: not taken,
        but known to the strategy
    :param labels: unit id to label, of those that have one: a head trained on them gives the
        class probabilities that some strategies need
    :param predictions: float32 (M, N, C): class probabilities by the members of the user's own
        committee, in place of that head
    :param trajectories: choose so many of them first, then units within; None: units of any
    :param darkest: units with a mean brightness below this or above 1 minus this are not taken
    """

    count: int
    strategy: str = 'hybrid'
    options: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    labelled: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    predictions: NDArray[np.float32] | None = None
    trajectories: Trajectories | None = None
    darkest: float = 0.02


@dataclass(frozen=True)
class Selection:
    """
    What was chosen.

    :param picks: in the order in which they should be labelled
    :param available: units that were left to choose from when the batch was full
    :param duplicates: units ruled out because they look like a pick
    :param notes: lines that the strategy has to say of the whole
    """

    picks: tuple[Pick, ...]
    available: int
    duplicates: int
    notes: tuple[str, ...] = ()


def select(pool: Pool, query: Query) -> Selection:
    """
    Choose units: same pool, same query, same picks.

    :raises ConfigError: where strategy, option or quota is unknown or out of range
    :raises SelectionError: where nothing can be chosen, an id is unknown, or the pool lacks what
        the strategy needs
    """
    if query.count < 1:
        raise ConfigError('count', found=query.count, expected='at least 1')
    chosen_strategy = strategy(query.strategy, query.options)
    numbers = {name: number for number, name in enumerate(pool.texts('unit_id'))}
    labelled = _mask(query.labelled, numbers, strict=False)
    exclude = _mask(query.exclude, numbers, strict=True)
    units = with_predictions(units_of(pool, labelled, _strata_named(query)), query, numbers)
    exposure = pool.numbers('exposure')
    lit = (exposure >= query.darkest) & (exposure <= 1.0 - query.darkest)
    candidates = lit & ~labelled & ~exclude
    rng = np.random.default_rng(query.seed)
    chosen, limits = None, query.limits
    if query.trajectories is not None and len(pool):
        chosen = choose(units, pool.numbers('novelty').astype(np.float64), candidates,
                        query.trajectories, rng=rng, strategy=strategy('hybrid', {}))
        candidates &= chosen.holds(units.strata[STRATUM]) | _mask(query.include, numbers,
                                                                  strict=True)
        limits = _within(limits, query.trajectories)
    # Strategies make room for all that is asked for: no more than there is.
    batch = Batch(units, min(query.count, len(pool)), candidates=candidates,
                  limits=limits, hashes=pool.numbers('hash'))
    for number in np.flatnonzero(labelled):
        batch.keep_away_from(int(number))
    _take_included(batch, query.include, numbers)
    if batch.is_full and not batch.picks:
        raise SelectionError(
            pool.directory, found=f'{len(pool)} units, {int(labelled.sum())} of them labelled, '
            f'{int((~lit).sum())} too dark or too bright', expected='some that may be chosen')
    chosen_strategy.fill(units, batch, rng)
    picks = batch.picks if chosen is None else [
        _explained(pick, chosen.reasons.get(int(units.strata[STRATUM][pick.unit])))
        for pick in batch.picks]
    return Selection(tuple(picks), int(batch.available.sum()), batch.duplicates,
                     tuple(batch.notes))


def units_of(pool: Pool, labelled: NDArray[np.bool_], names: Iterable[str] = ()) -> Units:
    """
    Return the pool as query strategies see it.

    :param labelled: bool (N,)
    :param names: strata beside those that every pool has
    :raises ConfigError: where the pool has no such stratum
    """
    return Units(
        embeddings=Embeddings(pool.embeddings, pool.numbers('embedding_row')),
        stamps=pool.numbers('stamp_ns'),
        recordings=pool.codes('bag', 'topic'),
        uncertainty=pool.numbers('epistemic').astype(np.float64),
        labelled=labelled,
        strata=strata(pool, names))


def with_predictions(units: Units, query: Query, numbers: Mapping[str, int]) -> Units:
    """
    Return the units with class probabilities: the query's, or of a head trained on its labels.

    Without labels of two classes they stay as they are.

    :param numbers: unit id to number
    """
    if query.predictions is not None:
        several = len(query.predictions) > 1
        return replace(units, probabilities=query.predictions.mean(axis=0),
                       members=query.predictions if several else None)
    known = sorted((numbers[unit], label) for unit, label in query.labels.items()
                   if unit in numbers)
    names = [label for _, label in known]
    if len(set(names)) < 2:
        return units
    vectors = units.embeddings.take(np.array([number for number, _ in known], np.int64))
    members = head.train(vectors, names, np.random.default_rng(query.seed)).predict(
        units.embeddings)
    return replace(units, probabilities=members.mean(axis=0), members=members)


def strategy(name: str, options: Mapping[str, str]) -> QueryStrategy:
    """
    Return a query strategy, its options turned into the types of their defaults.

    :raises ConfigError: where the name or an option is unknown, or a value wrong
    """
    kind: Any = STRATEGIES.get(name)
    parameters = inspect.signature(kind).parameters
    values: dict[str, Any] = {}
    for key, text in options.items():
        if key not in parameters:
            raise unknown(f'{name} option', key, list(parameters))
        wanted = type(parameters[key].default)
        try:
            values[key] = wanted(text)
        except ValueError as error:
            raise ConfigError(f'{name} option {key}', found=repr(text),
                              expected=wanted.__name__) from error
    made: QueryStrategy = kind(**values)
    return made


def _strata_named(query: Query) -> set[str]:
    """Return the strata that a query's quotas and options name."""
    named = {*query.limits.quotas}
    if query.trajectories is not None:
        named |= {*query.trajectories.quotas}
    by = query.options.get('by', '')
    return named | {by} if by.startswith((FACTOR, TAG)) else named


def _within(limits: Limits, wanted: Trajectories) -> Limits:
    """Return the limits of the units within trajectories."""
    if not wanted.each:
        return limits
    least = min(wanted.each, limits.quotas.get(STRATUM, wanted.each))
    return replace(limits, quotas={**limits.quotas, STRATUM: least})


def _explained(pick: Pick, why: str | None) -> Pick:
    return pick if why is None else replace(pick, reason=f'{pick.reason}; {why}')


def _take_included(batch: Batch, include: Sequence[str], numbers: Mapping[str, int]) -> None:
    for name in include:
        if name not in numbers:
            raise SelectionError('include', found=repr(name), expected='a unit id of the pool')
        if batch.remaining > 0 and batch.allows(numbers[name]):
            batch.take(numbers[name], 0.0, 'asked for')


def _mask(names: Sequence[str], numbers: Mapping[str, int], *,
          strict: bool) -> NDArray[np.bool_]:
    mask = np.zeros(len(numbers), np.bool_)
    for name in names:
        if name in numbers:
            mask[numbers[name]] = True
        elif strict:
            raise SelectionError('include or exclude', found=repr(name),
                                 expected='a unit id of the pool')
    return mask
