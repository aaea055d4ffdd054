# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores observations one at a time: the same numbers live in the node and offline from bags."""
from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from active_collection.bags.fields import Vector
from active_collection.episode import UncertaintySummary
from active_collection.errors import UncertaintyError
from active_collection.uncertainty.assessment import Assessor
from active_collection.uncertainty.ensemble_files import Ensemble
from active_collection.uncertainty.estimate import Estimate
from active_collection.uncertainty.settings import ThresholdSettings
from active_collection.uncertainty.summary import EpisodeSummary
from active_collection.uncertainty.threshold import AdaptiveThreshold
from active_collection.uncertainty.threshold import Recent


class UncertaintyMonitor:
    """
    One robot's uncertainty: the ensemble in use, its threshold and the open episode.

    Not thread-safe: one thread owns it.
    """

    def __init__(self, ensemble: Ensemble, settings: ThresholdSettings | None = None,
                 recent: Recent | None = None) -> None:
        self._settings = settings or ThresholdSettings()
        self._episode_id = ''
        self._knows_episodes = False
        self.use(ensemble, recent)

    @property
    def ensemble(self) -> Ensemble:
        """Return the ensemble in use."""
        return self._ensemble

    @property
    def recent(self) -> Recent:
        """Return what the threshold has learnt."""
        return self._threshold.recent

    @property
    def is_lost(self) -> bool:
        """Tell whether the robot is high for so long that the threshold does not follow it."""
        return self._threshold.is_lost

    def use(self, ensemble: Ensemble, recent: Recent | None = None) -> None:
        """
        Score the next observation with another ensemble.

        Values of two ensembles cannot be compared, so threshold and summary begin anew.

        :param recent: what a threshold had learnt under this very ensemble, to go on from; None:
            it starts from the ensemble's own held-out episodes
        """
        description = ensemble.description
        action = description.observation.action
        assessor = Assessor(
            description.measure, torch.tensor(action.low), torch.tensor(action.high))
        threshold = AdaptiveThreshold(self._settings, recent or self._usual_of(ensemble))
        # From here on nothing fails: one ensemble or the other is in use, and no mixture.
        self._ensemble, self._assessor, self._threshold = ensemble, assessor, threshold
        self._low, self._high = np.array(action.low), np.array(action.high)
        self._begin_summary()

    def change(self, settings: ThresholdSettings) -> None:
        """
        Raise the flag otherwise from the next observation on.

        Values of two measures cannot be compared: with another one, the threshold begins anew.
        """
        is_same = settings.measure == self._settings.measure
        self._settings = settings
        if is_same:
            self._threshold.change(settings)
        else:
            self._threshold = AdaptiveThreshold(settings, self._usual_of(self._ensemble))

    def follow_episodes(self) -> None:
        """Learn from here on of the steps of episodes alone: a robot that waits is no measure."""
        self._knows_episodes = True

    def start_episode(self, episode_id: str) -> None:
        """Summarise the steps from here on as those of an episode; its first may be high anew."""
        self._episode_id = episode_id
        self._threshold.cross_border()
        self._begin_summary()

    def finish_episode(self) -> UncertaintySummary:
        """Close the open episode, and what is high in it, and return its summary."""
        self._threshold.cross_border()
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
        learn = bool(self._episode_id) or not self._knows_episodes
        high = math.isfinite(value) and self._threshold.flag(value, learn=learn)
        if self._episode_id:
            self._summary.add(epistemic=epistemic, aleatoric=aleatoric, novelty=novelty,
                              above=value > threshold)
        return Estimate(
            stamp_ns=stamp_ns, ensemble_id=self._ensemble_id,
            measure=self._ensemble.description.measure, epistemic=epistemic,
            aleatoric=aleatoric, total=split.total.item(), novelty=novelty,
            novelty_p_value=p_value,
            novelty_p_value_smallest=self._ensemble.smallest_p_value,
            epistemic_per_dimension=split.per_dimension[0].double().numpy(),
            epistemic_per_step=split.per_step[0].double().numpy(),
            member_disagreement=split.member_shares[0].double().numpy(),
            action_chunk=np.clip(
                prediction.mean.mean(0)[0].double().numpy(), self._low, self._high),
            threshold=threshold, value=value, high=high, episode=self._summary.result())

    def _usual_of(self, ensemble: Ensemble) -> Sequence[float]:
        """Return values on held-out episodes, which the threshold starts from."""
        if self._settings.measure == 'epistemic':
            return ensemble.description.reference_epistemic
        novelty = ensemble.novelty
        return () if novelty is None else tuple(novelty.usual.tolist())

    @property
    def _ensemble_id(self) -> str:
        return self._ensemble.description.ensemble_id

    def _begin_summary(self) -> None:
        description = self._ensemble.description
        self._summary = EpisodeSummary(
            self._episode_id, self._ensemble_id, created_ns=description.created_ns,
            trained_on=description.demonstrations, held_out_loss=description.held_out_loss)
