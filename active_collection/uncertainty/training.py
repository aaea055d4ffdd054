# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Train all networks of an ensemble at once, each stopped early by what it holds out."""
from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from active_collection.errors import UncertaintyError
from active_collection.uncertainty.checkpoints import Checkpoints
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.draws import Draw
from active_collection.uncertainty.draws import member_rows
from active_collection.uncertainty.dropout import masks
from active_collection.uncertainty.fitting import Fit
from active_collection.uncertainty.fitting import Targets
from active_collection.uncertainty.folds import Folds
from active_collection.uncertainty.folds import split
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.warm_start import WarmStart
from active_collection.uncertainty.warm_start import begin_from
from active_collection.uncertainty.warm_start import shared_layers

#: An input that hardly varies in the data is scaled as if it did by this much, in its own unit:
#: otherwise noise of a micrometre would look like news.
SMALLEST_SCALE = 1e-3

#: Called after each step with (steps done, steps at most, mean held-out squared error so far).
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Trained:
    """
    What training made.

    :param members: the best state of each network, on the CPU
    :param folds: what each network did not learn
    :param steps: optimiser steps taken
    :param resumed_at: steps that an earlier training, which was killed, had taken
    :param errors: mean squared error of each network on what it held out, in normalised action
        units
    :param losses: the same by task, over all networks; no task of which nothing was held out
    """

    members: MlpMembers
    folds: Folds
    steps: int
    resumed_at: int
    errors: tuple[float, ...]
    losses: Mapping[str, float]

    def learnt(self, dataset: Dataset) -> list[int]:
        """Return the indices of the episodes that at least one network learnt, in order."""
        return dataset.all_but(self.folds.none_learnt(self.members.members))


def train(dataset: Dataset, settings: TrainingSettings, *, progress: Progress | None = None,
          warm_start: WarmStart | None = None, checkpoints: Checkpoints | None = None) -> Trained:
    """
    Train an ensemble by maximum likelihood, each network until what it holds out gets no better.

    The threads that torch uses are the whole process's: whoever owns it sets `settings.threads`.

    :param dataset: observations and actions of whole episodes
    :param warm_start: the ensemble to begin from; None: random weights
    :param checkpoints: keeps the state of the training, and has that of an earlier one that was
        killed; the result is the same to the bit as without the interruption
    :raises UncertaintyError: where there are fewer than two episodes, or the error is not finite
    """
    checkpoints = checkpoints or Checkpoints(None)
    generator = torch.Generator().manual_seed(settings.seed)
    device = _device(settings)
    folds = split(dataset, settings, warm_start)
    members = MlpMembers(
        members=settings.networks, inputs=dataset.observations.shape[1],
        actions=dataset.actions.shape[1], hidden=settings.hidden,
        variance_floor=settings.variance_floor, horizon=settings.horizon,
        shared=shared_layers(settings), priors=settings.prior_scale > 0)
    members.initialise(generator, prior_scale=settings.prior_scale)
    _fit_scales(members, dataset, dataset.rows(
        dataset.all_but(folds.none_learnt(settings.networks))))
    if warm_start is not None:
        _check_sizes(warm_start, members)
        begin_from(members, warm_start.members, settings.warm_start_share)
    members.to(device)
    inputs = (dataset.observations.to(device) - members.input_mean) / members.input_scale
    targets = normalised_targets(members, dataset, settings.horizon)
    draws = [Draw.of(rows, dataset.weights, device)
             for rows in member_rows(dataset, [
                 dataset.all_but(folds.held_out(network)) for network in range(settings.networks)
             ], settings, generator)]
    held_out, held_out_targets = _held_out(dataset, folds, targets, settings.networks)
    fit = Fit(members, settings, inputs[held_out].expand(settings.networks, -1, -1),
              held_out_targets)
    state = checkpoints.read()
    if state is not None:
        fit.restore(state, generator)
    resumed_at = fit.steps
    while fit.steps < settings.steps and not fit.has_stopped:
        batch = torch.stack([draw.batch(settings.batch_size, generator) for draw in draws])
        noise = settings.input_noise * torch.randn(
            (*batch.shape, inputs.shape[1]), generator=generator).to(device)
        dropout = [mask.to(device) for mask in masks(
            batch.shape, settings.hidden, rate=settings.dropout, generator=generator)
        ] if settings.kind == 'dropout' else []
        fit.step(inputs[batch] + noise, targets.of(batch), dropout)
        if fit.steps % settings.check_every == 0 or fit.steps == settings.steps:
            fit.check()
            checkpoints.write(lambda: fit.state(generator))
        if progress is not None:
            progress(fit.steps, settings.steps, fit.best_error)
    best = fit.best()
    losses = _losses(fit, dataset, held_out.expand(settings.networks, -1))
    return Trained(best.to('cpu').requires_grad_(False), folds, fit.steps, resumed_at,
                   fit.best_errors, losses)


def normalised_targets(members: MlpMembers, dataset: Dataset, horizon: int) -> Targets:
    """Return what the members are to predict at each observation, on the members' device."""
    device = members.action_mean.device
    actions, valid = dataset.chunks(horizon)
    scaled = (actions.to(device) - members.action_mean) / members.action_scale
    whole = valid.to(device)[:, :, None].expand(scaled.shape).flatten(1).float()
    return Targets(scaled.flatten(1), whole)


def _held_out(dataset: Dataset, folds: Folds, targets: Targets,
              networks: int) -> tuple[Tensor, Targets]:
    """
    Return what each network holds out.

    :returns: rows, shape (M, N), or (1, N) where all hold out the same, filled up with row 0;
        their targets, shape (M, N, H A), which count as often as they would be drawn, and what is
        filled up not at all
    """
    distinct = networks if len(folds.episodes) > 1 else 1
    own = [dataset.rows(folds.held_out(network)) for network in range(distinct)]
    rows = pad_sequence(own, batch_first=True)
    weights = pad_sequence([
        torch.ones(len(each), dtype=torch.float64) if dataset.weights is None
        else dataset.weights[each] for each in own], batch_first=True)
    weights = (weights / weights[weights > 0].mean()).float()
    rows = rows.to(targets.values.device)
    found = targets.of(rows)
    return rows, Targets(
        found.values.expand(networks, -1, -1),
        (found.weights * weights.to(rows.device)[:, :, None]).expand(networks, -1, -1))


def _losses(fit: Fit, dataset: Dataset, held_out: Tensor) -> dict[str, float]:
    """Return the held-out error of the tasks of which something counts."""
    tasks = sorted({episode.task for episode in dataset.episodes})
    task_of = torch.tensor([tasks.index(episode.task) for episode in dataset.episodes])
    losses = fit.losses(task_of[dataset.episode_of[held_out.cpu()]], len(tasks)).tolist()
    return {task: loss for task, loss in zip(tasks, losses, strict=True) if math.isfinite(loss)}


def _device(settings: TrainingSettings) -> torch.device:
    if settings.device == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    if settings.device == 'cuda' and not torch.cuda.is_available():
        raise UncertaintyError('device', found='no GPU that torch can use', expected="'cpu'")
    return torch.device(settings.device)


def _fit_scales(members: MlpMembers, dataset: Dataset, rows: Tensor) -> None:
    """Set the normalisation of inputs from the data, and of actions from their range."""
    observations = dataset.observations[rows]
    standard = dataset.standardised
    members.input_mean.copy_(torch.where(standard, observations.mean(0), 0.0))
    scale = observations.std(0, correction=0).clamp(min=SMALLEST_SCALE)
    members.input_scale.copy_(torch.where(standard, scale, 1.0))
    members.action_mean.copy_((dataset.action_low + dataset.action_high) / 2)
    members.action_scale.copy_((dataset.action_high - dataset.action_low) / 2)


def _check_sizes(warm_start: WarmStart, members: MlpMembers) -> None:
    for name, found, expected in (
            ('observation', warm_start.members.input_mean, members.input_mean),
            ('action', warm_start.members.action_mean, members.action_mean)):
        if found.shape != expected.shape:
            raise UncertaintyError(
                f'ensemble {warm_start.ensemble_id}: {name}', found=f'{len(found)} numbers',
                expected=f'{len(expected)}, as the specification says, to begin from it')
