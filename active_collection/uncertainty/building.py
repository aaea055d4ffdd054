# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""From decoded episodes to a finished ensemble: train, calibrate, take references, write."""
from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from pathlib import Path

import torch
from pydantic import JsonValue
from torch import Tensor

from active_collection.bags.observation import ObservationSpec
from active_collection.errors import UncertaintyError
from active_collection.uncertainty.assessment import Assessor
from active_collection.uncertainty.calibration import Calibration
from active_collection.uncertainty.calibration import calibrate
from active_collection.uncertainty.checkpoints import Checkpoints
from active_collection.uncertainty.checkpoints import training_key
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dropout import thin
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble import Members
from active_collection.uncertainty.ensemble_directory import new_id
from active_collection.uncertainty.ensemble_files import save
from active_collection.uncertainty.folds import Folds
from active_collection.uncertainty.laplace import POSTERIOR
from active_collection.uncertainty.laplace import LaplaceMembers
from active_collection.uncertainty.laplace import fit_posterior
from active_collection.uncertainty.mlp import MEMBERS
from active_collection.uncertainty.novelty import CalibratedNovelty
from active_collection.uncertainty.novelty import whole_episodes
from active_collection.uncertainty.out_of_fold import full_size
from active_collection.uncertainty.out_of_fold import predict_out_of_fold
from active_collection.uncertainty.rebalancing import shares
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.training import Progress
from active_collection.uncertainty.training import Trained
from active_collection.uncertainty.training import normalised_targets
from active_collection.uncertainty.training import train
from active_collection.uncertainty.warm_start import SOURCES
from active_collection.uncertainty.warm_start import WarmStart
from active_collection.uncertainty.warm_start import shared_layers

#: Steps of held-out episodes whose uncertainty a description keeps.
REFERENCE = 5000

#: Digits of each.
DIGITS = 7

#: Directory, beside the ensembles, of trainings that have not ended.
CHECKPOINTS = '.training'


@dataclass(frozen=True)
class Built:
    """An ensemble as written, and what came out on episodes by members that held them out."""

    path: Path
    ensemble_id: str
    trained: Trained
    calibration: Calibration


@dataclass(frozen=True)
class _Kind:
    """
    What a kind of ensemble makes of the trained networks.

    :param network: what its source needs to know beside the widths
    :param more: files of tensors beside the members'
    """

    members: Members
    network: Mapping[str, JsonValue] = field(default_factory=dict)
    more: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)


def build(dataset: Dataset, spec: ObservationSpec, settings: TrainingSettings, *, out: Path,
          now: datetime, progress: Progress | None = None,
          warm_start: WarmStart | None = None, encoders: Sequence[Path] = ()) -> Built:
    """
    Train an ensemble and write it into a directory of ensembles.

    A training that was killed goes on where it was when it is called again with the same data and
    settings; its result is the same to the bit.

    :param out: the directory of ensembles
    :param now: time that its id starts with (UTC)
    :param warm_start: the ensemble to begin from; None: random weights
    :param encoders: files of the specification's image encoders, which the ensemble takes along
    :raises UncertaintyError: where there are too few episodes or tasks, or it cannot be written
    """
    tasks = {episode.task for episode in dataset.episodes}
    if settings.novelty == 'relative_mahalanobis' and len(tasks) < 2:
        raise UncertaintyError(
            'novelty relative_mahalanobis', found=f'demonstrations of {len(tasks)} task',
            expected="at least 2, which it compares; 'mahalanobis' for one")
    began = [warm_start.ensemble_id] if warm_start is not None else []
    checkpoints = Checkpoints(
        out / CHECKPOINTS, training_key(dataset, settings, more=began),
        period_s=settings.checkpoint_s)
    trained = train(dataset, settings, progress=progress, warm_start=warm_start,
                    checkpoints=checkpoints)
    folds, learnt = trained.folds, trained.learnt(dataset)
    kind = _kind(trained, dataset, settings)
    prediction, rows = predict_out_of_fold(kind.members, dataset, folds)
    calibration = calibrate(prediction, dataset.actions[rows],
                            scale=(dataset.action_high - dataset.action_low) / 2)
    epistemic = full_size(
        Assessor(settings.measure, dataset.action_low, dataset.action_high).assess(
            prediction).epistemic,
        found=len(prediction.mean), members=settings.members, measure=settings.measure)
    novelty = _fit_novelty(kind.members, dataset, learnt, folds, settings)
    description = EnsembleDescription(
        ensemble_id=new_id(now), created=now.isoformat(timespec='seconds'),
        source=SOURCES[settings.kind], members=settings.members, horizon=settings.horizon,
        measure=settings.measure, observation=spec, sizes=dataset.sizes,
        network={'hidden': list(settings.hidden), 'variance_floor': settings.variance_floor,
                 **kind.network},
        novelty={'kind': settings.novelty, **novelty.distance.options()},
        reference_epistemic=_reference(epistemic, dataset.episode_of[rows], settings.seed),
        training={
            'episodes': len({episode.episode_id for episode in dataset.episodes}),
            'observations': len(dataset.observations),
            'folds': [
                {'members': list(holders), 'episodes': _ids(dataset, fold)}
                for fold, holders in zip(folds.episodes, folds.holders, strict=True)],
            'trained_on': _ids(dataset, learnt),
            'held_out_loss': {task: loss for task, loss in trained.losses.items() if task},
            'demonstrations': {**Counter(e.task for e in dataset.episodes if e.task)},
            'task_shares': {**shares(dataset)},
            'began_from': began[0] if began else None,
            'steps': trained.steps, 'settings': settings.model_dump(mode='json'),
            'calibration': {k: v if v == v else None  # noqa: PLR0124 - JSON has no NaN
                            for k, v in asdict(calibration).items()}})
    path = save(out, description, trained.members.state_dict(), weights=MEMBERS, novelty=novelty,
                more=kind.more, files=encoders)
    checkpoints.clear()
    return Built(path, description.ensemble_id, trained, calibration)


def _reference(epistemic: Tensor, episode_of: Tensor, seed: int) -> tuple[float, ...]:
    """Return the uncertainty of episodes drawn at random, step by step, the last one cut short."""
    rows = whole_episodes(episode_of, REFERENCE, seed)[:REFERENCE]
    return tuple(float(f'{value:.{DIGITS}g}') for value in epistemic[rows].tolist())


def _ids(dataset: Dataset, episodes: Sequence[int]) -> list[JsonValue]:
    """Return the ids of episodes, each once, whatever tasks it is drawn as."""
    return list(dict.fromkeys(dataset.episodes[e].episode_id for e in episodes))


def _kind(trained: Trained, dataset: Dataset, settings: TrainingSettings) -> _Kind:
    networks = trained.members
    if settings.kind == 'dropout':
        return _Kind(
            thin(networks, members=settings.members, rate=settings.dropout, seed=settings.seed),
            {'rate': settings.dropout, 'seed': settings.seed})
    if settings.kind == 'laplace':
        targets = normalised_targets(networks, dataset, settings.horizon)
        rows = dataset.rows(trained.learnt(dataset))
        posterior = fit_posterior(networks, dataset.observations[rows], targets.values[rows])
        return _Kind(
            LaplaceMembers(networks, posterior, members=settings.members, seed=settings.seed),
            {'seed': settings.seed},
            {POSTERIOR: {'basis': posterior.basis, 'variance': posterior.variance}})
    return _Kind(networks.stacked(), {
        'shared': shared_layers(settings), 'priors': settings.prior_scale > 0})


def _fit_novelty(members: Members, dataset: Dataset, learnt: Sequence[int], folds: Folds,
                 settings: TrainingSettings) -> CalibratedNovelty:
    tasks = sorted({episode.task for episode in dataset.episodes})
    task_of = torch.tensor([tasks.index(episode.task) for episode in dataset.episodes])
    fold_of = torch.full((len(dataset.episodes),), -1)
    for number, fold in enumerate(folds.episodes):
        fold_of[list(fold)] = number
    is_learnt = torch.zeros(len(dataset.episodes), dtype=torch.bool)
    is_learnt[list(learnt)] = True
    row = dataset.episode_of
    return CalibratedNovelty.fit(
        members.embed(dataset.observations), settings, group_of=task_of[row], episode_of=row,
        fold_of=fold_of[row], is_learnt=is_learnt[row])
