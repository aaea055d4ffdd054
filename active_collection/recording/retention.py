# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Remove episodes that are not to be kept any longer."""
from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from active_collection.bags.episodes import RECORDING_SUFFIX
from active_collection.episode import EpisodeRecord
from active_collection.errors import RecordingError
from active_collection.files import sync_directory
from active_collection.recording import confirmation
from active_collection.recording.confirmation import Confirmation
from active_collection.recording.episode_index import EpisodeIndex
from active_collection.recording.settings import RetentionRules
from active_collection.recording.store import readable_record
from active_collection.recording.store import size_of

REMOVING = f'.removing{RECORDING_SUFFIX}'
DAY_NS = 24 * 3600 * 10**9


@dataclass(frozen=True)
class Removal:
    """
    An episode that is to be removed, and why.

    :param synced: what makes it known to be in the central store; None: that is not asked
    """

    path: Path
    record: EpisodeRecord
    size: int
    reason: str
    synced: Confirmation | None = None


def choose(index: EpisodeIndex, rules: RetentionRules, *, now_ns: int) -> Iterator[Removal]:
    """
    Return what the rules remove, oldest first.

    What the index has of an episode only says which to look at: what its directory says counts.

    :param index: of the data directory
    :param now_ns: ROS time, against which ages are measured (ns)
    :raises RefusedError: where the index is not complete yet, or cannot be used
    """
    if not rules.has_limit:
        return
    data, episodes = index.store.data, index.closed()
    count, total = len(episodes), sum(episode.size for episode in episodes)
    for episode in episodes:
        if episode.outcome not in rules.outcomes:
            continue
        reason = _reason(episode.finished_ns, rules, now_ns=now_ns, count=count, total=total)
        if not reason:
            continue
        path, record = episode.path, readable_record(episode.path)
        found = (record.outcome.value, record.finished_ns) if record is not None else None
        if record is None or found != (episode.outcome, episode.finished_ns):
            index.doubt(path)
            continue
        synced = confirmation.read(data, path.name) if rules.only_synced else None
        if rules.only_synced and (synced is None or not synced.covers(path)):
            continue
        size = size_of(path)
        count, total = count - 1, total - size
        yield Removal(path, record, size, reason, synced)


def remove(removal: Removal) -> None:
    """
    Remove an episode: it is gone at once, and its space soon.

    :raises RecordingError: where it has been amended since it was chosen; it stays
    :raises OSError: where the disk refuses
    """
    path = removal.path
    doomed = path.with_name(f'.{path.name}{REMOVING}')
    shutil.rmtree(doomed, ignore_errors=True)
    path.rename(doomed)
    # Nobody who writes to it by its name can reach it any more.
    if removal.synced is not None and not removal.synced.covers_moved(doomed):
        doomed.rename(path)
        sync_directory(path.parent)
        raise RecordingError(path, found='files that have changed since they were copied',
                             expected='what the store has: sync it again')
    shutil.rmtree(doomed)


def clean(data: Path) -> None:
    """Finish removals that were interrupted."""
    for path in (data / 'episodes').glob(f'*/.*{REMOVING}'):
        shutil.rmtree(path, ignore_errors=True)


def _reason(finished_ns: int, rules: RetentionRules, *, now_ns: int, count: int,
            total: int) -> str:
    age_days = (now_ns - finished_ns) / DAY_NS
    if rules.maximum_age_days and age_days > rules.maximum_age_days:
        return f'{age_days:.1f} days old'
    if rules.maximum_episodes and count > rules.maximum_episodes:
        return f'one of {count} episodes'
    if rules.maximum_bytes and total > rules.maximum_bytes:
        return f'{total} bytes in all'
    return ''
