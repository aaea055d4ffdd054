# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Check that a closed episode is whole: files, indexes, checksums, counts, record."""
from __future__ import annotations

from collections import Counter
from pathlib import Path

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import read_metadata
from active_collection.bags.episodes import read_record
from active_collection.errors import ActiveCollectionError
from active_collection.recording import mcap_records as records
from active_collection.recording.mcap_scan import Scan
from active_collection.recording.mcap_scan import message_channel
from active_collection.recording.mcap_scan import parse_channel
from active_collection.recording.mcap_scan import parse_chunk
from active_collection.recording.mcap_scan import records_in
from active_collection.recording.metadata import files_of


def verify(path: Path) -> list[str]:
    """
    Return what is wrong with an episode, one line each; nothing where it is whole.

    Every chunk is decompressed and its checksum computed.

    :param path: a rosbag2 directory of MCAP files
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
            stored += _count(path / name, problems)
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


def _count(path: Path, problems: list[str]) -> Counter[str]:
    """Count a file's messages by topic, and say what is wrong with it."""
    topics: dict[int, str] = {}
    counts: Counter[str] = Counter()
    scan = Scan(path)
    for record in scan:
        try:
            inner = (records_in(parse_chunk(record.content).data)
                     if record.opcode == records.CHUNK else (record,))
            for item in inner:
                if item.opcode == records.CHANNEL:
                    channel = parse_channel(item.content)
                    topics[channel.id] = channel.topic
                elif item.opcode == records.MESSAGE:
                    counts[topics[message_channel(item.content)]] += 1
        except (ValueError, KeyError) as error:
            problems.append(f'{path}: byte {record.offset}: {error}')
    if scan.damage:
        problems.append(f'{path}: {scan.damage}')
    return counts
