# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Sobol's sequence, scrambled by a seed: points that fill a unit cube evenly, without an end."""
from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from functools import cache
from itertools import count
from itertools import islice

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
#: Binary digits of a coordinate.
DIGITS = 32
#: What they count for, first digit first.
WEIGHTS = 1 << np.arange(DIGITS - 1, -1, -1, dtype=np.int64)
#: Draws of a dimension's direction numbers, of which that one is taken whose points are least
#: correlated with those of the dimensions before it, for these numbers of points.
DRAWS = 16
FEW = (64, 128, 256)


class Sobol:
    """
    Points of a unit cube, of which 2^k in a row, from a multiple of 2^k on, fill it evenly.

    Sobol's sequence ("On the distribution of points in a cube and the approximate evaluation of
    integrals", 1967) with a random linear matrix scrambling and a digital shift (Matousek, "On the
    L2-discrepancy for anchored boxes", 1998). Its discrepancy, and the correlations of up to 12
    dimensions over 256 points, are those of `scipy.stats.qmc.Sobol`; no scheduler has to wait
    until all of `scipy.stats` is imported for it.

    :param dimensions: 1 or more
    :param seed: another seed, another of the equally good sequences
    """

    def __init__(self, dimensions: int, *, seed: Sequence[int]) -> None:
        random = np.random.default_rng(seed)
        self._directions = np.array([
            _scrambled(directions, random) for directions in _directions(dimensions)])
        self._shift = random.integers(1 << DIGITS, size=dimensions)

    def points(self, start: int, stop: int) -> Floats:
        """Return points start to stop, 0 to below 1, shape (n, d)."""
        return _points(start, stop, self._directions, self._shift)


def _points(start: int, stop: int, directions: Integers, shift: Integers) -> Floats:
    """
    Return points of a sequence.

    :param directions: what each binary digit of a point's number flips, shape (d, DIGITS)
    :param shift: what is flipped of all points, shape (d,)
    """
    number = np.arange(start, stop)
    digits = np.tile(shift, (len(number), 1))
    for k in range(max(stop - 1, 0).bit_length()):
        digits ^= (number >> k & 1)[:, None] * directions[:, k]
    return np.asarray(digits / (1 << DIGITS))


def _scrambled(directions: Integers, random: np.random.Generator) -> Integers:
    """Return direction numbers times a random lower triangular matrix of 0 and 1, ones across."""
    digits = directions[:, None] // WEIGHTS & 1
    matrix = np.tril(random.integers(2, size=(DIGITS, DIGITS)), -1) + np.eye(DIGITS, dtype=int)
    return np.asarray((digits @ matrix.T & 1) @ WEIGHTS)


@cache
def _directions(dimensions: int) -> Integers:
    """Return the direction numbers of the first dimensions, shape (d, DIGITS)."""
    random = np.random.default_rng(0)
    chosen: list[Integers] = []
    for polynomial in (1, *islice(_primitive(), dimensions - 1)):
        drawn = [_drawn(polynomial, random) for _ in range(DRAWS)]
        chosen.append(min(drawn, key=lambda each: _likeness(each, chosen)))
    return np.array(chosen)


def _drawn(polynomial: int, random: np.random.Generator) -> Integers:
    """
    Return direction numbers of a dimension, the first ones drawn.

    :param polynomial: primitive, see `_primitive`; 1: van der Corput's sequence
    """
    degree = polynomial.bit_length() - 1
    odd = [2 * int(random.integers(1 << k)) + 1 for k in range(degree)]
    for k in range(degree, DIGITS):
        number = odd[k - degree] ^ odd[k - degree] << degree if degree else 1
        for j in range(1, degree):
            number ^= (polynomial >> degree - j & 1) * odd[k - j] << j
        odd.append(number)
    return np.asarray(np.array(odd) * WEIGHTS)


def _likeness(directions: Integers, others: Sequence[Integers]) -> float:
    """Return the largest correlation of a dimension with others over few points, 0 to 1."""
    largest = 0.0
    together = np.array([directions, *others])
    for few in FEW * bool(others):
        points = _points(0, few, together, np.zeros(len(together), dtype=np.int64))
        largest = max(largest, float(np.abs(np.atleast_2d(np.corrcoef(points.T))[0, 1:]).max()))
    return largest


def _primitive() -> Iterator[int]:
    """Give the primitive polynomials over two elements, bit k for x^k."""
    for degree in count(1):
        for polynomial in range(1 << degree | 1, 1 << degree + 1, 2):
            if _order(polynomial, degree) == (1 << degree) - 1:
                yield polynomial


def _order(polynomial: int, degree: int) -> int:
    """Return the least power of x that is 1 modulo a polynomial with a constant term."""
    power, remainder = 0, 1
    while not power or remainder != 1:
        remainder <<= 1
        remainder ^= (remainder >> degree) * polynomial
        power += 1
    return power
