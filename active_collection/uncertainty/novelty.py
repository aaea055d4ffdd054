# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How far an observation is from the training data, by one of several distances."""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from pydantic import Field
from pydantic import JsonValue
from torch import Tensor

from active_collection.config import Model
from active_collection.config import validate
from active_collection.errors import UncertaintyError
from active_collection.registry import Registry
from active_collection.uncertainty.conformal import EpisodeScores
from active_collection.uncertainty.mahalanobis import Gaussian
from active_collection.uncertainty.mahalanobis import RelativeMahalanobis
from active_collection.uncertainty.settings import TrainingSettings


class Novelty(Protocol):
    """A distance from the training data, fitted to it; `kind` in a description names it."""

    @classmethod
    def fit(cls, training: Tensor, group_of: Tensor, settings: TrainingSettings) -> Novelty:
        """
        Fit it.

        :param training: embeddings of the training data, shape (N, E)
        :param group_of: task of each, shape (N,), integer
        """

    @classmethod
    def load(cls, tensors: Mapping[str, Tensor], options: Mapping[str, JsonValue], *,
             where: str) -> Novelty:
        """
        Make it again of what `tensors` and `options` gave.

        :param where: what they come from, for messages
        :raises ActiveCollectionError: where one is missing or of a wrong shape
        """

    def tensors(self) -> dict[str, Tensor]:
        """Return what it has learnt, by name."""

    def options(self) -> dict[str, JsonValue]:
        """Return its settings, for the description."""

    def distance(self, embeddings: Tensor) -> Tensor:
        """
        Return how far observations are from the training data; high is strange.

        :param embeddings: shape (B, E)
        :returns: shape (B,), in a unit of its own
        """


NOVELTIES: Registry[Novelty] = Registry('novelty', 'active_collection.novelties', {
    'knn': 'active_collection.uncertainty.novelty:KnnNovelty',
    'mahalanobis': 'active_collection.uncertainty.novelty:MahalanobisNovelty',
    'relative_mahalanobis': 'active_collection.uncertainty.novelty:RelativeMahalanobisNovelty',
})


def knn_distance(points: Tensor, reference: Tensor, neighbours: int) -> Tensor:
    """
    Return the mean Euclidean distance to the k nearest reference points.

    Sun et al. 2022, "Out-of-distribution detection with deep nearest neighbors", with the mean of
    the k distances in place of the k-th, which varies less with where one point lies.

    :param points: shape (B, E)
    :param reference: shape (R, E)
    :param neighbours: k; at most R are taken
    :returns: shape (B,), in the unit of the embedding
    """
    # not by a matrix product, which loses the distance of near points
    distances = torch.cdist(points, reference, compute_mode='donot_use_mm_for_euclid_dist')
    return distances.topk(min(neighbours, len(reference)), dim=1, largest=False).values.mean(1)


class KnnOptions(Model):
    """The `novelty` of a description, beside `kind` and `scale`."""

    neighbours: int = Field(ge=1)


@dataclass(frozen=True)
class KnnNovelty:
    """
    Mean distance to the nearest training observations, `knn_distance`.

    :param reference: embeddings of training observations, shape (R, E)
    """

    reference: Tensor
    neighbours: int

    @classmethod
    def fit(cls, training: Tensor, group_of: Tensor, settings: TrainingSettings) -> KnnNovelty:
        """Keep a random subset of the training data where they are more than the settings say."""
        del group_of
        return cls(subset(training, settings.novelty_reference, settings.seed),
                   settings.novelty_neighbours)

    @classmethod
    def load(cls, tensors: Mapping[str, Tensor], options: Mapping[str, JsonValue], *,
             where: str) -> KnnNovelty:
        """Make it again."""
        return cls(_tensor(tensors, 'reference', 2, where),
                   validate(options, KnnOptions, where=where).neighbours)

    def tensors(self) -> dict[str, Tensor]:
        """Return the reference."""
        return {'reference': self.reference}

    def options(self) -> dict[str, JsonValue]:
        """Return k."""
        return {'neighbours': self.neighbours}

    def distance(self, embeddings: Tensor) -> Tensor:
        """Return `knn_distance`, in the unit of the embedding."""
        return knn_distance(embeddings, self.reference, self.neighbours)


@dataclass(frozen=True)
class MahalanobisNovelty:
    """Root of the squared Mahalanobis distance to the Gaussian of all training data."""

    gaussian: Gaussian

    @classmethod
    def fit(cls, training: Tensor, group_of: Tensor,
            settings: TrainingSettings) -> MahalanobisNovelty:
        """Fit the Gaussian in float64."""
        del group_of, settings
        return cls(_single(Gaussian.fit(training.double())))

    @classmethod
    def load(cls, tensors: Mapping[str, Tensor], options: Mapping[str, JsonValue], *,
             where: str) -> MahalanobisNovelty:
        """Make it again."""
        validate(options, Model, where=where)
        return cls(_gaussian(tensors, where))

    def tensors(self) -> dict[str, Tensor]:
        """Return mean and factor of the Gaussian."""
        return {'mean': self.gaussian.mean, 'factor': self.gaussian.factor}

    def options(self) -> dict[str, JsonValue]:
        """Return nothing."""
        return {}

    def distance(self, embeddings: Tensor) -> Tensor:
        """Return the distance, in standard deviations."""
        return self.gaussian.squared_distance(embeddings).sqrt()


@dataclass(frozen=True)
class RelativeMahalanobisNovelty:
    """`RelativeMahalanobis` of the tasks against all training data."""

    relative: RelativeMahalanobis

    @classmethod
    def fit(cls, training: Tensor, group_of: Tensor,
            settings: TrainingSettings) -> RelativeMahalanobisNovelty:
        """Fit the Gaussians in float64."""
        del settings
        fitted = RelativeMahalanobis.fit(training.double(), group_of)
        return cls(RelativeMahalanobis(tuple(_single(g) for g in fitted.groups),
                                       _single(fitted.background)))

    @classmethod
    def load(cls, tensors: Mapping[str, Tensor], options: Mapping[str, JsonValue], *,
             where: str) -> RelativeMahalanobisNovelty:
        """Make it again."""
        validate(options, Model, where=where)
        background = _gaussian(tensors, where)
        means = _tensor(tensors, 'group_means', 2, where)
        factor = _tensor(tensors, 'group_factor', 2, where)
        for name, found, expected in (
                ('group_means', means.shape[1:], background.mean.shape),
                ('group_factor', factor.shape, background.factor.shape)):
            if found != expected:
                raise UncertaintyError(f'{where}: {name}', found=f'shape {tuple(found)}',
                                       expected=f'{tuple(expected)}, as the background has')
        return cls(RelativeMahalanobis(tuple(Gaussian(mean, factor) for mean in means),
                                       background))

    def tensors(self) -> dict[str, Tensor]:
        """Return the means of the groups, their factor, and mean and factor of the background."""
        return {'mean': self.relative.background.mean, 'factor': self.relative.background.factor,
                'group_means': torch.stack([g.mean for g in self.relative.groups]),
                'group_factor': self.relative.groups[0].factor}

    def options(self) -> dict[str, JsonValue]:
        """Return nothing."""
        return {}

    def distance(self, embeddings: Tensor) -> Tensor:
        """Return `RelativeMahalanobis.distance`, dimensionless; may be negative."""
        return self.relative.distance(embeddings)


class CalibratedNovelty:
    """
    A distance together with those of usual observations that it was not fitted to.

    :param calibration: distances of held-out observations, shape (C,), at least one
    :param calibration_episode: episode of each, shape (C,), whole numbers, with all or most of its
        steps; None: not known, and no p-value can be told
    """

    def __init__(self, distance: Novelty, calibration: Tensor,
                 calibration_episode: Tensor | None = None) -> None:
        self.distance = distance
        self.calibration = calibration
        self.calibration_episode = calibration_episode
        self._scale = max(calibration.abs().median().item(), 1e-9)
        self._scores = (None if calibration_episode is None else
                        EpisodeScores(calibration, calibration_episode))

    @classmethod
    def fit(cls, embeddings: Tensor, settings: TrainingSettings, *, group_of: Tensor,
            episode_of: Tensor, fold_of: Tensor, is_learnt: Tensor) -> CalibratedNovelty:
        """
        Fit a distance to training data and calibrate it on episodes that are not among them.

        The observations of each fold are held against a distance that is fitted to all others, as
        in cross-conformal prediction (Vovk 2015, "Cross-conformal predictors").

        :param embeddings: of all observations, shape (N, E)
        :param group_of: task of each, shape (N,), integer
        :param episode_of: episode of each, shape (N,), integer
        :param fold_of: fold of each, shape (N,), integer, from 0; -1: none. A random subset of the
            episodes is taken where the observations of all folds are more than the settings say
        :param is_learnt: whether the distance that is kept is fitted to it, shape (N,), bool
        """
        novelty = NOVELTIES.get(settings.novelty)
        held_out = torch.nonzero(fold_of >= 0).squeeze(1)
        chosen = held_out[whole_episodes(
            episode_of[held_out], settings.novelty_reference, settings.seed)]
        distances, episodes = [], []
        for fold in sorted(set(fold_of[chosen].tolist())):
            other, own = fold_of != fold, chosen[fold_of[chosen] == fold]
            distances.append(novelty.fit(embeddings[other], group_of[other], settings).distance(
                embeddings[own]))
            episodes.append(episode_of[own])
        return cls(novelty.fit(embeddings[is_learnt], group_of[is_learnt], settings),
                   torch.cat(distances), torch.cat(episodes))

    @torch.inference_mode()
    def of(self, embeddings: Tensor) -> Tensor:
        """
        Return the novelty of embedded observations.

        :param embeddings: shape (B, E)
        :returns: shape (B,), dimensionless: 1 is as far as a typical held-out observation
        """
        return self.distance.distance(embeddings) / self._scale

    @torch.inference_mode()
    def with_p_value(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return the novelty of embedded observations and its conformal p-value.

        :param embeddings: shape (B, E)
        :returns: each of shape (B,); see `of` and `EpisodeScores.p_value`; NaN where it cannot be
            told
        """
        distance = self.distance.distance(embeddings)
        return distance / self._scale, (
            torch.full_like(distance, torch.nan) if self._scores is None else
            self._scores.p_value(distance))

    @property
    def smallest_p_value(self) -> float:
        """Return what no p-value is below: fewer episodes tell less; NaN where there is none."""
        return math.nan if self._scores is None else self._scores.smallest

    @property
    def usual(self) -> Tensor:
        """Return the novelty of the calibration set, shape (C,), episode by episode."""
        return self.calibration / self._scale


def whole_episodes(episode_of: Tensor, largest: int, seed: int) -> Tensor:
    """
    Return the rows of episodes drawn at random, until they are as many as asked for.

    :param episode_of: of each row, shape (N,), integer
    :param largest: with so many rows or more no further episode is taken
    :returns: rows in the order of the episodes as drawn, shape (K,); at least one episode's
    """
    episodes = torch.unique(episode_of)
    drawn = torch.randperm(len(episodes), generator=torch.Generator().manual_seed(seed))
    rows: list[Tensor] = []
    for episode in episodes[drawn]:
        rows.append(torch.nonzero(episode_of == episode).squeeze(1))
        if sum(map(len, rows)) >= largest:
            break
    return torch.cat(rows)


def subset(rows: Tensor, largest: int, seed: int) -> Tensor:
    """Return at most so many rows, drawn at random, in their order."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(rows), generator=generator)[:largest].sort().values
    return rows[chosen].contiguous()


def _tensor(tensors: Mapping[str, Tensor], name: str, dimensions: int, where: str) -> Tensor:
    tensor = tensors.get(name)
    if tensor is None or tensor.dim() != dimensions or not tensor.numel():
        found = 'no such tensor' if tensor is None else f'shape {tuple(tensor.shape)}'
        raise UncertaintyError(f'{where}: {name}', found=found,
                               expected=f'a tensor of {dimensions} dimensions')
    return tensor


def _gaussian(tensors: Mapping[str, Tensor], where: str) -> Gaussian:
    mean, factor = _tensor(tensors, 'mean', 1, where), _tensor(tensors, 'factor', 2, where)
    if factor.shape != (len(mean), len(mean)):
        raise UncertaintyError(f'{where}: factor', found=f'shape {tuple(factor.shape)}',
                               expected=f'({len(mean)}, {len(mean)})')
    return Gaussian(mean, factor)


def _single(gaussian: Gaussian) -> Gaussian:
    return Gaussian(gaussian.mean.float(), gaussian.factor.float())
