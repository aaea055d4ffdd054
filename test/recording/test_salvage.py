# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is left of a bag whose recorder died becomes a whole bag."""
from __future__ import annotations

import random
import threading
import time
import tracemalloc
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore

from active_collection.bags.episodes import read_metadata
from active_collection.bags.episodes import read_record
from active_collection.bags.reader import open_bag
from active_collection.cli import main as command_line
from active_collection.episode import Outcome
from active_collection.episode import StopReason
from active_collection.errors import BagError
from active_collection.errors import RecordingError
from active_collection.mcap import packing
from active_collection.mcap import records
from active_collection.mcap.compression import compressor
from active_collection.mcap.limits import Limits
from active_collection.mcap.records import MAGIC
from active_collection.mcap.records import Attachment
from active_collection.mcap.scan import places
from active_collection.mcap.source import Source
from active_collection.mcap.writer import McapFile
from active_collection.recording.definitions import Definition
from active_collection.recording.salvage.episodes import salvage_abandoned
from active_collection.recording.salvage.mcap_file import salvage_file
from active_collection.recording.salvage.path import salvage_path
from active_collection.recording.store import EpisodeStore
from active_collection.recording.verify import verify

STRING = Definition('std_msgs/msg/String', 'ros2msg', 'string data\n', '')


def count(path):
    with Reader(path) as reader:
        return sum(1 for _ in reader.messages())


def left_by_a_killed_recorder(bench, episode='e1', messages=500):
    """Copy an open episode's directory as the disk has it, then close the episode elsewhere."""
    bench.add_topic('/a')
    bench.start(episode_id=episode)
    for index in range(messages):
        bench.send('/a', b'%05d' % index + bytes(500))
    deadline = threading.Event()
    while bench.recorder.snapshot().topics[0].written < messages // 2:
        assert not deadline.wait(0.01)
    directory = bench.last_path
    content = {p.name: p.read_bytes() for p in directory.iterdir()}
    bench.recorder.finish(episode, outcome=Outcome.SUCCESS)
    return directory, content


def lay_out(store, episode, content):
    directory = store.root / '2026-11-22' / f'{episode}.recording'
    directory.mkdir(parents=True)
    for name, data in content.items():
        (directory / name).write_bytes(data)
    return directory


def test_salvage_keeps_every_complete_chunk(make_bench, tmp_path):
    bench = make_bench(chunk_bytes=10_000)
    _, content = left_by_a_killed_recorder(bench)
    store = EpisodeStore(tmp_path / 'other')
    directory = lay_out(store, 'e1', content)
    (directory / 'e1_0.mcap').write_bytes(content['e1_0.mcap'][:-700])
    [(path, salvaged)] = salvage_abandoned(store, stop=threading.Event())
    assert path == directory and not directory.exists()
    record = salvaged.event.record
    assert (record.outcome, record.stop_reason) == (Outcome.UNKNOWN, StopReason.SALVAGED)
    final = store.data / salvaged.event.path
    assert read_record(final) == record and verify(final) == []
    assert record.topics[0].written == count(final) >= 200
    assert 'gave up' in salvaged.summary
    with Reader(final) as reader:
        texts = [bytes(raw)[:5] for _, _, raw in reader.messages()]
    assert texts == [b'%05d' % index for index in range(len(texts))]
    assert list(salvage_abandoned(store, stop=threading.Event())) == []


@pytest.mark.parametrize(('jumps', 'least_s'), [
    ((1_790_000_000,), 1.9), ((-3600,), 1.2), ((3600, -3600), 2.4)])
def test_an_episode_whose_clock_was_set_before_its_recorder_died_says_so_and_is_no_lifetime(
        make_bench, tmp_path, jumps, least_s):
    bench = make_bench(chunk_bytes=10_000, durable_age_s=0.05)
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    bench.send('/a', bytes(500), count=100)
    for seconds in jumps:
        bench.clock.pass_s(1)
        bench.recorder.tick()
        bench.clock.ns += seconds * 10**9
        bench.clock.pass_s(0.2)
        bench.recorder.tick()
    bench.clock.pass_s(0.8)
    bench.send('/a', bytes(500), count=100)
    deadline = time.monotonic() + 30
    while bench.recorder.snapshot().topics[0].written < 200:
        assert time.monotonic() < deadline
        bench.clock.pass_s(0.001)  # what is left in an open chunk is written once it is old
        time.sleep(0.01)
    content = {p.name: p.read_bytes() for p in bench.last_path.iterdir()}
    told = bench.recorder.finish('e1', outcome=Outcome.SUCCESS).clock_jumps
    store = EpisodeStore(tmp_path / 'other')
    lay_out(store, 'e1', content)

    [(_, salvaged)] = salvage_abandoned(store, stop=threading.Event())

    record = salvaged.event.record
    assert [jump.by_s for jump in record.clock_jumps] == pytest.approx(jumps)
    assert record.clock_jumps == told
    assert least_s <= record.duration_s <= 3.5


def test_live_episode_is_left_alone(bench):
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    bench.send('/a', count=5)
    assert list(salvage_abandoned(bench.recorder.store, stop=threading.Event())) == []
    with pytest.raises(RecordingError, match='a recorder that is writing it'):
        salvage_path(bench.last_path)
    bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert count(bench.last_path) == 5


def test_recorder_that_died_before_the_last_rename_keeps_its_judgement(bench, tmp_path):
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    bench.send('/a', count=5)
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    content = {p.name: p.read_bytes() for p in bench.last_path.iterdir()}
    store = EpisodeStore(tmp_path / 'other')
    lay_out(store, 'e1', content)
    [(_, salvaged)] = salvage_abandoned(store, stop=threading.Event())
    assert salvaged.event.record == record
    assert count(store.data / salvaged.event.path) == 5


def test_a_recorder_that_died_before_its_first_file_leaves_an_episode_without_messages(
        make_bench, tmp_path):
    """And not a directory that every start finds anew."""
    _, content = left_by_a_killed_recorder(make_bench(chunk_bytes=10_000), messages=20)
    store = EpisodeStore(tmp_path / 'other')
    lay_out(store, 'e1', {'metadata.yaml': content['metadata.yaml']})

    [(_, salvaged)] = salvage_abandoned(store, stop=threading.Event())

    assert salvaged.event.record.stop_reason is StopReason.SALVAGED
    assert salvaged.event.record.episode_id == 'e1'
    assert count(store.data / salvaged.event.path) == 0
    assert list(salvage_abandoned(store, stop=threading.Event())) == []


@pytest.mark.parametrize('content', [{}, {'e1_0.mcap': b''}, {'e1_0.mcap': b'garbage!' * 100},
                                     {'e1_0.mcap': b'', 'metadata.yaml': b'\0\0'}])
def test_what_is_no_episode_is_named_and_stays(tmp_path, content):
    store = EpisodeStore(tmp_path / 'data')
    directory = lay_out(store, 'e1', content)
    [(path, error)] = salvage_abandoned(store, stop=threading.Event())
    assert path == directory and isinstance(error, RecordingError)


def test_damaged_chunk_is_left_out_and_the_original_kept(make_bench, tmp_path):
    bench = make_bench(chunk_bytes=10_000)
    _, content = left_by_a_killed_recorder(bench)
    damaged = bytearray(content['e1_0.mcap'])
    damaged[15_000] ^= 0xFF
    store = EpisodeStore(tmp_path / 'other')
    directory = lay_out(store, 'e1', {**content, 'e1_0.mcap': bytes(damaged)})
    [(_, salvaged)] = salvage_abandoned(store, stop=threading.Event())
    final = store.data / salvaged.event.path
    assert 'checksum' in salvaged.summary and verify(final) == []
    assert 0 < count(final) < 500
    kept = directory.with_name('.e1.damaged.recording') / 'e1_0.mcap'
    assert kept.read_bytes() == bytes(damaged)
    assert list(salvage_abandoned(store, stop=threading.Event())) == []


@pytest.fixture(scope='module')
def whole_file(tmp_path_factory):
    path = tmp_path_factory.mktemp('whole') / 'bag.mcap'
    file = McapFile(path, chunk_bytes=2000)
    channel = file.add_channel('/a', STRING.schema(), metadata={})
    for index in range(200):
        file.write(channel, log_ns=index, publish_ns=index, sequence=index, data=bytes(100))
    file.finish()
    with path.open('rb') as opened:
        chunks = make_reader(opened).get_summary().chunk_indexes
    ends = [(c.chunk_start_offset + c.chunk_length, c.message_end_time + 1) for c in chunks]
    return path.read_bytes(), ends


def test_file_cut_anywhere_keeps_all_that_is_whole_before_the_cut(whole_file, tmp_path_factory):
    data, ends = whole_file

    @settings(max_examples=60, deadline=None)
    @given(cut=st.integers(0, len(data)))
    def check(cut):
        directory = tmp_path_factory.mktemp('cut')
        (directory / 'torn.mcap').write_bytes(data[:cut])
        if 0 < cut < 8:
            with pytest.raises(RecordingError):
                salvage_file(directory / 'torn.mcap', directory / 'whole.mcap')
            return
        kept = salvage_file(directory / 'torn.mcap', directory / 'whole.mcap')
        in_chunks = max((m for end, m in ends if end <= cut), default=0)
        following = min((m for end, m in ends if end > cut), default=in_chunks)
        assert in_chunks <= kept.file.messages <= following
        assert kept.file.messages == sum(t.messages for t in kept.topics)
        if kept.file.messages:
            assert count(directory / 'whole.mcap') == kept.file.messages

    check()


@pytest.mark.parametrize('seed', range(20))
def test_garbage_never_raises_anything_but_our_error(whole_file, tmp_path, seed):
    rng = random.Random(seed)
    data = bytearray(whole_file[0])
    for _ in range(rng.randrange(1, 30)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    (tmp_path / 'bad.mcap').write_bytes(bytes(data))
    try:
        kept = salvage_file(tmp_path / 'bad.mcap', tmp_path / 'whole.mcap')
    except RecordingError:
        return
    if kept.file.messages:
        assert count(tmp_path / 'whole.mcap') == kept.file.messages


def test_salvages_a_bag_of_the_rosbags_library(tmp_path, capsys):
    types = get_typestore(Stores.ROS2_JAZZY)
    message = types.types['std_msgs/msg/String']('x' * 1000)
    with Writer(tmp_path / 'bag', version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/text', 'std_msgs/msg/String', typestore=types)
        for index in range(5000):
            writer.write(connection, index, types.serialize_cdr(message, 'std_msgs/msg/String'))
    torn = tmp_path / 'torn'
    torn.mkdir()
    data = (tmp_path / 'bag' / 'bag.mcap').read_bytes()
    (torn / 'bag.mcap').write_bytes(data[:len(data) // 2])
    assert command_line.main(['salvage', str(torn)]) == 0
    assert 'kept' in capsys.readouterr().out
    assert 1000 < count(tmp_path / 'torn_salvaged') < 5000
    assert (torn / 'bag.mcap').read_bytes() == data[:len(data) // 2]
    assert command_line.main(['salvage', str(torn / 'bag.mcap')]) == 0
    assert 1000 < count(torn / 'bag_salvaged') < 5000


def test_command_line_names_what_it_cannot_salvage(tmp_path, capsys):
    (tmp_path / 'x.mcap').write_bytes(b'nonsense' * 10)
    assert command_line.main(['salvage', str(tmp_path / 'x.mcap'), str(tmp_path / 'none')]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 2 and 'x.mcap' in error and 'none' in error


def test_command_line_takes_this_directory_and_no_empty_path(
        make_bench, tmp_path, capsys, monkeypatch):
    _, content = left_by_a_killed_recorder(make_bench(chunk_bytes=10_000))
    bag = tmp_path / 'bag'
    bag.mkdir()
    (bag / 'e1_0.mcap').write_bytes(content['e1_0.mcap'])
    monkeypatch.chdir(bag)
    with pytest.raises(SystemExit) as end:
        command_line.main(['salvage', ''])
    assert end.value.code == 2 and 'empty' in capsys.readouterr().err
    assert command_line.main(['salvage', '.']) == 0
    assert count(tmp_path / 'bag_salvaged') > 200
    assert command_line.main(['salvage', '/']) == 2


@pytest.mark.parametrize('content', [b'', MAGIC, MAGIC + b'\x01'])
def test_a_file_without_a_whole_message_makes_no_bag(tmp_path, capsys, content):
    (tmp_path / 'x.mcap').write_bytes(content)
    assert command_line.main(['salvage', str(tmp_path / 'x.mcap')]) == 2
    error = capsys.readouterr().err
    assert 'x.mcap' in error and 'nothing to keep' in error and error.count('\n') == 1
    assert [path.name for path in tmp_path.iterdir()] == ['x.mcap']


def test_an_empty_file_beside_a_full_one_does_not_lose_that(make_bench, tmp_path):
    bench = make_bench(chunk_bytes=10_000)
    _, content = left_by_a_killed_recorder(bench)
    bag = tmp_path / 'bag'
    bag.mkdir()
    (bag / 'e1_0.mcap').write_bytes(content['e1_0.mcap'])
    (bag / 'e1_1.mcap').write_bytes(b'')
    salvaged = salvage_path(bag)
    assert 'e1_1.mcap: an empty file' in salvaged.summary
    assert count(salvaged.path) == sum(kept.file.messages for kept in salvaged.kept) > 200


def chunks_of(path):
    """Offset and record length of each chunk, found by its records."""
    with closing(Source(path)) as source:
        return [(place.offset, place.end) for place in places(source, lambda *_: None)
                if place.opcode == records.CHUNK]


def readable(path):
    with open_bag(path, on_damage=lambda _: None) as bag:
        return [m.receive_ns for m in bag.messages()]


@pytest.mark.parametrize('compression', ['', 'zstd', 'lz4'])
@pytest.mark.parametrize('byte', [0, 2, 9, 25, 35, 39, 47])
@pytest.mark.parametrize('is_closed', [True, False])
def test_a_flipped_bit_in_the_head_of_a_chunk_costs_no_other_chunk(
        tmp_path, compression, byte, is_closed):
    path = tmp_path / 'bag.mcap'
    write_strings(path, 400, compression=compression)
    chunks = chunks_of(path)
    content = bytearray(path.read_bytes())
    content[chunks[1][0] + byte] ^= 4
    path.write_bytes(content if is_closed else content[:chunks[-1][1]])
    had = readable(path)

    salvaged = salvage_path(path)

    assert len(had) >= 390
    assert readable(salvaged.path / 'bag.mcap') == had
    assert path.read_bytes()[:100] == content[:100]


def write_strings(path, count, *, compression='', profile='ros2', encoding='cdr', extras=()):
    file = McapFile(path, chunk_bytes=2000, profile=profile)
    channel = file.add_channel('/a', STRING.schema(), metadata={}, compression=compression,
                               encoding=encoding)
    for index in range(count):
        file.write(channel, log_ns=index, publish_ns=index, sequence=index, data=bytes(200))
    for record, head in extras:
        file.add_attachment([record], head)
    file.finish({'vehicle': {'name': 'r2', 'empty': ''}})


def test_damage_in_the_first_chunk_of_a_complete_file_costs_its_messages_alone(
        make_bench, tmp_path):
    bench = make_bench(chunk_bytes=10_000)
    _, content = left_by_a_killed_recorder(bench)
    first = content['e1_0.mcap'].index(b'/a')
    damaged = bytearray(content['e1_0.mcap'])
    damaged[first] ^= 1
    store = EpisodeStore(tmp_path / 'other')
    directory = lay_out(store, 'e1', {**content, 'e1_0.mcap': bytes(damaged)})
    had = len(readable(directory / 'e1_0.mcap'))

    [(_, salvaged)] = salvage_abandoned(store, stop=threading.Event())

    assert count(store.data / salvaged.event.path) >= had > 200
    aside = directory.with_name('.e1.damaged.recording')
    assert (aside / 'e1_0.mcap').read_bytes() == bytes(damaged)
    assert str(aside) in salvaged.summary and 'checksum' in salvaged.summary


def test_messages_of_a_chunk_with_a_wrong_checksum_are_kept_and_told(tmp_path):
    path = tmp_path / 'bag.mcap'
    write_strings(path, 100)
    begin, end = chunks_of(path)[1]
    content = bytearray(path.read_bytes())
    content[end - 50] ^= 1
    path.write_bytes(content)
    with pytest.raises(BagError, match='another checksum'), open_bag(path) as strict:
        list(strict.messages())
    assert len(readable(path)) == 100

    salvaged = salvage_path(path)

    assert f'byte {begin:,}: chunk: another checksum' in salvaged.summary
    assert readable(salvaged.path / 'bag.mcap') == list(range(100))


def test_nothing_of_a_recording_goes_where_its_salvage_holds_less(make_bench, tmp_path):
    bench = make_bench(chunk_bytes=10_000)
    _, content = left_by_a_killed_recorder(bench)
    store = EpisodeStore(tmp_path / 'other')
    directory = lay_out(store, 'e1', content)
    final = directory.with_name('e1')
    final.mkdir()
    (final / 'e1_0.mcap').write_bytes(content['e1_0.mcap'][:30_000])

    [(_, error)] = salvage_abandoned(store, stop=threading.Event())

    aside = directory.with_name('.e1.damaged.recording')
    assert {p.name: p.read_bytes() for p in aside.iterdir()} == content
    assert aside.name in str(error) and not directory.exists()
    assert len(readable(salvage_path(aside).path / 'e1_0.mcap')) > 200
    assert (directory.parent / 'e1_salvaged').is_dir()


def test_a_live_recording_is_salvaged_nowhere(bench, tmp_path):
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    bench.send('/a', count=5)
    for path in (bench.last_path, bench.last_path / 'e1_0.mcap'):
        with pytest.raises(RecordingError, match='a recorder that is writing it'):
            salvage_path(path, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('compression', ['zstd', 'lz4'])
def test_a_chunk_that_claims_gigabytes_takes_no_more_than_the_limit(tmp_path, compression):
    file = McapFile(tmp_path / 'bag.mcap', chunk_bytes=2000)
    channel = file.add_channel('/a', STRING.schema(), metadata={})
    file.write(channel, log_ns=1, publish_ns=1, sequence=1, data=bytes(100))
    file.close_chunks()
    packed = compressor(compression)(bytes(100 << 20))
    assert len(packed) < 1 << 20
    file.append_chunk([packed], compression=compression, size=100 << 20, crc=0, start_ns=1,
                      end_ns=2, index={1: [1, 0]})
    file.finish()
    limits = Limits(chunk_bytes=1 << 20)

    tracemalloc.start()
    kept = salvage_file(tmp_path / 'bag.mcap', tmp_path / 'whole.mcap', limits)
    (tmp_path / 'metadata.yaml').write_text(
        'rosbag2_bagfile_information: {relative_file_paths: [bag.mcap]}')
    problems = verify(tmp_path, limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert kept.file.messages == 1
    assert '104,857,600 bytes, more than the limit of 1,048,576' in kept.damages[0]
    assert any('more than the limit' in line for line in problems)
    assert peak < 16 << 20


def test_a_foreign_files_profile_metadata_and_attachments_are_kept(tmp_path):
    path = tmp_path / 'bag.mcap'
    record = packing.attachment(5, 6, 'calibration.json', 'application/json', b'{}' * 1000)
    write_strings(path, 50, profile='ros1', encoding='ros1', extras=[
        (record, Attachment(5, 6, 'calibration.json', 'application/json', 0, 2000))])

    salvaged = salvage_path(path)

    assert 'gave up' not in salvaged.summary
    with (salvaged.path / 'bag.mcap').open('rb') as file:
        reader = make_reader(file)
        assert reader.get_header().profile == 'ros1'
        [attachment] = reader.iter_attachments()
        assert (attachment.log_time, attachment.create_time) == (5, 6)
        assert (attachment.name, attachment.data) == ('calibration.json', b'{}' * 1000)
        [metadata] = reader.iter_metadata()
        assert (metadata.name, metadata.metadata) == ('vehicle', {'name': 'r2', 'empty': ''})
        assert reader.get_summary().statistics.attachment_count == 1
    about = read_metadata(salvaged.path / 'metadata.yaml')['topics_with_message_count'][0]
    assert about['topic_metadata']['serialization_format'] == 'ros1'
    assert readable(salvaged.path) == list(range(50))
