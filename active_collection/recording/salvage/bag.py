# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Make a whole rosbag2 directory of damaged files, and count what can be read of either."""
from __future__ import annotations

import shutil
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from typing import Any

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import RECORDING_SUFFIX
from active_collection.bags.episodes import read_metadata
from active_collection.bags.storage import COMPRESSED
from active_collection.bags.storage import FILES
from active_collection.episode import EpisodeRecord
from active_collection.episode import StopReason
from active_collection.episode import TopicStatistics
from active_collection.errors import ActiveCollectionError
from active_collection.errors import BagError
from active_collection.errors import RecordingError
from active_collection.files import make_directory
from active_collection.mcap.compression import ZSTD_MAGIC
from active_collection.mcap.compression import decompress_file
from active_collection.mcap.limits import Limits
from active_collection.recording.metadata import VERSIONS
from active_collection.recording.metadata import BagSummary
from active_collection.recording.metadata import TopicSummary
from active_collection.recording.metadata import device
from active_collection.recording.metadata import information
from active_collection.recording.metadata import write_metadata
from active_collection.recording.salvage.database import salvage_database
from active_collection.recording.salvage.mcap_file import salvage_file
from active_collection.recording.salvage.outcome import Kept

if TYPE_CHECKING:
    from active_collection.bags.reader import Message

MCAP = '.mcap'
DATABASE = '.db3'
#: Ends the name of a directory in which a salvage works.
SALVAGING = f'.salvage{RECORDING_SUFFIX}'


def salvage_into(partial: Path, sources: Sequence[Path], record: EpisodeRecord | None,
                 ) -> tuple[tuple[Kept, ...], EpisodeRecord | None]:
    """
    Make a directory with a whole file of each source.

    :param partial: the directory; replaced
    :param sources: damaged files, all MCAP or all SQLite
    :param record: of the episode; None: it has none
    :return: what was kept, and the record as it is then
    :raises RecordingError: where a source is of another kind than its name says
    :raises OSError: where the disk refuses; the directory is gone
    """
    shutil.rmtree(partial, ignore_errors=True)
    make_directory(partial.parent)
    partial.mkdir()
    try:
        is_database = sources[0].name.removesuffix(COMPRESSED).endswith(DATABASE)
        labels = device(record.robot if record is not None else '')

        def salvaged(source: Path, target: Path) -> Kept:
            return (salvage_database(source, target) if is_database
                    else salvage_file(source, target, labels=labels))

        kept = tuple(_salvaged_plain(source, partial, salvaged) for source in sources)
        summary = BagSummary(tuple(k.file for k in kept), _merged(kept))
        if record is not None:
            record = _salvaged_record(record, summary)
        # Makes the names in the directory durable too, as it is the last of them.
        write_metadata(partial, {
            **information(summary, ros_distro=_release_of(sources[0].parent),
                          storage='sqlite3' if is_database else 'mcap'),
            **_compression(sources[0].parent, partial / kept[0].file.name)}, record)
        return kept, record
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _salvaged_record(record: EpisodeRecord, summary: BagSummary) -> EpisodeRecord:
    end_ns = max([record.started_ns, *(file.end_ns for file in summary.files)])
    topics = tuple(
        TopicStatistics(topic=t.topic.name, type=t.topic.definition.type, received=t.messages,
                        written=t.messages, bytes=t.bytes)
        for t in summary.topics)
    return replace(
        record, revision=record.revision + 1, finished_ns=end_ns,
        lasted_s=_lasted_s(record, end_ns),
        stop_reason=StopReason.SALVAGED, topics=topics,
        tags={**record.tags, **summary.tags()})


def _lasted_s(record: EpisodeRecord, end_ns: int) -> float:
    """
    Return how long an episode took at least whose clock was set while somebody watched (s).

    :param end_ns: the latest time of a message (ns)
    :returns: 0 where no clock was set: its stamps tell
    """
    if not record.clock_jumps:
        return 0.0
    ahead_s = sum(max(0.0, jump.by_s) for jump in record.clock_jumps)
    return max((end_ns - record.started_ns) / 1e9 - ahead_s, record.clock_jumps[-1].after_s)


def _merged(kept: Sequence[Kept]) -> tuple[TopicSummary, ...]:
    merged: dict[str, TopicSummary] = {}
    for topic in (topic for k in kept for topic in k.topics):
        before = merged.get(topic.topic.name)
        merged[topic.topic.name] = topic if before is None else replace(
            before, messages=before.messages + topic.messages, bytes=before.bytes + topic.bytes)
    return tuple(merged.values())


def _release_of(directory: Path) -> str:
    """Return the release of ROS 2 that a bag was recorded with: its `ros2 bag` is to read it."""
    with suppress(ActiveCollectionError):
        known = read_metadata(directory / METADATA)
        of_version = {number: release for release, number in VERSIONS.items()}
        version = known.get('version')
        by_version = of_version.get(version, '') if isinstance(version, int) else ''
        return str(known.get('ros_distro') or by_version or 'unknown')
    return 'unknown'


def _salvaged_plain(source: Path, partial: Path,
                    salvage: Callable[[Path, Path], Kept]) -> Kept:
    """Salvage a file; one that is compressed as a whole, as far as it can be decompressed."""
    if source.suffix != COMPRESSED:
        return salvage(source, partial / source.name)
    with TemporaryDirectory(dir=partial, prefix='.plain.') as scratch:
        plain, damages = Path(scratch) / source.stem, []
        try:
            decompress_file(source, plain, Limits().file_bytes)
        except BagError as error:
            damages = [error.found]
        try:
            kept = salvage(plain, partial / plain.name)
        except RecordingError as error:
            raise RecordingError(source, found='; '.join([*damages, error.found]),
                                 expected=error.expected) from error
    return replace(kept, damages=(*(f'{source.name}: {d}' for d in damages), *kept.damages))


def _compression(directory: Path, whole: Path) -> dict[str, Any]:
    """
    Return how a bag's messages are compressed one by one.

    Only its metadata tells; without any, the messages do: none begins as zstd's data does, whose
    first byte is 0 where a message is serialized as CDR.

    :param directory: of what is salvaged
    :param whole: a file of what was salvaged
    """
    with suppress(ActiveCollectionError):
        known = read_metadata(directory / METADATA)
        if known.get('compression_mode') == 'message':
            return {key: known.get(key) for key in ('compression_mode', 'compression_format')}
        return {}
    first = next(_messages(whole), None)
    if first is not None and bytes(first.raw[:len(ZSTD_MAGIC)]) == ZSTD_MAGIC:
        return {'compression_mode': 'message', 'compression_format': 'zstd'}
    return {}


def sources_of(path: Path) -> list[Path]:
    """
    Return the files of messages of a bag, in order: all of one kind, compressed ones among them.

    :param path: a file, or a directory of files
    """
    if not path.is_dir():
        return [path]
    for suffix in FILES:
        plain = files_of(path, suffix)
        names = {file.name for file in plain}
        # What was compressed, and not removed yet, is there twice.
        packed = [file for file in files_of(path, f'{suffix}{COMPRESSED}')
                  if file.stem not in names]
        if plain or packed:
            return sorted([*plain, *packed], key=_number)
    return []


def readable_messages(path: Path) -> int:
    """Return how many messages our reader gets of a bag's files."""
    messages = 0
    for file in sources_of(path):
        with suppress(ActiveCollectionError):
            messages += sum(1 for _ in _messages(file))
    return messages


def _messages(file: Path) -> Iterator[Message]:
    # Here: a recorder that has nothing to salvage needs no reader.
    from active_collection.bags.reader import open_bag

    with open_bag(file, on_damage=lambda _: None) as bag:
        yield from bag.messages()


def files_of(directory: Path, suffix: str) -> list[Path]:
    """Return a bag's files in the order of their numbers."""
    return sorted(directory.glob(f'*{suffix}'), key=_number)


def _number(path: Path) -> tuple[int, str]:
    tail = path.name.removesuffix(COMPRESSED).rpartition('.')[0].rpartition('_')[2]
    return (int(tail) if tail.isdecimal() else 0, path.name)
