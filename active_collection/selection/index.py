# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Index bags into a pool: only what is new or changed, resumable, in parallel."""
from __future__ import annotations

import fcntl
import math
import os
import shutil
from collections import Counter
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from pathlib import Path

from active_collection.bags.episodes import MANIFEST
from active_collection.errors import ActiveCollectionError
from active_collection.errors import SelectionError
from active_collection.files import make_directory
from active_collection.files import write_whole
from active_collection.selection import merge
from active_collection.selection.engines import ENGINES
from active_collection.selection.extractors import EXTRACTORS
from active_collection.selection.fingerprint import content_key
from active_collection.selection.fingerprint import former_content_key
from active_collection.selection.index_bag import Sampling
from active_collection.selection.parts import DIRECTORY
from active_collection.selection.parts import BagToIndex
from active_collection.selection.parts import Job
from active_collection.selection.pool import DESCRIPTION
from active_collection.selection.pool import INDEX
from active_collection.selection.pool import Description
from active_collection.selection.pool import read_description
from active_collection.selection.pool import stored_path

#: A job ends with the bag that makes it this large (bytes) or this long (bags).
_JOB_BYTES = 256 << 20
_JOB_BAGS = 64
#: Lines about damage that are kept.
_LINES = 1000
#: A process takes a second or two to start: it has to be worth it (bytes of bags).
_PROCESS_BYTES = 32 << 20


@dataclass(frozen=True)
class IndexSettings:
    """
    How to index.

    :param options: the extractor's
    :param dtype: of the stored embeddings, float32 or float16
    :param engine: name of the engine that runs the jobs
    :param processes: jobs at a time
    :param address: where the engine runs them, for one that reaches beyond this machine
    :param threads: of each process; 0: what the machine has, shared among the processes
    """

    extractor: str = 'efficientnet_lite0'
    options: tuple[tuple[str, str], ...] = ()
    dtype: str = 'float32'
    sampling: Sampling = field(default_factory=Sampling)
    engine: str = 'processes'
    processes: int = 1
    address: str = ''
    threads: int = 0


@dataclass(frozen=True)
class IndexReport:
    """
    What came of indexing.

    :param indexed: bags that are new or changed
    :param unchanged: bags that were in the pool as they are
    :param copies: bags whose content is that of another one
    :param failed: (bag, one line) for each bag that could not be indexed
    :param corrupt: one line for each message or chunk that was left out, as far as they are kept
    :param reasons: what was expected of what was left out, and how often
    :param added: units added
    :param units: units in the pool
    :param extractor_s: time spent in the extractor (s), of the workers' `worker_s`
    """

    indexed: int = 0
    unchanged: int = 0
    copies: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    corrupt: tuple[str, ...] = ()
    reasons: Counter[str] = field(default_factory=Counter)
    added: int = 0
    units: int = 0
    extractor_s: float = 0.0
    worker_s: float = 0.0

    @property
    def corrupt_count(self) -> int:
        """Return how many messages and chunks were left out."""
        return self.reasons.total()


#: Told (bags done, bags to do, units so far) after each job.
Progress = Callable[[int, int, int], None]


def index(bags: Sequence[Path], pool: Path, settings: IndexSettings,
          progress: Progress = lambda *_: None) -> IndexReport:
    """
    Bring a pool up to date with bags. What other bags gave it stays.

    A kill at any moment loses the jobs that were running; the next call goes on from there.

    :param pool: the pool's directory; made where it does not exist
    :raises SelectionError: where the pool was indexed in another way, or is being written
    :raises ConfigError: where the extractor or the engine is unknown
    :raises OSError: where the pool cannot be written
    """
    try:
        make_directory(pool)
    except (FileExistsError, NotADirectoryError) as error:
        raise SelectionError(pool, found='a file in the way',
                             expected='a directory for the pool') from error
    with _locked(pool):
        _clear(pool)
        description = _describe(pool, settings)
        merge.merge(pool, description)  # what a killed run left
        compared = _compare(bags, pool)
        report, failed = _run(compared.wanted, pool, settings, progress)
        for bag, _ in (*compared.failed, *failed):
            compared.keep.pop(stored_path(Path(bag), pool), None)  # what it gave before stays
        merge.merge(pool, description, moved=compared.moved, keep=compared.keep)
        return replace(report, unchanged=len(compared.moved), copies=compared.copies,
                       failed=(*compared.failed, *failed), units=merge.count(pool))


def _run(wanted: Sequence[BagToIndex], pool: Path, settings: IndexSettings,
         progress: Progress) -> tuple[IndexReport, list[tuple[str, str]]]:
    """Index bags into parts; return what came of it but for what the pool had before."""
    worth = sum(bag.size for bag in wanted) // _PROCESS_BYTES
    processes = max(1, min(settings.processes, len(wanted), worth))
    threads = settings.threads or max(1, (os.cpu_count() or 1) // processes)
    jobs = _jobs(wanted, pool / DIRECTORY, replace(settings, threads=threads))
    engine = ENGINES.get(settings.engine)(min(processes, max(1, len(jobs))), settings.address)
    report = IndexReport()
    failed: list[tuple[str, str]] = []
    corrupt: list[str] = []
    done = 0
    progress(0, len(wanted), 0)
    for result in engine.run(jobs):
        done += result.bags + len(result.failed)
        failed += result.failed
        corrupt += result.corrupt[:max(0, _LINES - len(corrupt))]
        report = replace(
            report, indexed=report.indexed + result.bags, added=report.added + result.units,
            reasons=report.reasons + result.reasons,
            extractor_s=report.extractor_s + result.extractor_s,
            worker_s=report.worker_s + result.total_s)
        progress(done, len(wanted), report.added)
    return replace(report, corrupt=tuple(corrupt)), failed


@contextmanager
def _locked(pool: Path) -> Iterator[None]:
    """Keep a second indexing process out of the pool."""
    with (pool / '.lock').open('w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SelectionError(pool, found='a pool that another process is indexing',
                                 expected='one process at a time') from error
        yield


def _clear(pool: Path) -> None:
    """Delete what a killed run was writing: a file of embeddings may be as large as the pool."""
    for directory in (pool, pool / DIRECTORY):
        for partial in directory.glob('.*.partial'):
            partial.unlink(missing_ok=True)


def _describe(pool: Path, settings: IndexSettings) -> Description:
    """
    Return the pool's description, after comparing it with what is wanted now.

    It is there from the start, so that what a killed run left is known to be of its kind; what a
    run of another kind left is worth nothing before it is merged.
    """
    begun = (pool / INDEX).exists()
    known = read_description(pool) if begun or (pool / DESCRIPTION).exists() else None
    sampling, grouping = settings.sampling, settings.sampling.grouping
    described = Description(
        extractor=settings.extractor, options=dict(settings.options), dtype=settings.dtype,
        dimension=1, rate_hz=sampling.rate_hz, topics=sampling.topics, unit=grouping.unit,
        seconds=grouping.seconds, penalty=grouping.penalty)
    if known is not None:
        wanted = {name: getattr(described, name) for name in Description.model_fields
                  if name not in {'format', 'dimension'}}
        for name, value in wanted.items():
            if getattr(known, name) != value and not begun:
                known = None
                break
            if getattr(known, name) != value:
                raise SelectionError(
                    f'{pool / DESCRIPTION}: {name}', found=f'{getattr(known, name)!r}',
                    expected=f'{value!r} as asked for (or index into another directory)')
    if known is not None:
        return known
    extractor = EXTRACTORS.get(settings.extractor)(dict(settings.options))
    description = described.model_copy(update={'dimension': extractor.dimension})
    if not begun:
        shutil.rmtree(pool / DIRECTORY, ignore_errors=True)
    write_whole(pool / DESCRIPTION, description.model_dump_json(indent=2) + '\n')
    return description


@dataclass
class _Compared:
    """
    What is to be done.

    :param wanted: the bags to index
    :param moved: the key of each bag that the pool has, and where the bag lies now
    :param keep: the stored path of each bag seen, and its key
    :param copies: bags whose content is that of another one
    :param failed: (bag, one line) for each bag that cannot be read
    """

    wanted: list[BagToIndex] = field(default_factory=list)
    moved: dict[str, Path] = field(default_factory=dict)
    keep: dict[str, str] = field(default_factory=dict)
    copies: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)


def _compare(bags: Sequence[Path], pool: Path) -> _Compared:
    """Tell what is to be done."""
    known = merge.known_keys(pool)
    compared = _Compared()
    seen: set[str] = set()
    for bag in bags:
        try:
            key = _key(bag, known)
            size = _size(bag)
        except (ActiveCollectionError, OSError) as error:
            compared.failed.append((str(bag), str(error)))
            continue
        if key in seen:
            compared.copies += 1
            continue
        seen.add(key)
        stored = stored_path(bag, pool)
        compared.keep[stored] = key
        if key in known:
            compared.moved[key] = bag
        else:
            compared.wanted.append(BagToIndex(bag, stored, key, size))
    return compared


def _key(bag: Path, known: Collection[str]) -> str:
    """Return a bag's content key; a pool that knows it by its former one goes on with that."""
    key = content_key(bag)
    if key not in known and (bag / MANIFEST).is_file():
        former = former_content_key(bag)
        return former if former in known else key
    return key


def _size(bag: Path) -> int:
    files = bag.iterdir() if bag.is_dir() else [bag]
    return sum(file.stat().st_size for file in files if file.is_file())


def _jobs(bags: Sequence[BagToIndex], parts: Path, settings: IndexSettings) -> list[Job]:
    """Cut the bags into jobs: large enough to be worth a process, at least one for each."""
    most = max(1, min(_JOB_BAGS, math.ceil(len(bags) / (4 * settings.processes))))
    groups: list[list[BagToIndex]] = []
    size = _JOB_BYTES
    for bag in bags:
        if size >= _JOB_BYTES or len(groups[-1]) >= most:
            groups.append([])
            size = 0
        groups[-1].append(bag)
        size += bag.size
    return [Job(tuple(group), parts, settings.extractor, settings.options, settings.dtype,
                settings.sampling, settings.threads) for group in groups]
