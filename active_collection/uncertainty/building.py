# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""From decoded episodes to a finished ensemble: train, calibrate, take references, write."""
from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import torch

from active_collection.bags.observation import ObservationSpec
from active_collection.uncertainty.calibration import Calibration
from active_collection.uncertainty.calibration import calibrate
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble_files import new_id
from active_collection.uncertainty.ensemble_files import save
from active_collection.uncertainty.measures import decompose
from active_collection.uncertainty.measures import largest_variance
from active_collection.uncertainty.mlp import MEMBERS
from active_collection.uncertainty.novelty import KnnNovelty
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.training import Progress
from active_collection.uncertainty.training import Trained
from active_collection.uncertainty.training import train

#: Number of quantiles of held-out uncertainty that a description keeps.
QUANTILES = 201


@dataclass(frozen=True)
class Built:
    """An ensemble as written, and what came out on the held-out episodes."""

    path: Path
    ensemble_id: str
    trained: Trained
    calibration: Calibration


def build(dataset: Dataset, spec: ObservationSpec, settings: TrainingSettings, *, out: Path,
          now: datetime, progress: Progress | None = None) -> Built:
    """
    Train an ensemble and write it into a directory of ensembles.

    :param out: the directory of ensembles
    :param now: time that its id starts with (UTC)
    :raises UncertaintyError: where there are too few episodes, or it cannot be written
    """
    trained = train(dataset, settings, progress=progress)
    members = trained.members.stacked()
    held_rows = dataset.rows(trained.held_out)
    kept = [e for e in range(len(dataset.episodes)) if e not in trained.held_out]
    observations = dataset.observations[held_rows]
    prediction = members.predict(observations)
    scale = (dataset.action_high - dataset.action_low) / 2
    calibration = calibrate(prediction, dataset.actions[held_rows], scale=scale)
    epistemic = decompose(
        prediction.mean, prediction.variance,
        largest=largest_variance(dataset.action_low, dataset.action_high)).epistemic
    novelty = KnnNovelty.fit(
        members.embed(dataset.observations[dataset.rows(kept)]), members.embed(observations),
        neighbours=settings.novelty_neighbours, largest=settings.novelty_reference,
        generator=torch.Generator().manual_seed(settings.seed))
    description = EnsembleDescription(
        ensemble_id=new_id(now), created=now.isoformat(timespec='seconds'), source='mlp',
        members=settings.members, observation=spec, sizes=dataset.sizes,
        network={'hidden': list(settings.hidden), 'variance_floor': settings.variance_floor},
        novelty={'kind': 'knn', 'neighbours': novelty.neighbours, 'scale': novelty.scale},
        reference_epistemic=tuple(
            epistemic.quantile(torch.linspace(0, 1, QUANTILES)).tolist()),
        training={
            'episodes': len(dataset.episodes), 'observations': len(dataset.observations),
            'held_out': [dataset.episodes[e].episode_id for e in trained.held_out],
            'steps': trained.steps, 'settings': settings.model_dump(mode='json'),
            'calibration': {k: v if v == v else None  # noqa: PLR0124 - JSON has no NaN
                            for k, v in asdict(calibration).items()}})
    path = save(out, description, trained.members.state_dict(), weights=MEMBERS, novelty=novelty)
    return Built(path, description.ensemble_id, trained, calibration)
