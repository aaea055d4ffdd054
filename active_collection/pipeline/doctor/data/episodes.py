# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the stored episodes are closed, readable and of the past."""
from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from active_collection.bags.episodes import read_record
from active_collection.errors import ActiveCollectionError
from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import DataDirectory
from active_collection.recording.store import EpisodeStore
from active_collection.recording.store import lock

#: The newest episodes are read, as many as that, and so many bad ones are told of.
NEWEST = 50
TOLD = 3
#: An episode may end so much later than the clock says (s).
AHEAD_S = 60.0


class Episodes:
    """Directories of episodes: open, abandoned, closed."""

    def look(self, subject: DataDirectory) -> Iterable[Finding]:
        """Return a finding for each thing that is wrong, and one for the rest."""
        store = EpisodeStore(subject.path)
        if not store.root.is_dir():
            return [skipped(f'no episode in {subject.path} yet')]
        abandoned = [path for path in store.abandoned() if not _is_live(path)]
        findings = []
        if abandoned:
            findings.append(warning(
                f'{abandoned[0]}{_more(len(abandoned) - 1)}: the recorder died',
                expected='closed episodes',
                remedy=f'active-collection salvage {abandoned[0]}, or start the recorder'))
        newest = list(islice(store.newest(), NEWEST))
        bad: list[Finding] = []
        ends = []
        for path in newest:
            try:
                record = read_record(path)
            except ActiveCollectionError as error:
                bad.append(wrong(
                    f'{error.where}: {error.found}', expected=error.expected,
                    remedy=f'active-collection episodes verify {path}; restore it from the store'))
                continue
            ends += [record.finished_ns] if record is not None else []
        findings += bad[:TOLD]
        if len(bad) > TOLD:
            findings.append(wrong(
                f'{len(bad) - TOLD} more of the {len(newest)} newest', expected='readable records',
                remedy=f'active-collection episodes verify --data {subject.path}'))
        ahead_s = max(ends, default=0) / 1e9 - subject.now_s()
        if ahead_s > AHEAD_S:
            findings.append(warning(
                f'the newest episode ends {ahead_s:.0f} s in the future',
                expected='a clock that never went back',
                remedy='timedatectl; see the check clock'))
        if not newest and not findings:
            return [skipped(f'no episode in {subject.path} yet')]
        return findings or [ok(f'the {len(newest)} newest can be read, none is abandoned')]


def _is_live(path: Path) -> bool:
    """Tell whether a recorder writes it, which holds its lock; it may be closed meanwhile."""
    try:
        directory = lock(path)
    except OSError:
        return False
    if directory is None:
        return True
    directory.release()
    return False


def _more(count: int) -> str:
    return f' and {count} more' if count else ''
