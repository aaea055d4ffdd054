# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The optimiser, its loss, and the best state of each network so far."""
from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from active_collection.errors import UncertaintyError
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.settings import TrainingSettings


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


@dataclass(frozen=True)
class Targets:
    """
    Normalised action chunks, and what of them counts.

    :param values: shape (..., H A)
    :param weights: how much each counts, on average 1; 0 beyond the end of an episode; likewise
    """

    values: Tensor
    weights: Tensor

    def of(self, rows: Tensor) -> Targets:
        """Return the targets of some observations."""
        return Targets(self.values[rows], self.weights[rows])

    def mean(self, terms: Tensor) -> Tensor:
        """
        Return the mean over observations and numbers that count.

        :param terms: shape (M, N, H A)
        :returns: shape (M,)
        """
        return (terms * self.weights).sum((1, 2)) / self.weights.expand(terms.shape).sum((1, 2))


class Fit:
    """
    The optimiser and the best state of each network so far.

    :param inputs: each network's held-out observations, normalised, shape (M, N, D)
    :param targets: their targets, shape (M, N, H A); those of weight 0 do not count
    """

    def __init__(self, members: MlpMembers, settings: TrainingSettings, inputs: Tensor,
                 targets: Targets) -> None:
        self.steps = 0
        self._members = members
        self._settings = settings
        self._inputs, self._targets = inputs, targets
        self._trained = [p for p in members.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._trained, lr=settings.learning_rate, weight_decay=settings.weight_decay,
            fused=True)
        self._best = [parameter.detach().clone() for parameter in self._trained]
        self._errors = torch.full((members.members,), torch.inf)
        self._without_gain = torch.zeros(members.members, dtype=torch.long)

    @property
    def has_stopped(self) -> bool:
        """Tell whether every network has been without a gain for as long as the patience."""
        return bool((self._without_gain >= self._settings.patience).all())

    @property
    def best_errors(self) -> tuple[float, ...]:
        """Return the smallest held-out mean squared error of each network."""
        return tuple(self._errors.tolist())

    @property
    def best_error(self) -> float:
        """Return the mean of `best_errors`."""
        return float(self._errors.mean())

    def step(self, inputs: Tensor, targets: Targets, dropout: Sequence[Tensor] = ()) -> None:
        """
        Take one step of every network; the learning rate falls to 0 along a cosine.

        :param inputs: shape (M, N, D)
        :param targets: shape (M, N, H A)
        :param dropout: as `MlpMembers.heads` takes it
        """
        share = self.steps / self._settings.steps
        self._optimizer.param_groups[0]['lr'] = (
            self._settings.learning_rate * 0.5 * (1 + math.cos(math.pi * share)))
        mean, log_variance = self._members.heads(inputs, dropout)
        variance = self._members.variance_of(log_variance)
        # a sum over networks: no member's gradient depends on another, but in what they share
        loss = targets.mean(
            beta_loss(mean, variance, targets.values, self._settings.nll_beta)).sum()
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self.steps += 1

    @torch.no_grad()
    def check(self) -> None:
        """
        Keep the state of each network whose mean action is better than before.

        Better on what it holds out, by squared error: the likelihood gets worse long before
        the policy does, because variances are overfitted first; `best` corrects those. Networks
        that share layers are one network: they are better where their mean is.
        """
        mean, _ = self._members.heads(self._inputs)
        errors = self._targets.mean((mean - self._targets.values) ** 2).cpu()
        if not bool(torch.isfinite(errors).all()):
            raise UncertaintyError('held-out error', found=errors.tolist(),
                                   expected='finite numbers; a lower learning_rate helps')
        better = errors < self._errors
        if any(len(parameter) != len(better) for parameter in self._trained):
            better = (errors.mean() < self._errors.mean()).expand(len(better))
        self._errors = torch.where(better, errors, self._errors)
        self._without_gain = torch.where(better, 0, self._without_gain + 1)
        for best, parameter in zip(self._best, self._trained, strict=True):
            chosen = better[:len(best)].to(best.device)
            best[chosen] = parameter[chosen]

    @torch.no_grad()
    def best(self) -> MlpMembers:
        """
        Return the networks, each in its best state, with variances scaled to fit held-out data.

        The scale that maximises the held-out likelihood is mean[(target - mean)^2 / variance], for
        each network and output (Laves et al. 2020, "Well-calibrated regression uncertainty in
        medical imaging with deep learning"). It never goes below 1: the held-out
        episodes have been chosen by, so they can look too easy, not too hard.
        """
        for best, parameter in zip(self._best, self._trained, strict=True):
            parameter.copy_(best)
        mean, log_variance = self._members.heads(self._inputs)
        ratio = (self._targets.values - mean) ** 2 / self._members.variance_of(log_variance)
        counted = self._targets.weights.sum(1, keepdim=True).clamp(min=1.0)
        scale = (ratio * self._targets.weights).sum(1, keepdim=True) / counted
        self._members.variance_scale.copy_(scale.clamp(min=1.0))
        return self._members

    @torch.no_grad()
    def losses(self, group_of: Tensor, groups: int) -> Tensor:
        """
        Return the mean squared error of every group of held-out observations, over all networks.

        :param group_of: group of each observation, shape (M, N), 0 to `groups` - 1
        :returns: shape (groups,), in squared normalised action units; NaN where nothing counts
        """
        mean, _ = self._members.heads(self._inputs)
        terms = (mean - self._targets.values) ** 2 * self._targets.weights
        sums = [torch.zeros(groups, dtype=torch.float64).index_add_(
            0, group_of.flatten().cpu(), values.sum(2).flatten().double().cpu())
            for values in (terms, self._targets.weights)]
        return sums[0] / sums[1]

    def state(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return all that the next step depends on, copied."""
        state = {
            'steps': torch.tensor(self.steps), 'errors': self._errors,
            'without_gain': self._without_gain, 'generator': generator.get_state()}
        for place, (parameter, best) in enumerate(zip(self._trained, self._best, strict=True)):
            state[f'parameter.{place}'], state[f'best.{place}'] = parameter.detach(), best
            for name, value in self._optimizer.state[parameter].items():
                state[f'optimizer.{place}.{name}'] = value
        return {name: value.clone().cpu().contiguous() for name, value in state.items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor], generator: torch.Generator) -> None:
        """Go on from where `state` was taken."""
        self.steps = int(state['steps'])
        self._errors, self._without_gain = state['errors'], state['without_gain']
        generator.set_state(state['generator'])
        for place, (parameter, best) in enumerate(zip(self._trained, self._best, strict=True)):
            parameter.copy_(state[f'parameter.{place}'])
            best.copy_(state[f'best.{place}'])
            prefix = f'optimizer.{place}.'
            self._optimizer.state[parameter] = {
                name[len(prefix):]: value.to(parameter.device)
                for name, value in state.items() if name.startswith(prefix)}
