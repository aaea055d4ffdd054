# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The ensemble as a robot runs it: it acts, and it says how unsure it is."""
from __future__ import annotations

import numpy as np
import torch

from active_collection.uncertainty.assessment import Assessor
from active_collection.uncertainty.summary import EpisodeSummary


class Policy:
    """
    Acts by the mean of the members.

    :param ensemble: as `load_newest` returns it
    """

    def __init__(self, ensemble):
        self.ensemble = ensemble
        action = ensemble.description.observation.action
        self._low, self._high = np.array(action.low), np.array(action.high)
        self._assessor = Assessor(ensemble.description.measure, torch.tensor(action.low),
                                  torch.tensor(action.high))

    def __call__(self, values):
        """Return the action for an observation, as `UncertaintyMonitor` gives it."""
        prediction = self.ensemble.members.predict(_batch(values[None]))
        return np.clip(prediction.mean.mean(0)[0, 0].double().numpy(), self._low, self._high)

    def summary(self, episode_id, observations):
        """
        Return what the uncertainty node would say of an episode.

        Only novelty, which no rule asks for, is left out.

        :param observations: shape (N, D)
        """
        description = self.ensemble.description
        summary = EpisodeSummary(
            episode_id, description.ensemble_id, created_ns=description.created_ns,
            trained_on=description.demonstrations, held_out_loss=description.held_out_loss)
        assessment = self._assessor.assess(self.ensemble.members.predict(_batch(observations)))
        for epistemic, aleatoric in zip(assessment.epistemic.tolist(),
                                        assessment.split.aleatoric.tolist(), strict=True):
            summary.add(epistemic=epistemic, aleatoric=aleatoric, novelty=float('nan'),
                        above=False)
        return summary.result()


def _batch(observations):
    return torch.from_numpy(observations.astype(np.float32))
