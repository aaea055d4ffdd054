# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores observations one at a time: the same numbers live in the node and offline from bags."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from active_collection.bags.fields import Vector
from active_collection.episode import UncertaintySummary
from active_collection.errors import UncertaintyError
from active_collection.uncertainty.assessment import Assessor
from active_collection.uncertainty.ensemble_files import Ensemble
from active_collection.uncertainty.settings import ThresholdSettings
from active_collection.uncertainty.summary import EpisodeSummary
from active_collection.uncertainty.threshold import AdaptiveThreshold


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    What the ensemble says of one observation; see UncertaintyEstimate.msg.

    :param stamp_ns: stamp of the observation (ns)
    :param measure: what `epistemic` was computed with
    :param epistemic: disagreement of the members
    :param aleatoric: normalised variance that they agree on, 0 to 1; NaN without heads
    :param total: normalised variance of the members' mixture
    :param novelty: distance to the training data; NaN without a reference
    :param novelty_p_value: conformal p-value of `novelty`; NaN without a calibration set
    :param epistemic_per_dimension: normalised variance over members, mean over the chunk, shape
        (A,), 0 to 1
    :param epistemic_per_step: likewise of each step of the chunk, shape (H,)
    :param member_disagreement: share of each member in the variance over members, shape (M,)
    :param action_chunk: the ensemble's mean actions within the action's range, shape (H, A), in
        action units
    :param threshold: on the value that raises the flag; NaN until calibrated
    :param value: that value: epistemic or novelty
    :param high: it is above the threshold, with hysteresis
    :param episode: summary of the open episode up to and with this step; without steps where none
        is open
    """

    stamp_ns: int
    ensemble_id: str
    measure: str
    epistemic: float
    aleatoric: float
    total: float
    novelty: float
    novelty_p_value: float
    epistemic_per_dimension: Vector
    epistemic_per_step: Vector
    member_disagreement: Vector
    action_chunk: Vector
    threshold: float
    value: float
    high: bool
    episode: UncertaintySummary

    @property
    def action_mean(self) -> Vector:
        """Return the next action, shape (A,): the first of the chunk."""
        first: Vector = self.action_chunk[0]
        return first


class UncertaintyMonitor:
    """
    One robot's uncertainty: the ensemble in use, its threshold and the open episode.

    Not thread-safe: one thread owns it.
    """

    def __init__(self, ensemble: Ensemble, settings: ThresholdSettings | None = None,
                 recent: Sequence[float] = ()) -> None:
        self._settings = settings or ThresholdSettings()
        self._episode_id = ''
        self.use(ensemble, recent)

    @property
    def ensemble(self) -> Ensemble:
        """Return the ensemble in use."""
        return self._ensemble

    @property
    def recent(self) -> tuple[float, ...]:
        """Return the values that the threshold rests on, oldest first."""
        return self._threshold.recent

    def use(self, ensemble: Ensemble, recent: Sequence[float] = ()) -> None:
        """
        Score the next observation with another ensemble.

        Values of two ensembles cannot be compared, so threshold and summary begin anew.

        :param recent: values under this very ensemble that the threshold goes on from; empty: it
            starts from the ensemble's own held-out episodes
        """
        self._ensemble = ensemble
        description = ensemble.description
        action = description.observation.action
        self._low, self._high = np.array(action.low), np.array(action.high)
        self._assessor = Assessor(
            description.measure, torch.tensor(action.low), torch.tensor(action.high))
        self._threshold = AdaptiveThreshold(self._settings, recent or self._usual())
        self._begin_summary()

    def start_episode(self, episode_id: str) -> None:
        """Summarise the steps from here on as those of an episode."""
        self._episode_id = episode_id
        self._begin_summary()

    def finish_episode(self) -> UncertaintySummary:
        """Close the open episode and return its summary."""
        result = self._summary.result()
        self._episode_id = ''
        self._begin_summary()
        return result

    def observe(self, values: Vector, stamp_ns: int) -> Estimate:
        """
        Score one observation.

        :param values: shape (D,), in the units of the topics, in the specification's order
        :param stamp_ns: its stamp (ns)
        :raises UncertaintyError: where the shape is wrong or a value or prediction is not finite
        """
        expected = self._ensemble.description.inputs
        if values.shape != (expected,):
            raise UncertaintyError('observation', found=f'{values.shape[0]} values',
                                   expected=f'{expected}, as {self._ensemble_id} was trained on')
        if not np.isfinite(values).all():
            raise UncertaintyError('observation', found='NaN or infinite', expected='numbers')
        batch = torch.from_numpy(values.astype(np.float32)).unsqueeze(0)
        prediction = self._ensemble.members.predict(batch)
        assessment = self._assessor.assess(prediction)
        split, epistemic = assessment.split, assessment.epistemic.item()
        if not math.isfinite(epistemic):
            raise UncertaintyError(f'ensemble {self._ensemble_id}', found=f'predicts {epistemic}',
                                   expected='finite actions')
        aleatoric = math.nan if split.aleatoric is None else split.aleatoric.item()
        novelty, p_value = self._ensemble.novelty_of(batch)
        value = epistemic if self._settings.measure == 'epistemic' else novelty
        threshold = self._threshold.value
        high = math.isfinite(value) and self._threshold.flag(value)
        if self._episode_id:
            self._summary.add(epistemic=epistemic, aleatoric=aleatoric, novelty=novelty,
                              above=value > threshold)
        return Estimate(
            stamp_ns=stamp_ns, ensemble_id=self._ensemble_id,
            measure=self._ensemble.description.measure, epistemic=epistemic,
            aleatoric=aleatoric, total=split.total.item(), novelty=novelty,
            novelty_p_value=p_value,
            epistemic_per_dimension=split.per_dimension[0].double().numpy(),
            epistemic_per_step=split.per_step[0].double().numpy(),
            member_disagreement=split.member_shares[0].double().numpy(),
            action_chunk=np.clip(
                prediction.mean.mean(0)[0].double().numpy(), self._low, self._high),
            threshold=threshold, value=value, high=high, episode=self._summary.result())

    def _usual(self) -> Sequence[float]:
        """Return values on held-out episodes, which the threshold starts from."""
        if self._settings.measure == 'epistemic':
            return self._ensemble.description.reference_epistemic
        novelty = self._ensemble.novelty
        return () if novelty is None else tuple(novelty.usual.tolist())

    @property
    def _ensemble_id(self) -> str:
        return self._ensemble.description.ensemble_id

    def _begin_summary(self) -> None:
        self._summary = EpisodeSummary(self._episode_id, self._ensemble_id)
