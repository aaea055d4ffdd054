# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever bit is wrong, a salvage keeps what any reader of ours gets, and the original."""
from __future__ import annotations

import random
import re
import sqlite3
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from active_collection.bags.reader import open_bag
from active_collection.episode import EpisodeRecord
from active_collection.episode import Source
from active_collection.errors import ActiveCollectionError
from active_collection.mcap import packing
from active_collection.mcap.compression import compressor
from active_collection.mcap.records import Attachment
from active_collection.mcap.records import Schema
from active_collection.mcap.writer import McapFile
from active_collection.recording.metadata import planned
from active_collection.recording.metadata import write_metadata
from active_collection.recording.salvage.database import TABLES
from active_collection.recording.salvage.episodes import salvage_abandoned
from active_collection.recording.salvage.path import salvage_path
from active_collection.recording.store import EpisodeStore
from active_collection.recording.verify import verify
from active_collection.scenario import Scenario

MOST_BYTES = 512 << 20
MESSAGES = 200
KINDS = ['none', 'zstd', 'lz4', 'large', 'mixed', 'sqlite']
STRING = Schema(0, 'std_msgs/msg/String', 'ros2msg', 'string data\n')


def write_mcap(path, kind):
    """400 bytes a message, ten in a chunk; 'large': a message a chunk, too large to be read so."""
    size = 140_000 if kind == 'large' else 400
    count = 12 if kind == 'large' else MESSAGES
    file = McapFile(path, chunk_bytes=4000)
    compressions = {'none': [''], 'large': [''], 'mixed': ['', 'zstd', 'lz4']}.get(kind, [kind])
    channels = [file.add_channel(f'/topic_{n}', STRING, metadata={'offered_qos_profiles': ''},
                                 compression=compressions[n % len(compressions)])
                for n in range(3)]
    noise = random.Random(1)
    for n in range(count):
        text = noise.randbytes(size // 2).hex().encode()
        data = b'\0\1\0\0' + (len(text) + 1).to_bytes(4, 'little') + text + b'\0'
        file.write(channels[n % 3], log_ns=10**18 + n, publish_ns=n, sequence=n, data=data)
        if n == count // 2:
            file.close_chunks()
            record = packing.attachment(1, 2, 'a.txt', 'text/plain', bytes(300))
            file.add_attachment([record], Attachment(1, 2, 'a.txt', 'text/plain', 0, 300))
    file.finish({'robot': {'name': 'a' * 50}})


def write_sqlite(path):
    with sqlite3.connect(path) as database:
        for table, columns in TABLES.items():
            database.execute(f'CREATE TABLE {table} ({columns})')
        database.execute("INSERT INTO schema VALUES (4, 'kilted')")
        database.execute('INSERT INTO topics VALUES (?, ?, ?, ?, ?, ?)',
                         (1, '/a', 'std_msgs/msg/String', 'cdr', '', ''))
        noise = random.Random(1)
        database.executemany('INSERT INTO messages VALUES (?, 1, ?, ?)', [
            (n, 10**18 + n, b'\0\1\0\0' + noise.randbytes(400)) for n in range(1, MESSAGES)])
        database.execute('CREATE INDEX timestamp_idx ON messages (timestamp ASC)')


@pytest.fixture(scope='module', params=KINDS)
def original(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param) / (
        'bag.db3' if request.param == 'sqlite' else 'bag.mcap')
    if request.param == 'sqlite':
        write_sqlite(path)
    else:
        write_mcap(path, request.param)
    return path.name, path.read_bytes()


def readable(path):
    try:
        with open_bag(path, on_damage=lambda _: None) as bag:
            return sum(1 for _ in bag.messages())
    except ActiveCollectionError:
        return 0


def spoiled(name, content, rng):
    """Flip bits of a file that may be cut off; return it, and what was done."""
    damaged = bytearray(content)
    if rng.random() < 0.4:
        del damaged[rng.randrange(len(content) // 3, len(content)):]
    flips = [rng.randrange(8 * len(damaged)) for _ in range(rng.choice([1, 1, 1, 2, 5, 20]))]
    for bit in flips:
        damaged[bit // 8] ^= 1 << bit % 8
    return damaged, f'{name}: {len(damaged)} of {len(content)} bytes, bits {flips}'


def check(name, content, rng, where):
    """Salvage a spoiled file."""
    damaged, told = spoiled(name, content, rng)
    with tempfile.TemporaryDirectory(dir=where) as directory:
        path = Path(directory) / name
        path.write_bytes(damaged)
        had = readable(path)
        try:
            salvaged = salvage_path(path, Path(directory) / 'whole')
        except ActiveCollectionError:
            assert had == 0, told
        else:
            got = sum(readable(file) for file in salvaged.path.glob('*.*')
                      if file.suffix in {'.mcap', '.db3'})
            assert got >= had, f'{told}: {got} of {had}: {salvaged.summary}'
            if name.endswith('.mcap'):  # SQLite may have times before 1970, which nobody reads
                assert got == salvaged.messages, told
                assert verify(salvaged.path) == [
                    f'{salvaged.path / "metadata.yaml"}: no episode record'], told
        assert path.read_bytes() == damaged, told


@contextmanager
def bounded_memory():
    """See that the process takes no more than MOST_BYTES beside what it has."""
    Path('/proc/self/clear_refs').write_text('5')  # forgets the peak so far
    before = memory('VmRSS')
    yield
    assert memory('VmHWM') - before < MOST_BYTES


def memory(key):
    found = re.search(rf'{key}:\s*(\d+) kB', Path('/proc/self/status').read_text())
    return int(found[1]) << 10


@pytest.mark.parametrize('seed', range(20))
def test_a_flipped_bit_costs_no_message_that_a_reader_gets(original, tmp_path, seed):
    with bounded_memory():
        check(*original, random.Random(seed), tmp_path)


@pytest.mark.parametrize('bits', [
    [126551, 536337, 209188, 412651, 364032],  # the id of one message becomes another's
    [740159, 943922, 183605, 173604, 188637, 936188, 159637, 832251, 368066, 656442, 772984,
     687060, 61798, 467172, 555968, 652429, 713772, 949433, 35186, 821230],  # a time is no number
    [358198, 89384, 601070, 700399, 37692, 95607, 905324, 130853, 531069, 622827, 475530, 250174,
     408789, 919524, 485108, 503807, 338990, 112799, 835152, 556481]])  # half a topic is left
def test_damage_of_sqlite_that_has_cost_messages_costs_none(tmp_path, bits):
    path = tmp_path / 'bag.db3'
    write_sqlite(path)
    damaged = bytearray(path.read_bytes())
    for bit in bits:
        damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    had = readable(path)

    salvaged = salvage_path(path)

    assert readable(salvaged.path / 'bag.db3') >= had >= 190


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_thousands_of_flipped_bits_cost_no_message_that_a_reader_gets(original, tmp_path):
    rng = random.Random(7)
    with bounded_memory():
        for _ in range(3000):
            check(*original, rng, tmp_path)


@pytest.mark.parametrize('compression', ['zstd', 'lz4'])
@pytest.mark.parametrize('size', [300 << 20, 1 << 40])
def test_a_chunk_that_claims_much_takes_no_more_than_the_limit(tmp_path, compression, size):
    path = tmp_path / 'bag.mcap'
    file = McapFile(path, chunk_bytes=1000)
    channel = file.add_channel('/a', STRING, metadata={})
    file.write(channel, log_ns=1, publish_ns=1, sequence=1, data=bytes(100))
    file.close_chunks()
    packed = compressor(compression)(bytes(64 << 20))
    file.append_chunk([packed], compression=compression, size=size, crc=0, start_ns=1, end_ns=2,
                      index={1: [2, 0]})
    file.finish()

    with bounded_memory():
        salvaged = salvage_path(path)
        verify(salvaged.path)
        assert readable(path) == readable(salvaged.path) == 1


@pytest.mark.parametrize('original', [k for k in KINDS if k != 'sqlite'], indirect=True)
@pytest.mark.parametrize('seed', range(20))
def test_an_episode_that_is_salvaged_by_itself_loses_nothing_that_a_reader_gets(
        original, tmp_path, seed):
    damaged, told = spoiled(*original, random.Random(seed))
    store = EpisodeStore(tmp_path)
    directory = store.root / '2026-11-22' / 'e1.recording'
    directory.mkdir(parents=True)
    (directory / 'e1_0.mcap').write_bytes(damaged)
    write_metadata(directory, planned('e1', ros_distro=''), EpisodeRecord(
        episode_id='e1', scenario=Scenario.of('pick', 'here', {}), robot='r', started_ns=1,
        source=Source.SCRIPTED))
    had = readable(directory / 'e1_0.mcap')

    [(_, salvaged)] = salvage_abandoned(store, stop=threading.Event())

    if isinstance(salvaged, ActiveCollectionError):
        assert (directory / 'e1_0.mcap').read_bytes() == damaged, told
    else:
        assert readable(directory.with_name('e1') / 'e1_0.mcap') >= had, told
        kept = salvaged.summary.count('.damaged.recording')
        assert kept == 0 or (directory.with_name('.e1.damaged.recording')
                             / 'e1_0.mcap').read_bytes() == damaged, told
