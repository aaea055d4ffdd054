# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Read an episode at a steady rate: state, action and pictures at the same instants."""
from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from active_collection.bags.actors import read_actors
from active_collection.bags.alignment import newest_until
from active_collection.bags.fields import stamp_ns
from active_collection.bags.images import RGB
from active_collection.bags.images import stamp_ns as picture_stamp_ns
from active_collection.bags.images import to_rgb
from active_collection.bags.observation import ObservationItem
from active_collection.bags.observation import ObservationSpec
from active_collection.bags.observation import resolve_topics
from active_collection.bags.reader import Bag
from active_collection.errors import AnnotationError

_NS = 1_000_000_000
#: A picture may be so old (s), or so many frames: an older one is of a camera that fell silent.
_OLDEST_S, _OLDEST_FRAMES = 0.5, 3


@dataclass(frozen=True)
class Signals:
    """
    The numbers of an episode at n instants, 1 / fps apart.

    :param stamps: int64 (n,): when (ns)
    :param state: float32 (n, S): the numeric items of the observation
    :param action: float32 (n, A): the first action at or after each instant
    :param state_names: S names: 'hand.0', 'hand.1'
    :param intervention: bool (n,): whether somebody else gave that action than the policy, which
        began the episode
    """

    stamps: NDArray[np.int64]
    state: NDArray[np.float32]
    action: NDArray[np.float32]
    state_names: tuple[str, ...]
    intervention: NDArray[np.bool_]


def read_signals(bag: Bag, spec: ObservationSpec, fps: int) -> Signals:
    """
    Return the numbers of an episode: of each topic the newest message at or before each instant.

    It begins when every topic has spoken, and ends with the last reference that an action answers.

    :param fps: instants a second, at least 1
    :raises BagError: where a topic is missing or the bag is corrupt
    :raises AnnotationError: where topics and actions never come together
    """
    items = [item for item in spec.observation if not getattr(item, 'image', '')]
    names = {item.path.topic for item in items} | {spec.reference, spec.action.path.topic}
    topics = resolve_topics(sorted(names), bag.topics, where=bag.path, namespace=bag.namespace)
    samples = _samples(bag, topics, items, spec)
    action = samples.pop('action')
    reference = samples.pop('reference')[0]
    starts = [stamps[0] for name, (stamps, _) in samples.items() if name not in _latched(items)]
    first = max([reference[0], *starts])
    last = min(reference[-1], action[0][-1])
    if last < first:
        raise AnnotationError(bag.path, found='topics that do not overlap in time',
                              expected='observations that an action answers')
    stamps = first + np.arange(int((last - first) * fps // _NS) + 1) * _NS // fps
    state = np.concatenate([_newest(*samples[item.name], stamps) for item in items], axis=1)
    after = np.minimum(np.searchsorted(action[0], stamps, 'left'), len(action[0]) - 1)
    labels = tuple(f'{item.name}.{place}' for item in items
                   for place in range(samples[item.name][1].shape[1]))
    actors = read_actors(bag)
    intervention = (np.zeros(len(stamps), bool) if actors is None
                    else actors.took_over(action[0][after]))
    return Signals(stamps.astype(np.int64), state.astype(np.float32),
                   action[1][after].astype(np.float32), labels, intervention)


def pictures(bag: Bag, camera: str, stamps: NDArray[np.int64], fps: int) -> Iterator[RGB]:
    """
    Yield a picture for each instant: the newest at or before it, or at the start the first.

    :param camera: topic as written, relative or absolute
    :raises BagError: where the topic is missing, or a picture cannot be decoded
    :raises AnnotationError: where the camera was silent for too long
    """
    topic = resolve_topics([camera], bag.topics, where=bag.path, namespace=bag.namespace)[camera]
    oldest = max(int(_OLDEST_S * _NS), _OLDEST_FRAMES * _NS // fps)
    place = 0
    held, held_ns = None, -1
    for message in bag.messages([topic]):
        decoded = message.decode()
        taken = picture_stamp_ns(decoded, message.receive_ns)
        while held is not None and place < len(stamps) and stamps[place] < taken:
            yield _fresh(held, held_ns, int(stamps[place]), oldest, f'{bag.path}: {topic}')
            place += 1
        if place == len(stamps):
            return
        held, held_ns = to_rgb(decoded, where=f'{bag.path}: {topic} at {taken} ns'), taken
    if held is None:
        raise AnnotationError(f'{bag.path}: {topic}', found='no picture', expected='some')
    for instant in stamps[place:]:
        yield _fresh(held, held_ns, int(instant), oldest, f'{bag.path}: {topic}')


def _fresh(picture: RGB, taken_ns: int, instant_ns: int, oldest: int, where: str) -> RGB:
    if abs(instant_ns - taken_ns) > oldest:
        raise AnnotationError(
            where, found=f'no picture for {abs(instant_ns - taken_ns) / _NS:.2f} s',
            expected=f'one every {oldest / _NS:g} s')
    return picture


def _samples(bag: Bag, topics: Mapping[str, str], items: Sequence[ObservationItem],
             spec: ObservationSpec) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Return item name, 'action' and 'reference' to (stamps, numbers), sorted by stamp."""
    written = {topic: name for name, topic in topics.items()}
    stamps: dict[str, list[int]] = {name: [] for name in (*(i.name for i in items), 'action',
                                                           'reference')}
    numbers: dict[str, list[NDArray[np.float64]]] = {name: [] for name in stamps}
    for message in bag.messages(sorted(written)):
        decoded = message.decode()
        name, when = written[message.topic], stamp_ns(decoded) or message.receive_ns
        found = {item.name: item.read(decoded) for item in items if item.path.topic == name}
        if name == spec.reference:
            found['reference'] = np.empty(0)
        if name == spec.action.path.topic:
            found['action'] = spec.action.read(decoded)
        for key, values in found.items():
            stamps[key].append(when)
            numbers[key].append(values)
    for key, found_at in stamps.items():
        if not found_at:
            raise AnnotationError(f'{bag.path}: {key}', found='no message', expected='some')
    return {key: _sorted(np.array(found_at, np.int64), np.stack(numbers[key]))
            for key, found_at in stamps.items()}


def _sorted(stamps: NDArray[np.int64], values: NDArray[np.float64]
            ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    order = np.argsort(stamps, kind='stable')
    return stamps[order], values[order]


def _newest(stamps: NDArray[np.int64], values: NDArray[np.float64],
            instants: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the newest values at or before each instant; of a latched topic also later ones."""
    return np.asarray(values[np.maximum(newest_until(stamps, instants), 0)])


def _latched(items: Sequence[ObservationItem]) -> set[str]:
    return {item.name for item in items if item.latched}
