# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Finish what recorders left behind when they died: directories of episodes, and other bags."""
from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import RECORDING_SUFFIX
from active_collection.errors import ActiveCollectionError
from active_collection.errors import RecordingError
from active_collection.files import sync_directory
from active_collection.mcap.records import MAGIC
from active_collection.recording.recorder_state import EpisodeEvent
from active_collection.recording.salvage.bag import MCAP
from active_collection.recording.salvage.bag import SALVAGING
from active_collection.recording.salvage.bag import files_of
from active_collection.recording.salvage.bag import readable_messages
from active_collection.recording.salvage.bag import salvage_into
from active_collection.recording.salvage.outcome import Salvaged
from active_collection.recording.salvage.outcome import SalvagedEpisode
from active_collection.recording.store import EpisodeStore
from active_collection.recording.store import OpenDirectory
from active_collection.recording.store import lock
from active_collection.recording.store import readable_record
from active_collection.recording.store import size_of

#: In the name of what is kept beside the whole bag that was made of it.
DAMAGED_PART = '.damaged'


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
            with_lock = finish_or_salvage(store, directory)
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


def finish_or_salvage(store: EpisodeStore | None, directory: OpenDirectory) -> Salvaged:
    """
    Give an abandoned episode its name, with whole files.

    What its recorder left is removed where as many messages can be read of the whole files, and
    nothing but the end was damaged.
    """
    path = directory.path
    final = path.with_name(path.name.removesuffix(RECORDING_SUFFIX))
    store = store or EpisodeStore(path.parent.parent.parent)
    try:
        record = readable_record(path)
        sources = files_of(path, MCAP)
        if final.exists():
            # The salvage before this one died after its last step but one; or someone made this.
            note = _remove_or_put_aside(path, final, to_keep=False)
            return Salvaged(final, readable_record(final), (), note)
        if record is not None and record.finished_ns and all(map(_has_end, sources)):
            return Salvaged(store.close(directory), record, ())
        if not sources and record is None:
            raise RecordingError(path, found='no MCAP file', expected='at least one')
        if not sources:  # the recorder died as it began: an episode without messages
            sources = [path / f'{final.name}_0{MCAP}']
            sources[0].touch()
        partial = path.with_name(f'.{final.name}{SALVAGING}')
        kept, record = salvage_into(partial, sources, record)
        salvaged = Salvaged(final, record, kept)
        if record is None and salvaged.is_empty:
            shutil.rmtree(partial)
            raise RecordingError(path, found=f'nothing to keep: {salvaged.damages}',
                                 expected=f'{METADATA} with a record, or a whole message')
        partial.rename(final)
        sync_directory(final.parent)
        # Someone may make more of it than we can.
        is_to_keep = any(k.damaged_inside for k in kept)
        note = _remove_or_put_aside(path, final, to_keep=is_to_keep)
        return replace(salvaged, note=note)
    finally:
        directory.release()


def _remove_or_put_aside(path: Path, final: Path, *, to_keep: bool) -> str:
    """Remove what a recorder left, or give it another name and say so where it has more."""
    got, had = readable_messages(final), readable_messages(path)
    if got >= had and not to_keep:
        shutil.rmtree(path)
        return ''
    number, aside = 1, path.with_name(f'.{final.name}{DAMAGED_PART}{RECORDING_SUFFIX}')
    while aside.exists():
        number += 1
        aside = path.with_name(f'.{final.name}{DAMAGED_PART}{number}{RECORDING_SUFFIX}')
    path.rename(aside)
    sync_directory(aside.parent)
    more = f' with {had} messages that can be read, {got} here' if got < had else ''
    return f'what its recorder left is {aside}{more}; to look into it: ' \
           f'active-collection salvage {aside}'


def _has_end(path: Path) -> bool:
    with path.open('rb') as file:
        file.seek(0, os.SEEK_END)
        if file.tell() < 2 * len(MAGIC):
            return False
        file.seek(-len(MAGIC), os.SEEK_END)
        return file.read() == MAGIC
