# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Finish what recorders left behind when they died: directories of episodes, and other bags."""
from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path
from typing import Any

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import RECORDING_SUFFIX
from active_collection.bags.episodes import read_metadata
from active_collection.episode import EpisodeRecord
from active_collection.episode import StopReason
from active_collection.episode import TopicStatistics
from active_collection.errors import ActiveCollectionError
from active_collection.errors import RecordingError
from active_collection.files import sync_directory
from active_collection.recording.disk import readable
from active_collection.recording.mcap_records import MAGIC
from active_collection.recording.metadata import BagSummary
from active_collection.recording.metadata import TopicSummary
from active_collection.recording.metadata import information
from active_collection.recording.metadata import write_metadata
from active_collection.recording.recorder_state import EpisodeEvent
from active_collection.recording.salvage import Kept
from active_collection.recording.salvage import salvage_file
from active_collection.recording.salvage_database import salvage_database
from active_collection.recording.store import EpisodeStore
from active_collection.recording.store import OpenDirectory
from active_collection.recording.store import lock
from active_collection.recording.store import readable_record
from active_collection.recording.store import size_of

MCAP = '.mcap'
DATABASE = '.db3'
SALVAGING = f'.salvage{RECORDING_SUFFIX}'
DAMAGED = f'.damaged{RECORDING_SUFFIX}'


@dataclass(frozen=True)
class Salvaged:
    """
    What became of a bag.

    :param path: the whole bag
    :param record: of the episode; None where the bag had none
    """

    path: Path
    record: EpisodeRecord | None
    kept: tuple[Kept, ...]

    @property
    def summary(self) -> str:
        """Say in one line what was kept and what was not."""
        if not self.kept:
            return 'it was complete'
        if self.is_empty:
            return f'it held no whole message ({self.damages})'
        messages = sum(kept.file.messages for kept in self.kept)
        lost = sum(kept.lost_bytes for kept in self.kept)
        files = 'one file' if len(self.kept) == 1 else f'{len(self.kept)} files'
        text = f'kept {messages} messages in {files}'
        return f'{text}, gave up {readable(lost)} ({self.damages})' if self.damages else text

    @property
    def is_empty(self) -> bool:
        """Tell whether there was nothing to keep."""
        return bool(self.kept) and not any(kept.file.messages for kept in self.kept)

    @property
    def damages(self) -> str:
        """Say what was not kept, and why."""
        return '; '.join(damage for kept in self.kept for damage in kept.damages)


@dataclass(frozen=True)
class SalvagedEpisode:
    """An episode that was salvaged, and what is to be published of it."""

    event: EpisodeEvent
    summary: str


def salvage_abandoned(
        store: EpisodeStore, *, stop: threading.Event,
) -> Iterator[tuple[Path, SalvagedEpisode | ActiveCollectionError]]:
    """
    Finish every episode of a store whose recorder has died; one that is live is left alone.

    :param stop: ends the work before the next episode
    :return: each directory with what became of it
    """
    for path in store.abandoned():
        if stop.is_set():
            return
        try:
            directory = lock(path)
            if directory is None:
                continue
            with_lock = _finish_or_salvage(store, directory)
        except ActiveCollectionError as error:
            yield path, error
        except OSError as error:
            yield path, RecordingError(path, found=str(error), expected='a readable directory, '
                                       'and space to write another')
        else:
            if with_lock.record is None:
                yield path, RecordingError(
                    path, found=f'no episode record; {with_lock.summary}',
                    expected=f'{METADATA} with one')
                continue
            event = EpisodeEvent(with_lock.record, True, store.relative(with_lock.path),
                                 size_of(with_lock.path))
            yield path, SalvagedEpisode(event, with_lock.summary)


def salvage_path(path: Path, target: Path | None = None) -> Salvaged:
    """
    Make a whole rosbag2 directory of a torn file, MCAP or SQLite, or a directory of such files.

    An episode's own directory (<id>.recording) is replaced by the whole one, as the recorder does;
    anything else stays as it is.

    :param target: directory to make; None: the name beside with '_salvaged'
    :raises RecordingError: where the path is no bag, holds no whole message, is being recorded,
        or the target exists
    :raises OSError: where the disk refuses
    """
    if path.name in {'', '..'}:
        path = path.resolve()
    if path.is_dir() and path.name.endswith(RECORDING_SUFFIX) and target is None:
        directory = lock(path)
        if directory is None:
            raise RecordingError(path, found='a recorder that is writing it',
                                 expected='a bag whose recorder has died')
        return _finish_or_salvage(None, directory)
    sources = (_files(path, MCAP) or _files(path, DATABASE)) if path.is_dir() else [path]
    if not path.exists() or not sources:
        raise RecordingError(path, found='no MCAP or SQLite file', expected=f'an {MCAP} or '
                             f'{DATABASE} file, or a directory with some')
    bare = path.name.removesuffix(MCAP).removesuffix(DATABASE)
    target = target or path.parent / f'{bare}_salvaged'
    if target.exists():
        raise RecordingError(target, found='something', expected='nothing: it is to be made')
    partial = target.with_name(f'.{target.name}{SALVAGING}')
    record = readable_record(path) if path.is_dir() else None
    kept, record = _salvage_into(partial, sources, record)
    salvaged = Salvaged(target, record, kept)
    if salvaged.is_empty:
        shutil.rmtree(partial)
        raise RecordingError(path, found=f'nothing to keep: {salvaged.damages or "no message"}',
                             expected='at least one whole message')
    partial.rename(target)
    sync_directory(target.parent)
    return salvaged


def _finish_or_salvage(store: EpisodeStore | None, directory: OpenDirectory) -> Salvaged:
    """Give an abandoned episode its name, with whole files."""
    path = directory.path
    final = path.with_name(path.name.removesuffix(RECORDING_SUFFIX))
    store = store or EpisodeStore(path.parent.parent.parent)
    try:
        record = readable_record(path)
        sources = _files(path, MCAP)
        if final.exists():
            # The salvage before this one died after its last step but one.
            shutil.rmtree(path)
            return Salvaged(final, readable_record(final), ())
        if record is not None and record.finished_ns and all(map(_has_end, sources)):
            return Salvaged(store.close(directory), record, ())
        if not sources:
            raise RecordingError(path, found='no MCAP file', expected='at least one')
        partial = path.with_name(f'.{final.name}{SALVAGING}')
        kept, record = _salvage_into(partial, sources, record)
        salvaged = Salvaged(final, record, kept)
        if record is None and salvaged.is_empty:
            shutil.rmtree(partial)
            raise RecordingError(path, found=f'nothing to keep: {salvaged.damages}',
                                 expected=f'{METADATA} with a record, or a whole message')
        partial.rename(final)
        sync_directory(final.parent)
        if any(k.damaged_inside for k in kept):
            # Someone may make more of it than we can.
            path.rename(path.with_name(f'.{final.name}{DAMAGED}'))
        else:
            shutil.rmtree(path)
        return salvaged
    finally:
        directory.release()


def _salvage_into(partial: Path, sources: Sequence[Path], record: EpisodeRecord | None,
                  ) -> tuple[tuple[Kept, ...], EpisodeRecord | None]:
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        is_database = sources[0].suffix == DATABASE
        salvage = salvage_database if is_database else salvage_file
        kept = tuple(salvage(source, partial / source.name) for source in sources)
        summary = BagSummary(tuple(k.file for k in kept), _merged(kept))
        if record is not None:
            record = _salvaged_record(record, summary)
        write_metadata(partial, {
            **information(summary, ros_distro=_distro(record),
                          storage='sqlite3' if is_database else 'mcap'),
            **_compression(sources[0].parent)}, record)
        sync_directory(partial)
        return kept, record
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _salvaged_record(record: EpisodeRecord, summary: BagSummary) -> EpisodeRecord:
    end_ns = max((file.end_ns for file in summary.files), default=0)
    topics = tuple(
        TopicStatistics(topic=t.topic.name, type=t.topic.definition.type, received=t.messages,
                        written=t.messages, bytes=t.bytes)
        for t in summary.topics)
    return replace(
        record, revision=record.revision + 1, finished_ns=max(end_ns, record.started_ns),
        stop_reason=StopReason.SALVAGED, topics=topics,
        tags={**record.tags, **summary.tags()})


def _merged(kept: Sequence[Kept]) -> tuple[TopicSummary, ...]:
    merged: dict[str, TopicSummary] = {}
    for topic in (topic for k in kept for topic in k.topics):
        before = merged.get(topic.topic.name)
        merged[topic.topic.name] = topic if before is None else replace(
            before, messages=before.messages + topic.messages, bytes=before.bytes + topic.bytes)
    return tuple(merged.values())


def _distro(record: EpisodeRecord | None) -> str:
    return record.versions.get('ros_distro', 'unknown') if record else 'unknown'


def _compression(directory: Path) -> dict[str, Any]:
    """Return how a bag's messages are compressed one by one, which only its metadata tells."""
    with suppress(ActiveCollectionError):
        known = read_metadata(directory / METADATA)
        if known.get('compression_mode') == 'message':
            return {key: known.get(key) for key in ('compression_mode', 'compression_format')}
    return {}


def _files(directory: Path, suffix: str) -> list[Path]:
    def number(path: Path) -> tuple[int, str]:
        tail = path.stem.rpartition('_')[2]
        return (int(tail) if tail.isdecimal() else 0, path.name)

    return sorted(directory.glob(f'*{suffix}'), key=number)


def _has_end(path: Path) -> bool:
    with path.open('rb') as file:
        file.seek(0, os.SEEK_END)
        if file.tell() < 2 * len(MAGIC):
            return False
        file.seek(-len(MAGIC), os.SEEK_END)
        return file.read() == MAGIC
