# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Train all networks of an ensemble at once, with early stopping on held-out episodes."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from active_collection.errors import UncertaintyError
from active_collection.uncertainty.checkpoints import Checkpoints
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.draws import Draw
from active_collection.uncertainty.draws import member_rows
from active_collection.uncertainty.dropout import masks
from active_collection.uncertainty.fitting import Fit
from active_collection.uncertainty.fitting import Targets
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
    :param held_out: indices of the held-out episodes
    :param steps: optimiser steps taken
    :param resumed_at: steps that an earlier training, which was killed, had taken
    :param errors: held-out mean squared error of each network, in normalised action units
    """

    members: MlpMembers
    held_out: tuple[int, ...]
    steps: int
    resumed_at: int
    errors: tuple[float, ...]


def hold_out(dataset: Dataset, share: float, generator: torch.Generator,
             warm_start: WarmStart | None = None) -> tuple[int, ...]:
    """
    Choose whole episodes to hold out, spread over the tasks as the data are.

    Episodes of one task follow each other in the order from which every (1 / share)-th is taken.
    What a previous ensemble held out stays held out, and only episodes that it has not seen are
    chosen beside. An episode that is drawn as several tasks is held out as all of them.

    :param share: of the episodes, 0 to 1; at least one is taken, and at least one is left
    :returns: their indices in the dataset, in order
    :raises UncertaintyError: where there are fewer than two episodes
    """
    places = {episode.episode_id: k for k, episode in reversed(list(enumerate(dataset.episodes)))}
    ids = list(dict.fromkeys(episode.episode_id for episode in dataset.episodes))
    if len(ids) < 2:
        raise UncertaintyError('episodes', found=f'{len(ids)} with demonstrations',
                               expected='at least 2, one of which is held out')
    before = warm_start.held_out if warm_start is not None else frozenset()
    trained_on = warm_start.trained_on if warm_start is not None else frozenset()
    kept = [place for place, name in enumerate(ids) if name in before][:len(ids) - 1]
    free = [place for place, name in enumerate(ids) if name not in before | trained_on]
    if not free and not kept:  # the previous ensemble held out episodes that are gone
        free = list(range(len(ids)))
    order = torch.randperm(len(free), generator=generator).tolist()
    by_task = sorted((free[place] for place in order),
                     key=lambda place: dataset.episodes[places[ids[place]]].task)
    wanted = min(max(0 if kept else 1, round(share * len(free))), len(ids) - 1 - len(kept))
    start = torch.rand((), generator=generator).item()
    chosen = [by_task[int((place + start) * len(free) / wanted)] for place in range(wanted)]
    names = {ids[place] for place in [*kept, *chosen]}
    return tuple(k for k, e in enumerate(dataset.episodes) if e.episode_id in names)


def train(dataset: Dataset, settings: TrainingSettings, *, progress: Progress | None = None,
          warm_start: WarmStart | None = None, checkpoints: Checkpoints | None = None) -> Trained:
    """
    Train an ensemble by maximum likelihood with early stopping on held-out episodes.

    :param dataset: observations and actions of whole episodes
    :param warm_start: the ensemble to begin from; None: random weights
    :param checkpoints: keeps the state of the training, and has that of an earlier one that was
        killed; the result is the same to the bit as without the interruption
    :raises UncertaintyError: where there are fewer than two episodes, or the error is not finite
    """
    with _threads(settings.threads):
        return _train(dataset, settings, progress, warm_start, checkpoints or Checkpoints(None))


def _train(dataset: Dataset, settings: TrainingSettings, progress: Progress | None,
           warm_start: WarmStart | None, checkpoints: Checkpoints) -> Trained:
    generator = torch.Generator().manual_seed(settings.seed)
    device = _device(settings)
    held_out = hold_out(dataset, settings.held_out, generator, warm_start)
    members = MlpMembers(
        members=settings.networks, inputs=dataset.observations.shape[1],
        actions=dataset.actions.shape[1], hidden=settings.hidden,
        variance_floor=settings.variance_floor, horizon=settings.horizon,
        shared=shared_layers(settings), priors=settings.prior_scale > 0)
    members.initialise(generator, prior_scale=settings.prior_scale)
    kept = dataset.all_but(held_out)
    _fit_scales(members, dataset, dataset.rows(kept))
    if warm_start is not None:
        _check_sizes(warm_start, members)
        begin_from(members, warm_start.members, settings.warm_start_share)
    members.to(device)
    inputs = (dataset.observations.to(device) - members.input_mean) / members.input_scale
    targets = normalised_targets(members, dataset, settings.horizon)
    draws = [Draw.of(rows, dataset.weights, device)
             for rows in member_rows(dataset, kept, settings, generator)]
    held_rows = dataset.rows(held_out).to(device)
    fit = Fit(members, settings, inputs[held_rows],
              _weighed(targets.of(held_rows), dataset.weights, held_rows))
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
    return Trained(fit.best().to('cpu').requires_grad_(False), held_out, fit.steps, resumed_at,
                   fit.best_errors)


def normalised_targets(members: MlpMembers, dataset: Dataset, horizon: int) -> Targets:
    """Return what the members are to predict at each observation, on the members' device."""
    device = members.action_mean.device
    actions, valid = dataset.chunks(horizon)
    scaled = (actions.to(device) - members.action_mean) / members.action_scale
    whole = valid.to(device)[:, :, None].expand(scaled.shape).flatten(1).float()
    return Targets(scaled.flatten(1), whole)


def _weighed(targets: Targets, weights: Tensor | None, rows: Tensor) -> Targets:
    """Return held-out targets that count as often as they would be drawn."""
    if weights is None:
        return targets
    weight = weights.to(rows.device)[rows]
    return Targets(targets.values,
                   targets.weights * (weight / weight.mean())[:, None].float())


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
