# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Check that a closed episode is whole: files, indexes, checksums, counts, record."""
from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import read_metadata
from active_collection.bags.episodes import read_record
from active_collection.errors import ActiveCollectionError
from active_collection.mcap import records as mcap
from active_collection.mcap.chunk import inside
from active_collection.mcap.chunk import plain
from active_collection.mcap.index import survey
from active_collection.mcap.limits import Limits
from active_collection.mcap.source import Source
from active_collection.recording.metadata import files_of


def verify(path: Path, limits: Limits = Limits()) -> list[str]:  # noqa: B008 - frozen
    """
    Return what is wrong with an episode, one line each; nothing where it is whole.

    Every chunk is decompressed and its checksum computed.

    :param path: a rosbag2 directory of MCAP files
    :param limits: what a chunk may take
    """
    try:
        bag_information = read_metadata(path / METADATA)
        record = read_record(path)
    except ActiveCollectionError as error:
        return [str(error)]
    problems = [] if record is not None else [f'{path / METADATA}: no episode record']
    stored: Counter[str] = Counter()
    for name in files_of(bag_information):
        try:
            stored += _count(path / name, problems, limits)
        except OSError as error:
            problems.append(f'{path / name}: {error.strerror}')
    stated = {
        topic['topic_metadata']['name']: int(topic['message_count'])
        for topic in bag_information.get('topics_with_message_count') or ()}
    problems += [
        f'{topic}: {stored.get(topic, 0)} messages, {stated.get(topic, 0)} in {METADATA}'
        for topic in sorted({*stated, *stored}) if stated.get(topic, 0) != stored.get(topic, 0)]
    if record is not None:
        problems += [
            f'{topic.topic}: {stored.get(topic.topic, 0)} messages, {topic.written} in the record'
            for topic in record.topics if stored.get(topic.topic, 0) < topic.written]
    return problems


def _count(path: Path, problems: list[str], limits: Limits) -> Counter[str]:
    """Count a file's messages by topic, and say what is wrong with it."""
    counts: Counter[int] = Counter()
    with closing(Source(path)) as source:
        if source.up_to(0, len(mcap.MAGIC)) != mcap.MAGIC:
            problems.append(f'{path}: no MCAP file: its first 8 bytes are not the magic')
            return Counter()
        contents = survey(
            source, lambda at, _, why: problems.append(f'{path}: byte {at:,}: {why}'))
        if contents.summary_damage:
            problems.append(f'{path}: {contents.summary_damage}')
        for chunk in contents.chunks:
            try:
                held = plain(source, chunk, limits)
            except ValueError as error:
                problems.append(f'{path}: byte {chunk.offset:,}: {error}')
                continue
            found = inside(held.data)
            contents.take_inside(found)
            problems += [f'{path}: byte {chunk.offset:,}: {why}'
                         for why in (held.doubt, found.damage) if why]
            counts.update(int.from_bytes(held.data[at:at + 2], 'little')
                          for at, _ in found.messages)
    counts.update(number for _, _, number in contents.loose)
    unknown = sorted(counts.keys() - contents.channels.keys())
    problems += [f'{path}: {counts[n]} messages of channel {n}, which is nowhere defined'
                 for n in unknown]
    topics: Counter[str] = Counter()
    for number in counts.keys() & contents.channels.keys():
        topics[contents.channels[number].topic] += counts[number]
    return topics
