# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Bags in, tensors out: episodes decoded by a specification, each only once."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import safe_open
from safetensors.torch import save

from active_collection.bags.actors import read_actors
from active_collection.bags.alignment import Observation
from active_collection.bags.alignment import ObservationAligner
from active_collection.bags.encoders import ImageEncoder
from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.bags.fields import Vector
from active_collection.bags.fields import stamp_ns
from active_collection.bags.observation import ObservationSpec
from active_collection.bags.observation import resolve_topics
from active_collection.bags.reader import Bag
from active_collection.bags.reader import open_bag
from active_collection.episode import EpisodeRecord
from active_collection.errors import ActiveCollectionError
from active_collection.errors import UncertaintyError
from active_collection.files import make_directory
from active_collection.files import parse_json
from active_collection.files import write_whole
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dataset import DecodedEpisode
from active_collection.uncertainty.rebalancing import rebalanced
from active_collection.uncertainty.task_weights import TaskWeights

#: Raised with each change of what decoding makes of the same messages.
VERSION = 3

#: Called after each episode with (episodes done, episodes in all).
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Decoded:
    """
    The demonstrations of a data directory.

    :param problems: one line for each episode that could not be used
    """

    dataset: Dataset
    problems: tuple[str, ...]


def read_observations(bag: Bag, spec: ObservationSpec,
                      aligner: ObservationAligner) -> Iterator[Observation]:
    """
    Yield the observations of a bag, as a node that received its messages would have made them.

    :param aligner: a fresh one of the same specification
    :raises ActiveCollectionError: where a topic, field or label is not as specified
    """
    found = resolve_topics(spec.observation_topics, bag.topics, where=bag.path,
                           namespace=bag.namespace)
    names = {topic: name for name, topic in found.items()}
    for message in bag.messages(list(names)):
        yield from aligner.add(names[message.topic], message.decode(), message.receive_ns)
    yield from aligner.finish()


def decode_episode(path: Path, spec: ObservationSpec,
                   encoders: Mapping[str, ImageEncoder] | None = None,
                   ) -> tuple[DecodedEpisode, dict[str, int]]:
    """
    Pair each observation of an episode with the first action at or after it, within tolerance.

    Whose step it is, is who acted when the action was given.

    :param path: its bag
    :param encoders: item name to its image encoder
    :returns: the episode and its item name to number of values
    :raises ActiveCollectionError: where the bag cannot be read, a topic, field or label is not as
        specified, or not one observation has its action
    """
    aligner = ObservationAligner(spec, encoders=encoders)
    with open_bag(path) as bag:
        record = bag.episode
        observations = list(read_observations(bag, spec, aligner))
        stamps, actions = _read_actions(bag, spec)
        actors = read_actors(bag)
    places = np.searchsorted(stamps, [o.stamp_ns for o in observations])
    pairs = [(o.values, place) for o, place in zip(observations, places, strict=True)
             if place < len(stamps)
             and stamps[place] - o.stamp_ns <= spec.tolerance_s * 1e9]
    if not pairs:
        raise UncertaintyError(
            path, found=f'{len(observations)} observations, {len(actions)} actions, none of them '
            f'within {spec.tolerance_s:g} s ({aligner.statistics.problem or "no problem seen"})',
            expected='observations each followed by an action')
    given = np.array([place for _, place in pairs])
    episode = DecodedEpisode(
        episode_id=record.episode_id if record else path.stem,
        task=record.scenario.task if record else '',
        observations=torch.from_numpy(np.stack([o for o, _ in pairs]).astype(np.float32)),
        actions=torch.from_numpy(np.stack(actions)[given].astype(np.float32)),
        teaches=None if actors is None else torch.from_numpy(actors.demonstrated(stamps[given])))
    return episode, aligner.sizes


def read_demonstrations(data: Path, spec: ObservationSpec, *, cache: Path,
                        encoders: Mapping[str, ImageEncoder] | None = None,
                        progress: Progress | None = None, weights: TaskWeights | None = None,
                        imitate: Literal['demonstrator', 'all'] = 'demonstrator') -> Decoded:
    """
    Decode every episode that a policy may imitate: successes that were not its own alone.

    These are demonstrations, episodes that the policy began and a person finished, and those of a
    proxy task's policy. With weights, the episodes that have one, whoever acted them out.

    :param data: the data directory that holds episodes/
    :param spec: with the fingerprints of its encoders' files
    :param cache: directory that keeps decoded episodes, with the features of their pictures, so
        that each is decoded and encoded once
    :param encoders: item name to its image encoder
    :param imitate: 'demonstrator': of an episode in which both the policy and a person or a script
        acted, the steps of the latter; 'all': every step
    :raises UncertaintyError: where no episode is left, or the weights are not of these episodes
    """
    records, problems = _read_records(data)
    if weights is not None:
        weights.check({record.episode_id: record for record in records.values()}, data=data)
        paths = [p for p, record in records.items() if record.episode_id in weights.episodes]
    else:
        paths = [path for path, record in records.items() if record.is_demonstration]
    episodes: list[DecodedEpisode] = []
    sizes: dict[str, int] = {}
    kept = cache / _key(spec)
    for done, path in enumerate(paths):
        try:
            episode, found = _cached(path, spec, kept, encoders)
            if sizes and found != sizes:
                raise UncertaintyError(path, found=f'items of sizes {found}',
                                       expected=f'{sizes}, as the episodes before it')
            if imitate == 'all':
                episode = replace(episode, teaches=None)
            if not len(episode.taught):
                raise UncertaintyError(path, found='no step of the person or script that acted',
                                       expected='some, where their actor was recorded with the '
                                       "clock of the actions; or 'imitate: all'")
            sizes = {item.name: found[item.name] for item in spec.observation}
            episodes.append(episode)
        except ActiveCollectionError as error:
            problems.append(str(error))
        if progress is not None:
            progress(done + 1, len(paths))
    if not episodes:
        found_ = problems[0] if problems else f'{len(paths)} demonstrations'
        raise UncertaintyError(data, found=found_, expected='episodes with outcome success in '
                               'which a person or a script acted')
    dataset = (Dataset.of(episodes, spec, sizes) if weights is None
               else rebalanced(episodes, spec, sizes, weights))
    return Decoded(dataset, tuple(problems))


def _read_records(data: Path) -> tuple[dict[Path, EpisodeRecord], list[str]]:
    """Return the record of each episode by its bag, and a line for each that has a problem."""
    records: dict[Path, EpisodeRecord] = {}
    problems: list[str] = []
    for path in find_episodes(data):
        try:
            record = read_record(path)
        except ActiveCollectionError as error:
            problems.append(str(error))
            continue
        if record is not None:
            records[path] = record
    return records, problems


def _read_actions(bag: Bag, spec: ObservationSpec
                  ) -> tuple[NDArray[np.int64], list[Vector]]:
    """Return stamps (ns, sorted) and actions; those that are not finite are left out."""
    name = spec.action.path.topic
    topic = resolve_topics([name], bag.topics, where=bag.path, namespace=bag.namespace)[name]
    stamped = []
    for message in bag.messages([topic]):
        decoded = message.decode()
        action = spec.action.read(decoded)
        if np.isfinite(action).all():
            stamped.append((stamp_ns(decoded) or message.receive_ns, action))
    stamped.sort(key=lambda pair: pair[0])
    return np.array([stamp for stamp, _ in stamped], dtype=np.int64), [a for _, a in stamped]


def _key(spec: ObservationSpec) -> str:
    text = f'{VERSION} {spec.model_dump_json()}'
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _cached(path: Path, spec: ObservationSpec, cache: Path,
            encoders: Mapping[str, ImageEncoder] | None) -> tuple[DecodedEpisode, dict[str, int]]:
    """Decode an episode, or take what an earlier call made of the same bag."""
    size = sum(file.stat().st_size for file in path.iterdir() if file.suffix != '.yaml')
    file = cache / f'{path.name}.{size}.safetensors'
    if file.is_file():
        try:
            with safe_open(file, framework='pt') as opened:
                about = opened.metadata()
                tensors = {name: opened.get_tensor(name) for name in list(opened.keys())}
                episode = DecodedEpisode(about['episode_id'], about['task'], **tensors)
                return episode, parse_json(about['sizes'])
        except (SafetensorError, OSError, KeyError, ValueError):
            file.unlink(missing_ok=True)
    episode, sizes = decode_episode(path, spec, encoders)
    about = {'episode_id': episode.episode_id, 'task': episode.task, 'sizes': json.dumps(sizes)}
    kept = {'observations': episode.observations, 'actions': episode.actions,
            'teaches': episode.teaches}
    try:
        make_directory(cache)
        write_whole(file, save({k: v for k, v in kept.items() if v is not None}, about))
    except OSError:
        pass  # a cache that cannot be written costs time, nothing else
    return episode, sizes
