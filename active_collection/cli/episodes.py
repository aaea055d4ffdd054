# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""List, show and verify recorded episodes."""
from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from datetime import timezone
from pathlib import Path
from typing import TYPE_CHECKING

from active_collection.cli.data_directory import add_data
from active_collection.cli.data_directory import data_of
from active_collection.errors import ActiveCollectionError

if TYPE_CHECKING:
    from active_collection.episode import EpisodeRecord

NAME = 'episodes'
HELP = 'list, show and verify recorded episodes'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    commands = parser.add_subparsers(title='commands', metavar='COMMAND', required=True)
    listing = commands.add_parser('list', help='one line an episode')
    add_data(listing, place=True)
    listing.add_argument('--task', help='only this task')
    listing.add_argument('--outcome', help='only this outcome: success, failure, aborted, …')
    listing.add_argument('--json', action='store_true', help='one JSON record a line')
    listing.set_defaults(command=_list)
    show = commands.add_parser('show', help='everything that is known of an episode')
    show.add_argument('episode', metavar='EPISODE', help='bag directory, or an id in --data')
    add_data(show)
    show.add_argument('--json', action='store_true', help='the record as JSON')
    show.set_defaults(command=_show)
    check = commands.add_parser('verify', help='check files, checksums and counts; exit 1 if bad')
    check.add_argument('episodes', nargs='*', metavar='EPISODE',
                       help='bag directories, ids in --data or data directories '
                            '(default: all in --data)')
    add_data(check)
    check.set_defaults(command=_verify)


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen command."""
    return int(arguments.command(arguments))


def _list(arguments: argparse.Namespace) -> int:
    from active_collection.episode import Outcome
    from active_collection.recording.disk import readable
    from active_collection.registry import unknown

    outcomes = [outcome.value for outcome in Outcome]
    if arguments.outcome not in {None, *outcomes}:
        raise unknown('--outcome', arguments.outcome, outcomes)
    for record, size in _records(data_of(arguments)):
        if (arguments.task not in {None, record.scenario.task}
                or arguments.outcome not in {None, record.outcome.value}):
            continue
        if arguments.json:
            print(record.to_json())
            continue
        losses = '  LOSSES' if record.has_losses else ''
        print(f'{_time(record.started_ns)}  {record.episode_id}  {record.robot or "-"}  '
              f'{record.outcome.value:9}  {record.duration_s:7.1f} s  '
              f'{readable(size):>10}  {record.scenario}{losses}')
    return 0


def _records(data: Path) -> Iterator[tuple[EpisodeRecord, int]]:
    """Give record and size (bytes) of every episode, and say which cannot be read."""
    from active_collection.bags.episodes import find_episodes
    from active_collection.bags.episodes import read_record
    from active_collection.recording.episode_index import EpisodeIndex
    from active_collection.recording.refusals import RefusedError
    from active_collection.recording.store import EpisodeStore
    from active_collection.recording.store import size_of

    # A file of another owner than its recorder's would be in that one's way.
    index = EpisodeIndex(EpisodeStore(data), robot='', keep=data.stat().st_uid == os.geteuid())
    known: dict[Path, tuple[EpisodeRecord, int]] = {}
    with suppress(RefusedError, OSError):
        index.scan(threading.Event(), share=1.0)
        known = index.records()
    index.close()
    for path in find_episodes(data):
        if path in known:
            yield known[path]
            continue
        try:
            record = read_record(path)
        except ActiveCollectionError as error:
            print(f'active-collection: {error}', file=sys.stderr)
            continue
        if record is not None:
            yield record, size_of(path)


def _show(arguments: argparse.Namespace) -> int:
    from active_collection.bags.episodes import read_record
    from active_collection.errors import RecordingError
    from active_collection.recording.disk import readable
    from active_collection.recording.store import size_of

    path = _find(arguments.episode, arguments)
    record = read_record(path)
    if record is None:
        raise RecordingError(path, found='a bag without an episode record',
                             expected='one that a recorder made')
    if arguments.json:
        print(record.to_json())
        return 0
    reason = record.stop_reason.value if record.stop_reason else 'not finished'
    rows = {
        'episode': record.episode_id, 'path': path, 'size': readable(size_of(path)),
        'scenario': record.scenario, 'robot': record.robot, 'source': record.source.value,
        'operator': record.operator, 'outcome': f'{record.outcome.value} ({reason})',
        'started': _time(record.started_ns), 'duration': f'{record.duration_s:.3f} s',
        'clock set': ', '.join(map(str, record.clock_jumps)),
        'assignment': record.assignment_id, 'revision': record.revision, 'notes': record.notes,
        'tags': _pairs(record.tags), 'versions': _pairs(record.versions),
        'missing topics': ', '.join(record.missing_topics),
        'ensemble': record.uncertainty.ensemble_id,
        'epistemic': f'{record.uncertainty.epistemic_mean:.4f} mean, '
        f'{record.uncertainty.epistemic_max:.4f} max of {record.uncertainty.steps} steps',
    }
    for name, value in rows.items():
        if str(value):
            print(f'{name:15} {value}')
    for topic in record.topics:
        print(f'{topic.topic}  {topic.type}\n    {topic.written} written, {topic.received} '
              f'received, {topic.dropped} dropped, {topic.lost} lost, {readable(topic.bytes)}, '
              f'{topic.rate:.1f} Hz, largest gap {topic.largest_gap:.3f} s')
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from active_collection.bags.episodes import find_episodes
    from active_collection.cli.data_directory import is_data
    from active_collection.recording.verify import verify

    paths: list[Path] = []
    for name in arguments.episodes:
        paths += find_episodes(Path(name)) if is_data(Path(name)) else [_find(name, arguments)]
    if not arguments.episodes:
        paths = list(find_episodes(data_of(arguments)))
    bad = 0
    for path in paths:
        problems = verify(path)
        bad += bool(problems)
        for problem in problems:
            print(f'{path.name}: {problem}')
    print(f'{len(paths) - bad} of {len(paths)} episodes are whole')
    return 1 if bad else 0


def _find(episode: str, arguments: argparse.Namespace) -> Path:
    from active_collection.bags.episodes import METADATA
    from active_collection.errors import RecordingError
    from active_collection.names import is_safe_name
    from active_collection.recording.store import EpisodeStore

    if (Path(episode) / METADATA).is_file():
        return Path(episode)
    directory = data_of(arguments)
    path = EpisodeStore(directory).find(episode) if is_safe_name(episode) else None
    if path is None:
        raise RecordingError(f'episode {episode}', found='no such episode',
                             expected=f'a bag directory, or an id in {directory}')
    return path


def _time(nanoseconds: int) -> str:
    at = datetime.fromtimestamp(nanoseconds / 1e9, tz=timezone.utc)
    return at.strftime('%Y-%m-%d %H:%M:%S')


def _pairs(values: object) -> str:
    return json.dumps(values, ensure_ascii=False) if values else ''
