# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Episodes as demonstrations of every task that they show, each drawn as often as it weighs."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace

import torch

from active_collection.bags.observation import ObservationSpec
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dataset import DecodedEpisode
from active_collection.uncertainty.task_weights import TaskWeight
from active_collection.uncertainty.task_weights import TaskWeights


def rebalanced(episodes: Sequence[DecodedEpisode], spec: ObservationSpec, sizes: dict[str, int],
               weights: TaskWeights) -> Dataset:
    """
    Return the episodes that have a weight, once for each task that they are drawn as.

    An episode that impersonates a task is relabelled: what tells the policy its task says that
    one (MT-Opt: Kalashnikov et al. 2021, sections 4.2 and 4.3). A policy that is not told its task
    sees one episode, which weighs as much as all its tasks together.

    :param episodes: decoded; those that could not be are not among them
    :param sizes: item name to number of values, in the specification's order
    :raises UncertaintyError: where an episode is to count for a task that the specification's task
        item does not list
    """
    places = _places(spec, sizes)
    decoded = {episode.episode_id: episode for episode in episodes}
    drawn: dict[tuple[str, str], DecodedEpisode] = {}
    weight: dict[tuple[str, str], float] = {}
    for entry in weights.entries:
        episode = decoded.get(entry.episode_id)
        if episode is None:
            continue
        told = {name: place for name, place in places.items() if _is_told(episode, place)}
        key = (entry.episode_id, entry.task if told else '')
        weight[key] = weight.get(key, 0.0) + entry.weight
        if key not in drawn:
            drawn[key] = _as_task(episode, entry, told, weights)
    return Dataset.of(list(drawn.values()), spec, sizes, weights=list(weight.values()))


def _places(spec: ObservationSpec, sizes: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return, of each item that is a label, which number of the observation says which label."""
    places: dict[str, dict[str, int]] = {}
    start = 0
    for item in spec.observation:
        if item.one_of:
            places[item.name] = {label: start + k for k, label in enumerate(item.one_of)}
        start += sizes[item.name]
    return places


def _is_told(episode: DecodedEpisode, place: Mapping[str, int]) -> bool:
    """Tell whether a label is the episode's task all through."""
    own = place.get(episode.task)
    return own is not None and bool((episode.observations[:, own] == 1).all())


def _as_task(episode: DecodedEpisode, entry: TaskWeight, told: Mapping[str, Mapping[str, int]],
             weights: TaskWeights) -> DecodedEpisode:
    if entry.task == episode.task or not told:
        return episode
    observations = episode.observations.clone()
    for item, place in told.items():
        if entry.task not in place:
            raise weights.error(entry, 'task', found=entry.task,
                                expected=f'one that {item!r} of the specification lists')
        observations[:, list(place.values())] = 0.0
        observations[:, place[entry.task]] = 1.0
    return replace(episode, task=entry.task, observations=observations)


def shares(dataset: Dataset) -> dict[str, float]:
    """Return each task's share of what is drawn, by name; they sum to 1."""
    if dataset.weights is None:
        return {}
    task: dict[str, float] = {}
    total = torch.zeros(len(dataset.episodes), dtype=torch.float64).index_add_(
        0, dataset.episode_of, dataset.weights)
    for episode, weight in zip(dataset.episodes, total.tolist(), strict=True):
        task[episode.task] = task.get(episode.task, 0.0) + weight
    return {name: value / sum(task.values()) for name, value in sorted(task.items())}
