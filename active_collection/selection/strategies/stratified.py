# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The same number of units of each bag, scenario, task or outcome, at random."""
from __future__ import annotations

import numpy as np

from active_collection.registry import unknown
from active_collection.selection.batch import Batch
from active_collection.selection.units import Units


class Stratified:
    """
    Strata take turns, in a random order, each giving one of its units at random.

    Strata that have run out are stepped over. The score is 0.

    :param by: name of the stratum: bag, camera, scenario, task, environment, outcome or robot
    """

    def __init__(self, *, by: str = 'bag') -> None:
        self._by = by

    def fill(self, units: Units, batch: Batch, rng: np.random.Generator) -> None:
        """
        Take units until the batch is full.

        :raises ConfigError: where there is no such stratum
        """
        if self._by not in units.strata:
            raise unknown('stratified by', self._by, list(units.strata))
        codes = units.strata[self._by]
        order = rng.permutation(len(units))
        groups = [order[codes[order] == code] for code in rng.permutation(np.unique(codes))]
        places = [0] * len(groups)
        while not batch.is_full:
            for number, group in enumerate(groups):
                while places[number] < len(group) and not batch.allows(int(group[places[number]])):
                    places[number] += 1
                if places[number] < len(group) and not batch.is_full:
                    batch.take(int(group[places[number]]), 0.0, f'one of each {self._by}')
