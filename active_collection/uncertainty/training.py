# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Train all members of an ensemble at once, each on its own bootstrap of the episodes."""
from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from active_collection.errors import UncertaintyError
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.settings import TrainingSettings

#: An input that hardly varies in the data is scaled as if it did by this much, in its own unit:
#: otherwise noise of a micrometre would look like news.
SMALLEST_SCALE = 1e-3

#: Called after each step with (steps done, steps at most, mean held-out squared error so far).
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Trained:
    """
    What training made.

    :param members: the best state of each member, on the CPU
    :param held_out: indices of the held-out episodes
    :param steps: optimiser steps taken
    :param errors: held-out mean squared error of each member, in normalised action units
    """

    members: MlpMembers
    held_out: tuple[int, ...]
    steps: int
    errors: tuple[float, ...]


def negative_log_likelihood(mean: Tensor, variance: Tensor, target: Tensor) -> Tensor:
    """
    Return -log N(target; mean, variance), (log(2 pi variance) + (target - mean)^2 / variance) / 2.

    :param mean: shape (..., A); `variance` and `target` likewise, `variance` positive
    :returns: shape (..., A), in nats
    """
    return 0.5 * (torch.log(2 * math.pi * variance) + (target - mean) ** 2 / variance)


def beta_loss(mean: Tensor, variance: Tensor, target: Tensor, beta: float) -> Tensor:
    """
    Return the likelihood loss weighted by sg[variance]^beta, where sg stops the gradient.

    Without the weight, a dimension that is fitted badly gets a large variance and is then hardly
    fitted any more (Seitzer et al. 2022, "On the pitfalls of heteroscedastic uncertainty
    estimation with probabilistic neural networks").

    :param mean: shape (..., A); `variance` and `target` likewise
    :param beta: 0 to 1
    :returns: shape (..., A)
    """
    return negative_log_likelihood(mean, variance, target) * variance.detach() ** beta


def hold_out(dataset: Dataset, share: float, generator: torch.Generator) -> tuple[int, ...]:
    """
    Choose whole episodes to hold out, spread over the tasks as the data are.

    Episodes of one task follow each other in the order from which every (1 / share)-th is taken.

    :param share: of the episodes, 0 to 1; at least one is taken, and at least one is left
    :raises UncertaintyError: where there are fewer than two episodes
    """
    count = len(dataset.episodes)
    if count < 2:
        raise UncertaintyError('episodes', found=f'{count} with demonstrations',
                               expected='at least 2, one of which is held out')
    shuffled = torch.randperm(count, generator=generator).tolist()
    by_task = sorted(shuffled, key=lambda episode: dataset.episodes[episode].task)
    wanted = min(max(1, round(share * count)), count - 1)
    start = torch.rand((), generator=generator).item()
    return tuple(sorted(by_task[int((place + start) * count / wanted)]
                        for place in range(wanted)))


def train(dataset: Dataset, settings: TrainingSettings, *,
          progress: Progress | None = None) -> Trained:
    """
    Train an ensemble by maximum likelihood with early stopping on held-out episodes.

    :param dataset: observations and actions of whole episodes
    :raises UncertaintyError: where there are fewer than two episodes, or the error is not finite
    """
    with _threads(settings.threads):
        return _train(dataset, settings, progress)


def _train(dataset: Dataset, settings: TrainingSettings, progress: Progress | None) -> Trained:
    generator = torch.Generator().manual_seed(settings.seed)
    device = _device(settings)
    held_out = hold_out(dataset, settings.held_out, generator)
    kept = [e for e in range(len(dataset.episodes)) if e not in held_out]
    members = MlpMembers(
        members=settings.members, inputs=dataset.observations.shape[1],
        actions=dataset.actions.shape[1], hidden=settings.hidden,
        variance_floor=settings.variance_floor)
    members.initialise(generator)
    _fit_scales(members, dataset, dataset.rows(kept))
    members.to(device)
    inputs = (dataset.observations.to(device) - members.input_mean) / members.input_scale
    targets = (dataset.actions.to(device) - members.action_mean) / members.action_scale
    rows = [draw.to(device) for draw in _draws(dataset, kept, settings, generator)]
    held_rows = dataset.rows(held_out).to(device)
    fit = _Fit(members, settings, inputs[held_rows], targets[held_rows])
    steps = 0
    while steps < settings.steps and not fit.has_stopped:
        steps += 1
        batch = torch.stack([
            draw[torch.randint(len(draw), (settings.batch_size,), generator=generator).to(device)]
            for draw in rows])
        noise = settings.input_noise * torch.randn(
            (*batch.shape, inputs.shape[1]), generator=generator).to(device)
        fit.step(inputs[batch] + noise, targets[batch])
        if steps % settings.check_every == 0 or steps == settings.steps:
            fit.check()
        if progress is not None:
            progress(steps, settings.steps, fit.best_error)
    return Trained(fit.best().to('cpu'), held_out, steps, fit.best_errors)


class _Fit:
    """
    The optimiser and the best state of each member so far.

    :param inputs: held-out observations, normalised, shape (N, D)
    :param targets: held-out actions, normalised, shape (N, A)
    """

    def __init__(self, members: MlpMembers, settings: TrainingSettings, inputs: Tensor,
                 targets: Tensor) -> None:
        self._members = members
        self._settings = settings
        self._inputs, self._targets = inputs, targets
        self._optimizer = torch.optim.AdamW(
            members.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay,
            fused=True)
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self._optimizer, settings.steps)
        self._best = [parameter.detach().clone() for parameter in members.parameters()]
        self._errors = torch.full((members.members,), torch.inf)
        self._without_gain = torch.zeros(members.members, dtype=torch.long)

    @property
    def has_stopped(self) -> bool:
        """Tell whether every member has been without a gain for as long as the patience."""
        return bool((self._without_gain >= self._settings.patience).all())

    @property
    def best_errors(self) -> tuple[float, ...]:
        return tuple(self._errors.tolist())

    @property
    def best_error(self) -> float:
        return float(self._errors.mean())

    def step(self, inputs: Tensor, targets: Tensor) -> None:
        """Take one step of every member: inputs (M, N, D), targets (M, N, A)."""
        mean, log_variance = self._members.heads(inputs)
        variance = self._members.variance_of(log_variance)
        # a sum over members: no member's gradient depends on another
        loss = beta_loss(mean, variance, targets, self._settings.nll_beta).mean((1, 2)).sum()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._schedule.step()

    @torch.no_grad()
    def check(self) -> None:
        """
        Keep the state of each member whose mean action is better than before.

        Better on the held-out episodes, by squared error: the likelihood gets worse long before
        the policy does, because variances are overfitted first; `best` corrects those.
        """
        mean, _ = self._members.heads(self._inputs)
        errors = ((mean - self._targets) ** 2).mean((1, 2)).cpu()
        if not bool(torch.isfinite(errors).all()):
            raise UncertaintyError('held-out error', found=errors.tolist(),
                                   expected='finite numbers; a lower learning_rate helps')
        better = errors < self._errors
        self._errors = torch.where(better, errors, self._errors)
        self._without_gain = torch.where(better, 0, self._without_gain + 1)
        for best, parameter in zip(self._best, self._members.parameters(), strict=True):
            best[better] = parameter[better]

    @torch.no_grad()
    def best(self) -> MlpMembers:
        """
        Return the members, each in its best state, with variances scaled to fit held-out data.

        The scale that maximises the held-out likelihood is mean[(target - mean)^2 / variance], for
        each member and dimension (Laves et al. 2020, "Well-calibrated regression uncertainty in
        medical imaging with deep learning"). It never goes below 1: the held-out
        episodes have been chosen by, so they can look too easy, not too hard.
        """
        for best, parameter in zip(self._best, self._members.parameters(), strict=True):
            parameter.copy_(best)
        mean, log_variance = self._members.heads(self._inputs)
        ratio = (self._targets - mean) ** 2 / self._members.variance_of(log_variance)
        self._members.variance_scale.copy_(ratio.mean(1, keepdim=True).clamp(min=1.0))
        return self._members


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


def _draws(dataset: Dataset, kept: list[int], settings: TrainingSettings,
           generator: torch.Generator) -> list[Tensor]:
    """Return each member's rows, those of an episode drawn twice twice."""
    if settings.bootstrap == 'none':
        return [dataset.rows(kept)] * settings.members
    draws = torch.randint(len(kept), (settings.members, len(kept)), generator=generator)
    return [dataset.rows([kept[place] for place in draw.tolist()]) for draw in draws]
