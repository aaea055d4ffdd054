# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Index one bag: sample frames, decode, measure and embed them, and join what the bag knows."""
from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_collection.bags.images import MAX_PIXELS
from active_collection.bags.images import RGB
from active_collection.bags.images import image_topics
from active_collection.bags.reader import Message
from active_collection.bags.reader import open_bag
from active_collection.episode import EpisodeRecord
from active_collection.errors import ActiveCollectionError
from active_collection.errors import BagError
from active_collection.mcap.limits import Limits
from active_collection.scenario import scenario_key
from active_collection.selection import estimates
from active_collection.selection.extractors import Extractor
from active_collection.selection.frames import Frame
from active_collection.selection.frames import Frames
from active_collection.selection.quality import measure
from active_collection.selection.segments import Grouping
from active_collection.selection.segments import grouped

#: Images that are embedded together: at most so many, and so many bytes.
_BATCH = 32
_BATCH_BYTES = 96 << 20
#: Lines about damage that are kept of one bag; the rest is counted.
_LINES = 20
#: Different reasons that are told apart in one bag.
_REASONS = 50
#: Longest stored topic part of a unit's name.
_NAME_LENGTH = 24


@dataclass(frozen=True)
class Sampling:
    """
    Which frames of a bag are looked at, and what they make up.

    :param rate_hz: frames a second of bag time and topic; 0 takes every frame
    :param topics: image topics; all of the bag where empty
    :param tolerance_s: largest distance of a frame to the estimate that it is given (s)
    :param max_pixels: larger images are left out
    :param limits: what compressed data may take
    """

    rate_hz: float = 2.0
    topics: tuple[str, ...] = ()
    tolerance_s: float = 0.1
    max_pixels: int = MAX_PIXELS
    grouping: Grouping = field(default_factory=Grouping)
    limits: Limits = field(default_factory=Limits)


@dataclass
class BagUnits:
    """
    The units of one bag, being gathered.

    :param rows: one a unit, with the columns of the pool's schema but for embedding_row
    :param embeddings: one float32 array of shape (n, dimension) a batch
    :param corrupt: one line for each message or chunk that was left out, as far as they are kept
    :param reasons: what was expected of what was left out, and how often
    :param extractor_s: time spent in the extractor (s)
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    embeddings: list[NDArray[np.float32]] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    extractor_s: float = 0.0

    def leave_out(self, error: Exception) -> None:
        """Count what is corrupt, and keep the first lines about it."""
        expected = error.expected if isinstance(error, ActiveCollectionError) else ''
        known = expected in self.reasons or len(self.reasons) < _REASONS
        self.reasons[expected if known else 'other things'] += 1
        if len(self.corrupt) < _LINES:
            self.corrupt.append(str(error))


def index_bag(path: Path, *, stored: str, key: str, sampling: Sampling,
              extractor: Extractor) -> BagUnits:
    """
    Return the units of a bag.

    What is corrupt is left out and named in `corrupt`.

    :param stored: what the `bag` column holds
    :param key: the bag's content key
    :raises BagError: where nothing of the bag can be read, or it has no images
    """
    units = BagUnits()
    with open_bag(path, on_damage=units.leave_out, limits=sampling.limits) as bag:
        topics = image_topics(bag)
        cameras = [t for t in topics if not sampling.topics or t in sampling.topics]
        if not cameras:
            raise BagError(path, found=f'images on {", ".join(topics)}',
                           expected=f'images on {", ".join(sampling.topics)}')
        fixed = {'bag': stored, 'bag_key': key, **record_columns(bag.episode)}
        frames = Frames(bag, cameras, rate_hz=sampling.rate_hz, max_pixels=sampling.max_pixels)
        gathered: dict[str, list[estimates.Row]] = {
            name: [] for name, info in bag.topics.items() if info.type == estimates.ESTIMATE_TYPE}
        pending: list[tuple[dict[str, Any], RGB]] = []
        for message in bag.messages([*cameras, *gathered], wanted=frames.wanted):
            try:
                if message.topic in gathered:
                    gathered[message.topic].append(estimates.row(
                        message.decode(), message.receive_ns, f'{path}: {message.topic}'))
                elif (frame := frames.take(message)) is not None:
                    pending.append((_row(frame, fixed), frame.picture))
            except ActiveCollectionError as error:
                units.leave_out(error)
            if len(pending) == _BATCH or sum(p.nbytes for _, p in pending) > _BATCH_BYTES:
                _embed(pending, extractor, units)
                pending.clear()
        _embed(pending, extractor, units)
    if not units.rows and units.corrupt:
        raise BagError(path, found=f'nothing that can be used: {units.corrupt[0]}',
                       expected='images that can be decoded')
    _join_estimates(units, gathered, sampling.tolerance_s)
    if units.rows:
        units.rows, vectors = grouped(
            units.rows, np.concatenate(units.embeddings), sampling.grouping)
        units.embeddings = [vectors]
    return units


def record_key(record: EpisodeRecord | None) -> str:
    """Return a hash of an episode record: it changes with each amendment. Empty for None."""
    if record is None:
        return ''
    return hashlib.sha256(record.to_json().encode()).hexdigest()[:16]


def record_columns(record: EpisodeRecord | None) -> dict[str, str]:
    """Return what the index holds of an episode record; empty texts for None."""
    if record is None:
        return dict.fromkeys(('record_key', 'episode_id', 'robot', 'scenario', 'task',
                              'environment', 'outcome', 'source'), '')
    return {'record_key': record_key(record), 'episode_id': record.episode_id,
            'robot': record.robot, 'scenario': scenario_key(record.scenario),
            'task': record.scenario.task, 'environment': record.scenario.environment,
            'outcome': record.outcome.value, 'source': record.source.value}


def _row(frame: Frame, fixed: Mapping[str, str]) -> dict[str, Any]:
    message = frame.message
    return {
        **fixed,
        'unit_id': unit_id(fixed['bag_key'], message),
        'topic': message.topic,
        'receive_ns': message.receive_ns,
        'sequence': message.sequence,
        'start_ns': message.receive_ns,
        'stop_ns': message.receive_ns + 1,
        'frames': 1,
        'stamp_ns': frame.stamp_ns,
        'width': frame.picture.shape[1],
        'height': frame.picture.shape[0],
        **measure(frame.picture)._asdict(),
    }


def unit_id(key: str, message: Message) -> str:
    """
    Return a unit's name: unique, the same wherever the bag lies, and safe as a file name.

    :return: '<12 hexadecimal digits>_<receive time in ns>_<end of the topic>'
    """
    source = f'{key} {message.topic} {message.receive_ns} {message.sequence}'
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    name = ''.join(c if c.isascii() and c.isalnum() else '_' for c in message.topic).strip('_')
    return f'{digest}_{message.receive_ns}_{name[-_NAME_LENGTH:]}'


def _embed(pending: list[tuple[dict[str, Any], RGB]], extractor: Extractor,
           units: BagUnits) -> None:
    """Embed a batch; where that fails, image by image, so that one does not cost the others."""
    if not pending:
        return
    start = perf_counter()
    try:
        units.embeddings.append(_vectors(extractor, [image for _, image in pending]))
        units.rows.extend(row for row, _ in pending)
    except Exception:  # an extractor may be anyone's network
        for row, image in pending:
            try:
                units.embeddings.append(_vectors(extractor, [image]))
                units.rows.append(row)
            except Exception as error:
                units.leave_out(BagError(
                    f'{row["bag"]}: {row["topic"]} at {row["receive_ns"]} ns',
                    found=f'{type(error).__name__}: {error}',
                    expected='an image that the extractor can embed'))
    units.extractor_s += perf_counter() - start


def _vectors(extractor: Extractor, images: list[RGB]) -> NDArray[np.float32]:
    vectors = np.asarray(extractor.embed(images), dtype=np.float32)
    expected = (len(images), extractor.dimension)
    if vectors.shape != expected:
        raise ValueError(f'vectors of shape {vectors.shape} instead of {expected}')
    if not np.isfinite(vectors).all():
        raise ValueError('vectors that are not finite')
    return vectors


def _join_estimates(units: BagUnits, gathered: Mapping[str, list[estimates.Row]],
                    tolerance_s: float) -> None:
    by_topic = {topic: estimates.collect(messages) for topic, messages in gathered.items()}
    for camera in {row['topic'] for row in units.rows}:
        rows = [row for row in units.rows if row['topic'] == camera]
        source = estimates.topic_for(camera, by_topic)
        empty = estimates.collect([])
        values = estimates.nearest(by_topic[source] if source else empty,
                                   np.array([row['stamp_ns'] for row in rows], np.int64),
                                   round(min(tolerance_s, 1e9) * 1e9))
        for row, value in zip(rows, values, strict=True):
            row.update(zip(estimates.FIELDS, map(float, value), strict=True))
