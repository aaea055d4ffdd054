# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is left of a bag whose recorder died becomes a whole bag."""
from __future__ import annotations

import random
import threading

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

from active_collection.bags.episodes import read_record
from active_collection.cli import main as command_line
from active_collection.episode import Outcome
from active_collection.episode import StopReason
from active_collection.errors import RecordingError
from active_collection.recording.definitions import Definition
from active_collection.recording.mcap_file import McapFile
from active_collection.recording.mcap_records import MAGIC
from active_collection.recording.salvage import salvage_file
from active_collection.recording.salvage_store import salvage_abandoned
from active_collection.recording.salvage_store import salvage_path
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
    channel = file.add_channel('/a', STRING)
    for index in range(200):
        file.write(channel, log_ns=index, publish_ns=index, sequence=index, data=bytes(100))
    file.finish()
    with path.open('rb') as opened:
        chunks = make_reader(opened).get_summary().chunk_indexes
    ends = [(c.chunk_start_offset + c.chunk_length, c.message_end_time + 1) for c in chunks]
    return path.read_bytes(), ends


def test_file_cut_anywhere_keeps_all_chunks_before_the_cut(whole_file, tmp_path_factory):
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
        assert kept.file.messages == max((m for end, m in ends if end <= cut), default=0)
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
