# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The running summary of an episode's uncertainty."""
from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from active_collection.episode import UncertaintySummary
from active_collection.uncertainty.ranked_window import quantile


class EpisodeSummary:
    """
    Takes the steps of one episode under one ensemble and says what they come to.

    :param created_ns: when the ensemble was made (ns); 0 if not known
    :param trained_on: demonstrations that it was made of, by task; empty if not known
    :param held_out_loss: its members' error on what they did not learn, by task; empty likewise
    """

    def __init__(self, episode_id: str, ensemble_id: str, *, created_ns: int = 0,
                 trained_on: Mapping[str, int] = MappingProxyType({}),
                 held_out_loss: Mapping[str, float] = MappingProxyType({})) -> None:
        self._empty = UncertaintySummary(
            episode_id, ensemble_id, ensemble_created_ns=created_ns, trained_on=dict(trained_on),
            held_out_loss=dict(held_out_loss))
        self._epistemic: list[float] = []
        self._epistemic_sum = 0.0
        self._aleatoric_sum = 0.0
        self._novelty_sum = 0.0
        self._above = 0

    def add(self, *, epistemic: float, aleatoric: float, novelty: float, above: bool) -> None:
        """
        Take one step.

        :param epistemic: normalised, 0 to 1
        :param aleatoric: normalised; NaN where the members have no variance heads
        :param novelty: NaN where there is no reference
        :param above: whether epistemic is above the threshold in force
        """
        bisect.insort(self._epistemic, epistemic)
        self._epistemic_sum += epistemic
        self._aleatoric_sum += aleatoric
        self._novelty_sum += novelty
        self._above += above

    def result(self) -> UncertaintySummary:
        """Return the summary up to and with the newest step."""
        steps = len(self._epistemic)
        if steps == 0:
            return self._empty
        aleatoric = self._aleatoric_sum / steps
        return replace(
            self._empty, steps=steps, epistemic_mean=self._epistemic_sum / steps,
            epistemic_max=self._epistemic[-1],
            epistemic_p95=quantile(self._epistemic, 0.95),
            aleatoric_mean=0.0 if math.isnan(aleatoric) else aleatoric,
            novelty_mean=self._novelty_sum / steps, above_threshold=self._above / steps)
