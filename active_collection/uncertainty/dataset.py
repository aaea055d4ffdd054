# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Observations and actions of whole episodes, as tensors."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from active_collection.bags.observation import ObservationSpec


@dataclass(frozen=True)
class DecodedEpisode:
    """
    One episode in the terms of a specification.

    :param task: its task's name; empty where not known
    :param observations: shape (N, D), float32, finite
    :param actions: shape (N, A), float32, finite, in action units
    :param teaches: which steps are to be imitated, shape (N,), bool; None: all
    """

    episode_id: str
    task: str
    observations: Tensor
    actions: Tensor
    teaches: Tensor | None = None

    @property
    def taught(self) -> Tensor:
        """Return the places of the steps that are to be imitated, in order, int64."""
        steps = torch.arange(len(self.actions))
        return steps if self.teaches is None else steps[self.teaches]


@dataclass(frozen=True)
class Dataset:
    """
    The steps of episodes that are to be imitated; row n belongs to episode `episode_of[n]`.

    :param observations: shape (N, D), float32
    :param actions: shape (N, A), float32, in action units
    :param episode_of: shape (N,), int64
    :param stretch_of: shape (N,), int64, not descending: rows of one stretch follow each other in
        their episode
    :param standardised: which observation dimensions are normalised, shape (D,), bool
    :param action_low: shape (A,), in action units; `action_high` likewise
    :param weights: how often each row is drawn, shape (N,), float64, above 0, of which only ratios
        count; None: all alike
    """

    episodes: tuple[DecodedEpisode, ...]
    sizes: dict[str, int]
    observations: Tensor
    actions: Tensor
    episode_of: Tensor
    stretch_of: Tensor
    standardised: Tensor
    action_low: Tensor
    action_high: Tensor
    weights: Tensor | None = None

    @classmethod
    def of(cls, episodes: Sequence[DecodedEpisode], spec: ObservationSpec,
           sizes: dict[str, int], *, weights: Sequence[float] | None = None) -> Dataset:
        """
        Put decoded episodes together.

        :param sizes: item name to number of values, in the specification's order
        :param weights: how often each episode is drawn, above 0, of which only ratios count; its
            rows share it; None: all rows alike
        """
        standardised = [
            item.normalise == 'standard' and not item.one_of
            for item in spec.observation for _ in range(sizes[item.name])]
        taught = [episode.taught for episode in episodes]
        episode_of = torch.cat([
            torch.full((len(steps),), place) for place, steps in enumerate(taught)])
        # a row that does not follow the one before begins a stretch
        follows = torch.cat(taught).diff(prepend=torch.tensor([-1])) == 1
        follows &= episode_of.diff(prepend=torch.tensor([-1])) == 0
        return cls(
            episodes=tuple(episodes), sizes=sizes,
            observations=torch.cat([
                e.observations[steps] for e, steps in zip(episodes, taught, strict=True)]),
            actions=torch.cat([
                e.actions[steps] for e, steps in zip(episodes, taught, strict=True)]),
            episode_of=episode_of, stretch_of=(~follows).cumsum(0),
            standardised=torch.tensor(standardised),
            action_low=torch.tensor(spec.action.low), action_high=torch.tensor(spec.action.high),
            weights=None if weights is None else torch.cat([
                torch.full((len(steps),), weight / len(steps), dtype=torch.float64)
                for steps, weight in zip(taught, weights, strict=True)]))

    def chunks(self, horizon: int) -> tuple[Tensor, Tensor]:
        """
        Return the next actions of each observation, its own first.

        Beyond a stretch's last action that one is repeated and not valid, as in ACT (Zhao et al.
        2023, "Learning fine-grained bimanual manipulation with low-cost hardware").

        :param horizon: actions a chunk H
        :returns: actions, shape (N, H, A), in action units, and whether each is one of the
            stretch, shape (N, H), bool
        """
        ends = torch.searchsorted(self.stretch_of, self.stretch_of, right=True)
        places = torch.arange(len(self.actions))[:, None] + torch.arange(horizon)
        return (self.actions[torch.minimum(places, ends[:, None] - 1)], places < ends[:, None])

    def all_but(self, episodes: Sequence[int]) -> list[int]:
        """Return the indices of all other episodes, in order."""
        left_out = set(episodes)
        return [e for e in range(len(self.episodes)) if e not in left_out]

    def rows(self, episodes: Sequence[int]) -> Tensor:
        """Return the rows of episodes, by their indices; those of one given twice twice."""
        places = torch.as_tensor(episodes, dtype=torch.int64)
        starts = torch.searchsorted(self.episode_of, places)
        counts = torch.searchsorted(self.episode_of, places, right=True) - starts
        ahead = counts.cumsum(0) - counts  # rows in front of each episode's first
        return torch.arange(int(counts.sum())) + (starts - ahead).repeat_interleave(counts)
