# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A recorder on a machine with another release of a message package than the publishers'."""
from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.srv import StartEpisode
from mcap.reader import make_reader
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from recorder_peers import recorders
from recorder_peers import wait_for
from std_msgs.msg import String

from active_collection.bags.episodes import read_record
from active_collection.nodes import qos
from active_collection.recording.verify import verify


@pytest.fixture
def recorder(peer, tmp_path, monkeypatch):
    """Start recorders whose std_msgs is another release than the publishers'."""
    share = tmp_path / 'prefix' / 'share' / 'std_msgs' / 'msg'
    share.mkdir(parents=True)
    (share / 'String.msg').write_text('int32 not_the_publishers\n')
    (share / 'String.json').write_text(json.dumps({'type_hashes': [
        {'type_name': 'std_msgs/msg/String', 'hash_string': f'RIHS01_{"0" * 64}'}]}))
    prefixes = os.environ['AMENT_PREFIX_PATH']
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{tmp_path / "prefix"}:{prefixes}')
    with recorders(peer, tmp_path / 'data') as start:
        yield start


def told_hash(peer, topic):
    [publisher] = peer.get_publishers_info_by_topic(f'{peer.get_namespace()}/{topic}')
    return f'RIHS01_{publisher.topic_type_hash.value.hex()}'


def contents(path):
    """Return schema and channel of every message of a bag."""
    with next(path.glob('*.mcap')).open('rb') as file:
        return [(schema, channel) for schema, channel, _ in make_reader(file).iter_messages()]


def assert_publishers(path, told, messages):
    stored = contents(path)
    assert len(stored) == messages and verify(path) == []
    for schema, channel in stored:
        assert 'string data' in schema.data.decode() and b'not_the' not in schema.data
        assert channel.metadata['topic_type_hash'] == told


def test_schema_is_that_of_the_publisher(peer, recorder, tmp_path):
    recorder(required_topics='["text"]')
    publisher = peer.create_publisher(String, 'text', qos.STATE)
    told = told_hash(peer, 'text')
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    publisher.publish(String(data='x'))
    answer = peer.finish('e1')
    assert_publishers(tmp_path / 'data' / answer.episode.path, told, 1)


@pytest.mark.parametrize('latched', [False, True])
def test_schema_is_that_of_a_publisher_that_appears_and_publishes_while_recording(
        peer, recorder, tmp_path, latched):
    recorder()
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    publisher = peer.create_publisher(String, 'text', qos.LATCHED if latched else qos.STATE)
    told = told_hash(peer, 'text')

    def arrives():
        publisher.publish(String(data='x'))
        return any(topic.received for topic in peer.statuses[-1].topics)

    wait_for(arrives, 'the first message')
    answer = peer.finish('e1')
    [topic] = [t for t in answer.episode.topics if t.topic.endswith('/text')]
    assert topic.written == topic.received > 0
    assert_publishers(tmp_path / 'data' / answer.episode.path, told, topic.written)


def test_publisher_that_cannot_be_asked_costs_no_message_and_the_record_says_so(
        peer, recorder, tmp_path):
    silent = Node('silent', namespace=peer.get_namespace(), parameter_overrides=[
        Parameter('start_type_description_service', value=False)])
    executor = SingleThreadedExecutor()
    executor.add_node(silent)
    try:
        publisher = silent.create_publisher(String, 'text', qos.STATE)
        recorder(required_topics='["text"]')
        assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
        for _ in range(5):
            publisher.publish(String(data='x'))
        answer = peer.finish('e1')
        path = tmp_path / 'data' / answer.episode.path
        assert [schema for schema, _ in contents(path)] == [None] * 5
        told = read_record(path).tags['topics_without_definition']
        assert told == f'{peer.get_namespace()}/text'
        wait_for(lambda: any('does not tell it' in text for _, text in peer.complaints()),
                 'the complaint')
    finally:
        executor.shutdown()
        silent.destroy_node()
