# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The object configurations of a task as points of a unit cube, and a sequence that fills it."""
from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from active_collection.constraint import Constraint
from active_collection.errors import ConfigError
from active_collection.scenario import Exclusion
from active_collection.scheduling.beliefs.feasible_points import FeasiblePoints
from active_collection.scheduling.beliefs.sobol import Sobol
from active_collection.task import Factor
from active_collection.task import Task
from active_collection.task import Value

Points = npt.NDArray[np.float64]
#: Coordinate of a continuous factor that has one value.
CONSTANT = 0.5
#: How alike two configurations are that differ in one label alone, 0 to 1.
OTHER_LABEL = 0.5


class FactorSpace:
    """
    A task's factors, sorted by name, as the dimensions of points.

    A continuous factor's coordinate is its value scaled to 0 to 1; a discrete factor's is the
    index of its label.

    :param factors: the factors of one task
    :param constraints: conditions that every point fulfils that is drawn
    :param seed: of the sequence that fills the space: another seed, another sequence
    """

    def __init__(self, factors: Mapping[str, Factor],
                 constraints: Sequence[Constraint] = (), *, seed: Sequence[int] = (0,)) -> None:
        self.constraints: Sequence[Constraint] = tuple(constraints)
        self.names = tuple(sorted(factors))
        self._factors = [factors[name] for name in self.names]
        self.is_discrete = np.array([f.is_discrete for f in self._factors], dtype=bool)
        self.is_fixed = np.array([f.low is not None and f.low == f.high for f in self._factors],
                                 dtype=bool)
        self._feasible = FeasiblePoints(self) if self.constraints else None
        self._sobol = Sobol(self.dimensions, seed=seed) if self.dimensions else None

    @property
    def dimensions(self) -> int:
        """Return the number of factors."""
        return len(self.names)

    def encode(self, values: Mapping[str, Value]) -> Points | None:
        """Return the point of shape (d,) of an object configuration; None for one not of here."""
        if set(values) != set(self.names):
            return None
        point = np.empty(self.dimensions)
        for k, (name, factor) in enumerate(zip(self.names, self._factors, strict=True)):
            value = values[name]
            if not factor.allows(value):
                return None
            if factor.values is not None:
                point[k] = factor.values.index(str(value))
            else:
                low, high = factor.low or 0.0, factor.high or 0.0
                point[k] = (float(value) - low) / (high - low) if high > low else CONSTANT
        return point

    def decode(self, point: Points) -> dict[str, Value]:
        """Return the object configuration of a point of shape (d,)."""
        values: dict[str, Value] = {}
        for coordinate, name, factor in zip(point, self.names, self._factors, strict=True):
            if factor.values is not None:
                values[name] = factor.values[int(coordinate)]
            else:
                low, high = factor.low or 0.0, factor.high or 0.0
                values[name] = float(min(max(low + coordinate * (high - low), low), high))
        return values

    def from_unit(self, unit: Points) -> Points:
        """
        Return points for numbers drawn from the unit cube.

        :param unit: shape (n, d), each 0 to below 1
        """
        points = np.asfortranarray(unit.copy())  # distances go column by column
        for k, factor in enumerate(self._factors):
            if factor.values is not None:
                points[:, k] = np.floor(unit[:, k] * len(factor.values))
            elif factor.low == factor.high:
                points[:, k] = CONSTANT
        return points

    def is_feasible(self, points: Points) -> npt.NDArray[np.bool_]:
        """Return for points of shape (n, d) whether they fulfil every constraint."""
        feasible = np.ones(len(points), dtype=bool)
        if self.constraints:
            values = {name: self._values(k, points[:, k]) for k, name in enumerate(self.names)}
            for constraint in self.constraints:
                feasible &= constraint.holds(values)
        return feasible

    def _values(self, k: int, coordinates: Points) -> npt.NDArray[np.generic]:
        factor = self._factors[k]
        if factor.values is not None:
            return np.array(factor.values)[coordinates.astype(np.int64)]
        low, high = factor.low or 0.0, factor.high or 0.0
        return np.clip(low + coordinates * (high - low), low, high)

    def sequence(self, start: int, stop: int) -> Points:
        """
        Return points start to stop of a sequence that fills the space, constraints fulfilled.

        There are fewer where no more could be found.
        """
        if self._feasible is None:
            return self.unconstrained(start, stop)
        return np.asfortranarray(self._feasible.until(stop)[start:])

    def unconstrained(self, start: int, stop: int) -> Points:
        """
        Return points start to stop of a low-discrepancy sequence, which can go on without an end.

        Its seed says which of the equally good fillings of the space it is.
        """
        if self._sobol is None:
            return np.empty((stop - start, 0))
        return self.from_unit(self._sobol.points(start, stop))

    def alike(self, points: Points, others: Points, length: float) -> Points:
        """
        Return how alike configurations are: what one says of the other, 0 to 1, shape (n, m).

        exp(-1/2 sum of squares of the differences of continuous factors over `length`), times
        `OTHER_LABEL` for each label that differs.

        :param points: shape (n, d)
        :param others: shape (m, d)
        :param length: in the unit cube, over which a continuous factor is alike
        """
        exponent = np.zeros((len(points), len(others)))
        for k, is_discrete in enumerate(self.is_discrete):
            difference = points[:, k:k + 1] - others[None, :, k]
            if is_discrete:
                exponent += np.log(OTHER_LABEL) * (difference != 0)
            else:
                exponent -= 0.5 * (difference / length) ** 2
        return np.exp(exponent)

    def is_allowed(self, points: Points, task: str, environment: str,
                   exclusions: Iterable[Exclusion]) -> npt.NDArray[np.bool_]:
        """Return for points of shape (n, d) whether no exclusion covers them."""
        allowed = np.ones(len(points), dtype=bool)
        for exclusion in exclusions:
            if (exclusion.task in {None, task} and exclusion.environment in {None, environment}
                    and set(exclusion.configuration) <= set(self.names)):
                allowed &= ~self._matches(points, exclusion.configuration)
        return allowed

    def _matches(self, points: Points, labels: Mapping[str, str]) -> npt.NDArray[np.bool_]:
        matches = np.ones(len(points), dtype=bool)
        for name, label in labels.items():
            k = self.names.index(name)
            known = self._factors[k].values or ()
            matches &= points[:, k] == known.index(label) if label in known else False
        return matches


def check_feasible(task: Task, *, where: str) -> None:
    """
    Refuse a task whose constraints leave no configuration.

    :param where: what holds the constraints, for messages
    :raises ConfigError: where none was found
    """
    if not len(FactorSpace(task.factors, task.conditions).sequence(0, 1)):
        raise ConfigError(
            where, found=' and '.join(f'({text})' for text in task.constraints),
            expected='constraints that leave something: no configuration was found')
