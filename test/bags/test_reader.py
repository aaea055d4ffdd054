# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

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
from rosbags.rosbag2 import Writer

from active_collection.bags.reader import TopicInfo
from active_collection.bags.reader import open_bag
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import BagError
from active_collection.mcap.records import Schema
from active_collection.mcap.writer import McapFile
from active_collection.scenario import Scenario

KINDS = [('mcap', 'none'), ('mcap', 'storage'), ('mcap', 'message'), ('mcap', 'file'),
         ('sqlite3', 'none'), ('sqlite3', 'message'), ('sqlite3', 'file')]
RECORD = EpisodeRecord('e1', Scenario('reach', 'lab'), 'robot_1', Source.SCRIPTED, START_NS,
                       START_NS + 10**9, Outcome.SUCCESS)


def entries(count: int = 5):
    frames = camera(count)
    states = [('/joint_states', ns, joints(ns)) for _, ns, _ in frames]
    return sorted([*frames, *states], key=lambda e: (e[1], e[0]))


@pytest.mark.parametrize(('storage', 'compression'), KINDS)
def test_every_storage_and_compression_reads_the_same(tmp_path, storage, compression):
    path = write_bag(tmp_path / 'bag', entries(), storage=storage, compression=compression,
                     record=RECORD)
    with open_bag(path) as bag:
        assert bag.topics == {'/camera/image_raw': TopicInfo('sensor_msgs/msg/Image', 5),
                              '/joint_states': TopicInfo('sensor_msgs/msg/JointState', 5)}
        assert bag.episode == RECORD
        messages = list(bag.messages(['/camera/image_raw']))
        assert [m.receive_ns for m in messages] == [ns for _, ns, _ in camera(5)]
        assert bag.start_ns == messages[0].receive_ns
        assert bag.stop_ns == messages[-1].receive_ns + 1
        for number, message in enumerate(messages):
            assert np.array_equal(message.decode().data, scene(number).reshape(-1))


def test_a_storage_file_alone_reads_like_its_directory(tmp_path):
    mcap = write_bag(tmp_path / 'a', entries(), record=RECORD) / 'a.mcap'
    db3 = write_bag(tmp_path / 'b', entries(), storage='sqlite3') / 'b.db3'
    for path in (mcap, db3):
        with open_bag(path) as bag:
            assert len(list(bag.messages())) == 10
            assert next(iter(bag.messages())).decode().header.frame_id == 'camera'
    with open_bag(mcap) as bag:
        assert bag.episode == RECORD
    with open_bag(db3) as bag:
        assert bag.episode is None


@pytest.mark.parametrize('compression', ['none', 'bz2', 'lz4'])
def test_rosbag1_reads_with_ros2_type_names(tmp_path, compression):
    frames = [('/camera/image_raw', START_NS + i, image(scene(i), ros1=True)) for i in range(3)]
    with open_bag(write_bag1(tmp_path / 'a.bag', frames, compression=compression)) as bag:
        assert bag.topics == {'/camera/image_raw': TopicInfo('sensor_msgs/msg/Image', 3)}
        assert bag.episode is None
        decoded = [m.decode() for m in bag.messages()]
    assert [d.header.seq for d in decoded] == [0, 0, 0]
    assert np.array_equal(decoded[2].data, scene(2).reshape(-1))


def test_start_is_inclusive_and_stop_exclusive(tmp_path):
    path = write_bag(tmp_path / 'bag', entries())
    times = [ns for _, ns, _ in camera(5)]
    with open_bag(path) as bag:
        got = [m.receive_ns for m in bag.messages(
            ['/camera/image_raw'], start_ns=times[1], stop_ns=times[3])]
    assert got == times[1:3]


def test_messages_of_one_instant_differ_in_sequence(tmp_path):
    frames = [('/camera/image_raw', START_NS + i // 2, image(scene(i))) for i in range(4)]
    with open_bag(write_bag(tmp_path / 'bag', frames)) as bag:
        keys = [(m.receive_ns - START_NS, m.sequence) for m in bag.messages()]
    assert keys == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_bag_without_messages_opens(tmp_path):
    with open_bag(write_bag(tmp_path / 'bag', [])) as bag:
        assert bag.topics == {}
        assert list(bag.messages()) == []
        assert (bag.start_ns, bag.stop_ns) == (0, 0)


def test_an_unknown_type_is_refused_only_where_it_is_decoded(tmp_path):
    path = tmp_path / 'bag'
    with Writer(path, version=9) as writer:
        good = writer.add_connection('/joint_states', joints().__msgtype__, typestore=STORE)
        writer.write(good, START_NS, STORE.serialize_cdr(joints(), joints().__msgtype__))
    metadata = path / 'metadata.yaml'
    database = path / 'bag.db3'
    import sqlite3
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE topics SET type = 'nobody_msgs/msg/Nothing'")
        connection.execute('DELETE FROM message_definitions')
    metadata.write_text(metadata.read_text().replace(
        'sensor_msgs/msg/JointState', 'nobody_msgs/msg/Nothing'))
    with open_bag(path) as bag:
        message = next(bag.messages())
        with pytest.raises(BagError, match='nobody_msgs/msg/Nothing'):
            message.decode()


def read_all(path: Path) -> None:
    with open_bag(path) as bag:
        for message in bag.messages():
            message.decode()


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3', 'bag'])
@pytest.mark.parametrize('keep', [0, 1, 20, 0.3, 0.9])
def test_a_truncated_file_is_a_bag_error_of_one_line(tmp_path, storage, keep):
    if storage == 'bag':
        frames = [('/c', START_NS + i, image(scene(i), ros1=True)) for i in range(9)]
        file = write_bag1(tmp_path / 'a.bag', frames)
    else:
        suffix = 'mcap' if storage == 'mcap' else 'db3'
        file = write_bag(tmp_path / 'bag', camera(9), storage=storage) / f'bag.{suffix}'
    data = file.read_bytes()
    file.write_bytes(data[:keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(BagError) as caught:
        read_all(file)
    assert '\n' not in str(caught.value)
    assert file.name in str(caught.value)


@pytest.mark.parametrize(('name', 'content'), [
    ('a.mcap', b'no mcap at all, but long enough to have a footer and more of it'),
    ('a.db3', b'no database'), ('a.bag', b'#ROSBAG V1.2\n'), ('a.txt', b'text')])
def test_what_is_no_bag_is_a_bag_error(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BagError, match=name):
        open_bag(tmp_path / name)


def test_missing_and_empty_directories_are_bag_errors(tmp_path):
    with pytest.raises(BagError, match='nothing'):
        open_bag(tmp_path / 'none.mcap')
    with pytest.raises(BagError, match=r'metadata\.yaml'):
        open_bag(tmp_path)


def test_a_missing_split_file_is_a_bag_error(tmp_path):
    path = write_bag(tmp_path / 'bag', entries())
    (path / 'bag.mcap').unlink()
    with pytest.raises(BagError, match=r'bag\.mcap'):
        open_bag(path)


def test_bytes_that_do_not_fit_their_type_are_refused_by_decode(tmp_path):
    path = tmp_path / 'bag'
    with Writer(path, version=9) as writer:
        connection = writer.add_connection('/c', 'sensor_msgs/msg/Image', typestore=STORE)
        writer.write(connection, START_NS, b'\x00\x01\x00\x00\xff\xff')
    with open_bag(path) as bag, pytest.raises(BagError, match='/c at'):
        next(bag.messages()).decode()


def test_closing_twice_does_nothing(tmp_path):
    bag = open_bag(write_bag(Path(tmp_path) / 'bag', entries()))
    bag.close()
    bag.close()


def written_by_another(path, text, *, name='std_msgs/msg/String',
                       data=b'\0\1\0\0\3\0\0\0ab\0'):
    """Write one message of a type whose definition another writer has put down."""
    file = McapFile(path, chunk_bytes=1000)
    channel = file.add_channel('/a', Schema(0, name, 'ros2msg', text), metadata={})
    file.write(channel, log_ns=1, publish_ns=1, sequence=0, data=data)
    file.finish()
    return path


@pytest.mark.parametrize('text', [
    'string data\r\n', 'string data\r', '# words\r\nstring data\r\n\r\n' + '=' * 80
    + '\r\nMSG: std_msgs/Header\r\nstring frame_id\r\n', '', '\n'])
def test_definitions_with_other_line_ends_or_left_out_are_read(tmp_path, text):
    with open_bag(written_by_another(tmp_path / 'a.mcap', text)) as bag:
        message = next(bag.messages())
        assert message.decode().data == 'ab'
        definition = message.definition().definition
    assert 'string data\n' in definition and '\r' not in definition


def test_a_type_of_ones_own_may_be_empty(tmp_path):
    path = written_by_another(
        tmp_path / 'a.mcap', '', name='mine/msg/Nothing', data=b'\0\1\0\0\0')
    with open_bag(path) as bag:
        assert next(bag.messages()).decode().__msgtype__ == 'mine/msg/Nothing'
