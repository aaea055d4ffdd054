# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Score recorded bags: the numbers that the node would have given for the same messages."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from active_collection.bags.actors import read_actors
from active_collection.bags.reader import open_bag
from active_collection.episode import Actor
from active_collection.episode import EpisodeRecord
from active_collection.errors import UncertaintyError
from active_collection.uncertainty.decoding import read_observations
from active_collection.uncertainty.ensemble_files import Ensemble
from active_collection.uncertainty.estimate import Estimate
from active_collection.uncertainty.monitor import UncertaintyMonitor
from active_collection.uncertainty.settings import ThresholdSettings


@dataclass(frozen=True)
class ScoredBag:
    """
    The estimates of a bag.

    :param record: its episode record; None where it was not recorded as an episode
    :param estimates: one a scored observation, in time order; the last one's `episode` summarises
        the bag
    :param actors: who acted at each of them; None where the bag does not say
    :param dropped: observations that could not be made, and why the newest could not
    """

    path: Path
    record: EpisodeRecord | None
    estimates: tuple[Estimate, ...]
    actors: tuple[Actor | None, ...]
    dropped: int
    problem: str


def score_bag(path: Path, ensemble: Ensemble,
              settings: ThresholdSettings | None = None) -> ScoredBag:
    """
    Score every observation of a bag.

    The threshold starts as that of a node that has just loaded the ensemble.

    :raises ActiveCollectionError: where the bag cannot be read, lacks a topic or field, or has not
        one whole observation
    """
    description = ensemble.description
    aligner = ensemble.aligner()
    monitor = UncertaintyMonitor(ensemble, settings)
    with open_bag(path) as bag:
        record = bag.episode
        monitor.start_episode(record.episode_id if record else path.stem)
        estimates = tuple(
            monitor.observe(observation.values, observation.stamp_ns)
            for observation in read_observations(bag, description.observation, aligner))
        acted = read_actors(bag)
    statistics = aligner.statistics
    if not estimates:
        raise UncertaintyError(path, found=statistics.problem or 'no message of the reference',
                               expected='observations as the ensemble describes them')
    actors = [None] * len(estimates) if acted is None else [
        Actor(actor) for actor in acted.at(np.array([e.stamp_ns for e in estimates]))]
    return ScoredBag(
        path, record, estimates, tuple(actors), statistics.dropped, statistics.problem)
