# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The running summary of an episode's uncertainty."""
from __future__ import annotations

import bisect
import math

from active_collection.episode import UncertaintySummary
from active_collection.uncertainty.threshold import quantile


class EpisodeSummary:
    """Takes the steps of one episode under one ensemble and says what they come to."""

    def __init__(self, episode_id: str, ensemble_id: str) -> None:
        self._episode_id = episode_id
        self._ensemble_id = ensemble_id
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
            return UncertaintySummary(self._episode_id, self._ensemble_id)
        aleatoric = self._aleatoric_sum / steps
        return UncertaintySummary(
            episode_id=self._episode_id, ensemble_id=self._ensemble_id, steps=steps,
            epistemic_mean=self._epistemic_sum / steps, epistemic_max=self._epistemic[-1],
            epistemic_p95=quantile(self._epistemic, 0.95),
            aleatoric_mean=0.0 if math.isnan(aleatoric) else aleatoric,
            novelty_mean=self._novelty_sum / steps, above_threshold=self._above / steps)
