# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A bag that is corrupt somewhere gives everything else, and says what it does not give."""
from __future__ import annotations

import bz2
import shutil
import sqlite3
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from bag_factory import START_NS
from bag_factory import STORE
from bag_factory import camera
from bag_factory import image
from bag_factory import joints
from bag_factory import scene
from bag_factory import write_bag
from bag_factory import write_bag1
from rosbags.rosbag2 import CompressionFormat
from rosbags.rosbag2 import CompressionMode
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer

from active_collection.bags.reader import open_bag
from active_collection.errors import BagError
from active_collection.mcap import index as mcap_index
from active_collection.mcap.limits import Limits
from active_collection.mcap.source import Source

#: Large enough for each frame to fill a chunk of its own.
SIZE = (480, 640)
CAMERA = '/camera/image_raw'


def read(path, **options):
    """The receive times of all messages, and what was told of damage."""
    damage: list[BagError] = []
    with open_bag(path, on_damage=damage.append, **options) as bag:
        times = [message.receive_ns for message in bag.messages()]
    return times, [str(line) for line in damage]


def times(count):
    return [ns for _, ns, _ in camera(count)]


def frames(count):
    return camera(count, size=SIZE)


def spoil(path: Path, place: int | float, size: int = 64) -> None:
    content = bytearray(path.read_bytes())
    start = place if isinstance(place, int) else int(len(content) * place)
    content[start:start + size] = bytes(255 - byte for byte in content[start:start + size])
    path.write_bytes(content)


@pytest.mark.parametrize('compression', ['none', 'storage'])
def test_a_corrupt_chunk_costs_its_messages_and_no_others(tmp_path, compression):
    bag = write_bag(tmp_path / 'b', frames(6), compression=compression)
    chunks = chunk_offsets(bag / 'b.mcap')
    assert len(chunks) >= 3
    spoil(bag / 'b.mcap', chunks[1] + 45, 60)  # what is compressed, or the first message's head

    got, told = read(bag)

    lost = set(times(6)) - set(got)
    assert 1 <= len(lost) <= 2
    assert set(got) == set(times(6)) - lost
    assert any(f'chunk at {chunks[1]:,}' in line for line in told)
    with pytest.raises(BagError, match=r'b\.mcap'), open_bag(bag) as strict:
        list(strict.messages())


def chunk_offsets(path):
    return [chunk.offset for chunk in mcap_index.from_summary(Source(path)).chunks]


@pytest.mark.parametrize('compression', ['none', 'storage'])
@pytest.mark.parametrize('part', ['footer', 'summary', 'all but chunks'])
def test_without_its_summary_a_bag_still_gives_all(tmp_path, compression, part):
    bag = write_bag(tmp_path / 'b', [*frames(4), *states(4)], compression=compression)
    content = (bag / 'b.mcap').read_bytes()
    cut = {'footer': len(content) - 8, 'summary': len(content) - 400,
           'all but chunks': content.rindex(b'\x07', 0, len(content) - 900)}[part]
    (bag / 'b.mcap').write_bytes(content[:cut])

    got, told = read(bag / 'b.mcap')

    assert len(got) >= 7
    assert 'summary' in told[0]
    assert sorted(got) == got


def states(count):
    return [('/joint_states', ns + 5, joints(ns)) for _, ns, _ in camera(count)]


def test_a_bag_cut_in_the_middle_gives_the_chunks_before(tmp_path):
    bag = write_bag(tmp_path / 'b', frames(8))
    content = (bag / 'b.mcap').read_bytes()
    (bag / 'b.mcap').write_bytes(content[:len(content) // 2])

    got, told = read(bag / 'b.mcap')

    assert got == times(8)[:len(got)]
    assert len(got) >= 2
    assert told


@pytest.mark.parametrize('compression', ['none', 'storage'])
def test_behind_a_corrupt_record_the_next_chunk_is_found(tmp_path, compression):
    bag = write_bag(tmp_path / 'b', frames(8), compression=compression)
    file = bag / 'b.mcap'
    chunks = chunk_offsets(file)
    file.write_bytes(file.read_bytes()[:-8])  # no summary
    spoil(file, chunks[1], 20)  # the record's kind and length

    got, told = read(file)

    assert set(got) >= {*times(8)[:2], *times(8)[4:]}
    assert len(told) >= 2


def test_a_corrupt_message_index_is_made_good_by_the_chunk(tmp_path):
    bag = write_bag(tmp_path / 'b', frames(6))
    file = bag / 'b.mcap'
    content = file.read_bytes()
    index = mcap_index.from_summary(Source(file)).chunks[1]
    spoil(file, index.index_offset + 1, 8)
    assert file.read_bytes() != content

    got, told = read(bag)

    assert got == times(6)
    assert 'message index' in told[0]


@pytest.mark.parametrize('lie', ['size of the chunk', 'place of a message'])
def test_an_index_that_lies_costs_no_message(tmp_path, lie):
    file = write_bag(tmp_path / 'b', frames(4)) / 'b.mcap'
    content = bytearray(file.read_bytes())
    chunk = mcap_index.from_summary(Source(file)).chunks[1]
    if lie == 'size of the chunk':  # the last number of its chunk index
        place = content.index(struct.pack('<QQ', chunk.first_ns, chunk.last_ns),
                              content.index(b'\x0f', chunk.index_offset)) + 32
        place = content.index(struct.pack('<QQ', chunk.size, chunk.size), place) + 8
    else:  # behind opcode and length, channel, length of the pairs, and the first one's time
        place = chunk.index_offset + 9 + 2 + 4 + 8
    content[place:place + 8] = struct.pack('<Q', 1 << 40)
    file.write_bytes(content)

    got, told = read(file)

    assert got == times(4)
    assert len(told) == 1


def test_a_large_message_ends_with_its_chunk_whatever_it_says(tmp_path):
    file = write_bag(tmp_path / 'b', frames(8)) / 'b.mcap'
    chunk = mcap_index.from_summary(Source(file)).chunks[0]
    content = bytearray(file.read_bytes())
    place = content.index(struct.pack('<Q', times(8)[0]), chunk.data_offset) - 15
    content[place + 1:place + 9] = struct.pack('<Q', chunk.size + 1000)
    file.write_bytes(content)

    got, told = read(file)

    assert got == times(8)[1:]
    assert 'behind its chunk' in told[0]


@pytest.mark.parametrize('sparse', [False, True])
def test_a_chunk_over_the_limit_gives_its_messages_one_by_one(tmp_path, sparse):
    file = tmp_path / 'a.mcap'
    mcap = pytest.importorskip('mcap.writer')
    with file.open('wb') as stream:
        writer = mcap.Writer(stream, chunk_size=1 << 26, compression=mcap.CompressionType.NONE)
        writer.start(profile='ros2', library='')
        schema = writer.register_schema('std_msgs/msg/String', 'ros2msg', b'string data')
        channel = writer.register_channel('/text', 'cdr', schema)
        for number, size in enumerate([1 << 18] * 40 + [1 << 22]):
            writer.add_message(channel, log_time=number, publish_time=0, data=bytes(size))
        writer.finish()

    tracemalloc.start()
    told = []
    with open_bag(file, limits=Limits(chunk_bytes=10**6, message_bytes=10**6),
                  on_damage=lambda error: told.append(str(error))) as bag:
        got = [m.receive_ns for m in bag.messages(wanted=(lambda *_: True) if sparse else None)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert got == list(range(40))
    assert ['4,194,304 bytes, more than the limit of 1,000,000' in line for line in told] == [True]
    assert peak < 1 << 22


def test_messages_outside_of_chunks_are_read(tmp_path):
    mcap = pytest.importorskip('mcap.writer')
    with (tmp_path / 'a.mcap').open('wb') as file:
        writer = mcap.Writer(file, use_chunking=False)
        writer.start(profile='ros2', library='')
        schema = writer.register_schema('std_msgs/msg/String', 'ros2msg', b'string data')
        channel = writer.register_channel('/text', 'cdr', schema)
        for number in range(5):
            writer.add_message(channel, log_time=100 - number, publish_time=0,
                               data=b'\0\1\0\0\3\0\0\0ab\0')
        writer.finish()

    with open_bag(tmp_path / 'a.mcap') as bag:
        assert [m.receive_ns for m in bag.messages()] == [96, 97, 98, 99, 100]
        assert next(bag.messages()).decode().data == 'ab'
        assert bag.topics['/text'].count == 5


def test_chunks_that_overlap_come_in_the_order_of_time(tmp_path):
    entries = frames(8)
    order = [0, 3, 1, 2, 6, 4, 7, 5]
    bag = write_bag(tmp_path / 'b', [entries[i] for i in order])
    got, told = read(bag)
    assert (got, told) == (times(8), [])


def test_corrupt_pages_of_sqlite_cost_their_messages_and_no_others(tmp_path):
    bag = write_bag(tmp_path / 'b', frames(12), storage='sqlite3')
    file = bag / 'b.db3'
    spoil(file, 0.5, 8192)

    got, told = read(file)

    assert set(got) <= set(times(12))
    assert len(got) >= 9
    assert got == sorted(got)
    if len(got) < 12:
        assert told
    with sqlite3.connect(file) as database:
        assert database.execute('PRAGMA page_size').fetchone()


def test_a_corrupt_list_of_sqlite_rows_is_taken_row_by_row(tmp_path):
    small = [('/joint_states', START_NS + i, joints(i)) for i in range(3000)]
    file = write_bag(tmp_path / 'b', small, storage='sqlite3') / 'b.db3'
    with sqlite3.connect(file) as database:
        size = database.execute('PRAGMA page_size').fetchone()[0]
    spoil(file, int(file.stat().st_size * 0.4) // size * size, size)

    got, told = read(file)

    assert 2000 < len(got) <= 3000
    assert told
    assert got == sorted(set(got))


@pytest.mark.parametrize('compression', ['none', 'bz2', 'lz4'])
def test_a_corrupt_chunk_of_rosbag1_costs_its_messages_and_no_others(tmp_path, compression):
    file = write_bag1(tmp_path / 'a.bag', ros1(8), compression=compression)
    content = file.read_bytes()
    marks = [i for i in range(len(content)) if content.startswith(b'op=\x05', i)]
    assert len(marks) >= 3
    spoil(file, marks[1] + 60, 60)  # what is compressed, or the first message's head

    got, told = read(file)

    assert 4 <= len(got) < 8
    assert set(got) <= {ns for _, ns, _ in ros1(8)}
    assert told


def ros1(count):
    return [('/c', ns, image(scene(i, size=SIZE), ros1=True))
            for i, (_, ns, _) in enumerate(camera(count))]


def test_a_rosbag1_without_its_end_gives_what_is_there(tmp_path):
    file = write_bag1(tmp_path / 'a.bag', ros1(8))
    content = file.read_bytes()
    file.write_bytes(content[:int(len(content) * 0.7)])

    got, told = read(file)

    assert got == [ns for _, ns, _ in ros1(8)][:len(got)]
    assert len(got) >= 4
    assert told


def test_a_missing_file_of_a_split_bag_is_told_and_the_others_are_read(tmp_path):
    bag = write_bag(tmp_path / 'b', frames(4))
    shutil.copy(bag / 'b.mcap', bag / 'c.mcap')
    metadata = bag / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('- b.mcap', '- gone.mcap\n  - c.mcap', 1))

    got, told = read(bag)

    assert got == times(4)
    assert any('gone.mcap' in line for line in told)


@pytest.mark.parametrize(('storage', 'compression'), [
    ('mcap', 'storage'), ('mcap', 'message'), ('mcap', 'file'), ('sqlite3', 'message'),
    ('sqlite3', 'file')])
def test_what_decompresses_to_more_than_the_limit_is_told_and_left_out(
        tmp_path, storage, compression):
    black = [(CAMERA, ns, image(np.zeros((*SIZE, 3), np.uint8))) for _, ns, _ in camera(3)]
    bag = write_bag(tmp_path / 'b', black, storage=storage, compression=compression)

    got, told = read(bag, limits=Limits(chunk_bytes=10**5, message_bytes=10**5, file_bytes=10**5))

    assert got == []
    assert told
    assert all('100,000' in line for line in told)


@pytest.mark.parametrize('compression', ['bz2', 'lz4'])
def test_chunks_of_rosbag1_have_the_limit_too(tmp_path, compression):
    black = [('/c', ns, image(np.zeros((*SIZE, 3), np.uint8), ros1=True))
             for _, ns, _ in camera(3)]
    file = write_bag1(tmp_path / 'a.bag', black, compression=compression)

    got, told = read(file, limits=Limits(chunk_bytes=10**5))

    assert got == []
    assert '100,000' in told[0]


def test_a_chunk_that_lies_about_its_size_gives_no_more_than_it_claims(tmp_path):
    black = [('/c', ns, image(np.zeros((*SIZE, 3), np.uint8), ros1=True))
             for _, ns, _ in camera(2)]
    file = write_bag1(tmp_path / 'a.bag', black, compression='bz2')
    content = file.read_bytes()
    size = content.index(b'size=') + 5
    bomb = bz2.compress(bytes(1 << 24))
    first = content.index(b'BZh')
    length = struct.unpack('<I', content[first - 4:first])[0]
    content = (content[:size] + struct.pack('<I', 1000) + content[size + 4:first - 4]
               + struct.pack('<I', len(bomb)) + bomb + content[first + length:])
    file.write_bytes(content)

    got, told = read(file)

    assert len(got) < 2
    assert any('more than 1,000 bytes' in line for line in told)


def test_skipped_messages_are_neither_read_nor_lost_count_of(tmp_path):
    twins = [(CAMERA, START_NS + i // 2, image(scene(i))) for i in range(6)]
    for storage in ('mcap', 'sqlite3'):
        asked = []
        with open_bag(write_bag(tmp_path / storage, twins, storage=storage)) as bag:
            got = [(m.receive_ns - START_NS, m.sequence) for m in bag.messages(
                wanted=lambda _, ns: asked.append(ns) or len(asked) % 2 == 0)]  # noqa: B023
        assert got == [(0, 1), (1, 1), (2, 1)]
        assert len(asked) == 6


def test_each_message_is_asked_for_after_the_one_before_was_handed_out(tmp_path):
    taken: list[int] = []
    with open_bag(write_bag(tmp_path / 'b', camera(20))) as bag:
        for message in bag.messages(wanted=lambda _, ns: not taken or ns - taken[-1] >= 3 * 10**8):
            taken.append(message.receive_ns)  # noqa: PERF401 - while it is asked
    assert taken == times(20)[::3]


def test_split_bags_are_read_file_by_file(tmp_path):
    path = tmp_path / 'b'
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.FILE, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection(CAMERA, image(scene(0)).__msgtype__, typestore=STORE)
        for topic, ns, message in camera(3):
            assert topic == CAMERA
            writer.write(connection, ns, STORE.serialize_cdr(message, message.__msgtype__))
    shutil.copy(path / 'b.mcap.zstd', path / 'c.mcap.zstd')
    metadata = path / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('- b.mcap.zstd',
                                                     '- b.mcap.zstd\n  - c.mcap.zstd', 1))
    assert read(path) == (times(3) * 2, [])
