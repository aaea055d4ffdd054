# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Messages that arrive before the definition of their type is known."""
from __future__ import annotations

import shutil
import time
from dataclasses import replace

import pytest
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader

from active_collection.episode import Outcome
from active_collection.recording import held_messages
from active_collection.recording.definitions import Definition
from active_collection.recording.messages import Topic
from active_collection.recording.qos import Qos
from active_collection.recording.salvage.path import salvage_path
from active_collection.recording.verify import verify

HASH = f'RIHS01_{"7" * 64}'
TYPE = 'std_msgs/msg/String'
UNKNOWN = Topic('/late', Definition(TYPE, type_hash=HASH), (Qos(),), is_awaited=True)
KNOWN = replace(UNKNOWN, is_awaited=False,
                definition=Definition(TYPE, 'ros2msg', 'string of_the_publisher\n', HASH))
GIVEN_UP = replace(UNKNOWN, is_awaited=False)
LATCHED = Qos(durability='transient_local')


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def finish(bench):
    return bench.recorder.finish('e1', outcome=Outcome.SUCCESS)


def schemas(path):
    """Return topic to the text of its schema, of every file of a bag; None without one."""
    texts = {}
    for file_path in path.glob('*.mcap'):
        with file_path.open('rb') as file:
            for schema, channel, _ in make_reader(file).iter_messages():
                texts.setdefault(channel.topic, set()).add(schema and schema.data.decode())
    return texts


@pytest.mark.parametrize('split_bytes', [0, 10_000])
def test_messages_wait_for_the_definition_of_their_publisher(make_bench, split_bytes):
    bench = make_bench(split_bytes=split_bytes, chunk_bytes=1024)
    bench.add_topic('/a')
    bench.recorder.intake.add_topic(UNKNOWN)
    bench.start(episode_id='e1')
    bench.send('/late', count=5)
    bench.send('/a', bytes(20_000), count=3)
    wait_for(lambda: bench.recorder.snapshot().topics[0].written >= 2)
    assert bench.recorder.snapshot().topics[1].written == 0
    bench.recorder.intake.add_topic(KNOWN)
    bench.send('/late', count=5)
    record = finish(bench)
    assert schemas(bench.last_path)['/late'] == {'string of_the_publisher\n'}
    assert [(t.received, t.written, t.dropped) for t in record.topics] == [(3, 3, 0), (10, 10, 0)]
    assert 'topics_without_definition' not in record.tags
    assert verify(bench.last_path) == []
    with Reader(bench.last_path) as reader:
        stamps = [ns for connection, ns, _ in reader.messages() if connection.topic == '/late']
    assert len(stamps) == 10 and stamps == sorted(stamps)


def test_definition_that_nobody_tells_costs_no_message_and_the_record_says_so(bench):
    bench.recorder.intake.add_topic(UNKNOWN)
    bench.start(episode_id='e1')
    bench.send('/late', count=5)
    bench.recorder.intake.add_topic(GIVEN_UP)
    bench.send('/late', count=5)
    record = finish(bench)
    assert record.topics[0].written == 10
    assert record.tags['topics_without_definition'] == '/late'
    assert schemas(bench.last_path)['/late'] == {None}


def test_episode_that_ends_before_the_answer_keeps_what_waits(bench):
    bench.recorder.intake.add_topic(UNKNOWN)
    bench.start(episode_id='e1')
    bench.send('/late', count=5)
    record = finish(bench)
    assert (record.topics[0].written, record.topics[0].dropped) == (5, 0)
    assert record.tags['topics_without_definition'] == '/late'


def test_messages_wait_no_longer_than_is_safe(bench):
    bench.recorder.intake.add_topic(UNKNOWN)
    bench.start(episode_id='e1')
    bench.send('/late', count=5)

    def is_written_with_time():
        bench.clock.pass_s(held_messages.LONGEST_S / 10)
        return bench.recorder.snapshot().topics[0].written == 5

    wait_for(is_written_with_time)
    bench.recorder.intake.add_topic(KNOWN)
    bench.send('/late', count=5)
    record = finish(bench)
    assert record.topics[0].written == 10
    assert record.tags['topics_without_definition'] == '/late'


def test_messages_that_wait_take_no_more_memory_than_is_theirs(make_bench, monkeypatch):
    monkeypatch.setattr(held_messages, 'MOST_BYTES', 1_000_000)
    bench = make_bench()
    bench.recorder.intake.add_topic(UNKNOWN)
    bench.start(episode_id='e1')
    bench.send('/late', bytes(100_000), count=30)
    wait_for(lambda: bench.recorder.snapshot().topics[0].written >= 10)
    assert finish(bench).topics[0].written == 30


def test_latched_message_that_waited_opens_later_files_too(make_bench):
    bench = make_bench(split_bytes=10_000, chunk_bytes=1024)
    bench.recorder.intake.add_topic(replace(UNKNOWN, qos=(LATCHED,)))
    bench.add_topic('/a')
    bench.send('/late')
    bench.start(episode_id='e1')
    bench.recorder.intake.add_topic(replace(KNOWN, qos=(LATCHED,)))
    bench.send('/a', bytes(20_000), count=3)
    record = finish(bench)
    assert {t.topic: t.written for t in record.topics} == {'/a': 3, '/late': 1}
    assert len(list(bench.last_path.glob('*.mcap'))) > 1
    assert schemas(bench.last_path)['/late'] == {'string of_the_publisher\n'}
    with Reader(bench.last_path) as reader:
        assert reader.message_count > 4


def test_two_releases_of_a_type_in_one_bag_keep_a_schema_each(bench):
    bench.add_topic('/a')
    bench.recorder.intake.add_topic(KNOWN)
    bench.start(episode_id='e1')
    for topic in ('/a', '/late', '/a'):
        bench.send(topic)
    finish(bench)
    assert schemas(bench.last_path) == {
        '/a': {'string data\n'}, '/late': {'string of_the_publisher\n'}}


def test_salvaged_record_names_topics_without_definition_too(bench, tmp_path):
    bench.recorder.intake.add_topic(GIVEN_UP)
    bench.start(episode_id='e1')
    bench.send('/late', count=5)

    def is_written_with_time():
        bench.clock.pass_s(0.3)
        return bench.recorder.snapshot().topics[0].written == 5

    wait_for(is_written_with_time)
    left = tmp_path / 'left' / 'e1.recording'
    shutil.copytree(bench.last_path, left)
    record = salvage_path(left).record
    assert record.tags['topics_without_definition'] == '/late'
    assert record.topics[0].written == 5
