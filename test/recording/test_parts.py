# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The small parts of a recorder, each by itself."""
from __future__ import annotations

import os
import threading

import pytest
import yaml

from active_collection.config import load
from active_collection.config import validate
from active_collection.episode import TopicStatistics
from active_collection.errors import ConfigError
from active_collection.recording.background_sync import BackgroundSync
from active_collection.recording.definitions import Definitions
from active_collection.recording.health import skewed_topics
from active_collection.recording.health import slow_topics
from active_collection.recording.latched import LatchedMessages
from active_collection.recording.message_queue import MessageQueue
from active_collection.recording.messages import Message
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.topics import TopicSelection


def message(topic='/a', data=b'', publisher=b'p'):
    return Message(topic, 0, 0, 0, publisher, data)


def selection(**settings):
    return TopicSelection(
        RecorderSettings(**settings), namespace='/robot_1',
        resolve=lambda name: name if name.startswith('/') else f'/robot_1/{name}')


def test_default_selection_is_the_namespace_and_the_transforms():
    wants = selection().wants
    assert all(map(wants, ('/robot_1/camera/image', '/tf', '/tf_static')))
    assert not any(map(wants, (
        '/robot_10/camera', '/camera', '/robot_1/recorder/status', '/robot_1/episodes',
        '/rosout', '/robot_1/_action/status', '/robot_1/collect/_action/feedback')))


def test_listed_topics_are_recorded_whatever_is_excluded():
    chosen = selection(topics=('camera', '/rosout'), regex='/arm/.*', exclude=('.*out', '.*/x'))
    assert all(map(chosen.wants, ('/robot_1/camera', '/rosout', '/arm/joint')))
    assert not any(map(chosen.wants, ('/robot_1/other', '/arm/x', '/tf', '/stdout')))


@pytest.mark.parametrize('settings', [
    {'regex': '('}, {'exclude': ('[',)}, {'topic_compression': ('.*=gzip',)},
    {'topic_compression': ('zstd',)}, {'expected_rates': ('a=0',)}, {'expected_rates': ('a',)},
    {'pre_roll_s': 1, 'queue_bytes': 2**20}, {'data_directory': 'a\0b'}, {'data_directory': ''},
    {'retention': {'outcomes': ['lost']}}, {'sync': 'sometimes'}, {'retain': 1}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ConfigError, match='recorder'):
        validate(settings, RecorderSettings, where='recorder')


def test_example_configuration_is_the_default(pytestconfig, tmp_path):
    text = (pytestconfig.rootpath / 'config' / 'recorder.yaml').read_text()
    values = yaml.safe_load(text)['/**']['ros__parameters']
    (tmp_path / 'settings.yaml').write_text(yaml.safe_dump(values))
    assert load(tmp_path / 'settings.yaml', RecorderSettings) == RecorderSettings()
    assert set(values) == set(RecorderSettings.model_fields)


def test_queue_is_bounded_in_bytes_with_what_is_being_written():
    queue = MessageQueue(max_bytes=3000, max_messages=100)
    assert queue.put(message(data=bytes(1200)))
    assert queue.put(message(data=bytes(1200)))
    assert not queue.put(message(data=bytes(1)))
    assert len(queue.take(0)) == 2 and queue.fill == 1.0
    assert not queue.put(message(data=bytes(1)))
    assert queue.take(0) == [] and queue.fill == 0
    assert queue.put(message(data=bytes(10_000))), 'one message is let through whatever its size'
    queue.close()
    assert not queue.put(message()) and len(queue.take(0)) == 1 and queue.take(1) == []


def test_queue_wakes_whoever_waits():
    queue = MessageQueue(max_bytes=3000, max_messages=100)
    taken = []
    thread = threading.Thread(target=lambda: taken.extend(queue.take(30)))
    thread.start()
    queue.put(message())
    thread.join(10)
    assert len(taken) == 1


def test_latched_messages_are_bounded_in_depth_and_bytes():
    latched = LatchedMessages(depth=1, max_bytes=1000)
    for index in range(200):
        latched.remember(message('/tf_static', b'%d' % index))
        latched.remember(message('/a', b'%d' % index))
    assert len([m for m in latched.messages() if m.topic == '/tf_static']) == 100
    assert [m.data for m in latched.messages() if m.topic == '/a'] == [b'199']
    latched.remember(message('/b', bytes(900)))
    assert {m.topic for m in latched.messages()} == {'/a', '/b'}


def test_definitions_hold_every_type_within(tmp_path):
    share = tmp_path / 'share'
    for name, text in {
            'a/msg/Outer': 'Inner[3] inner  # b/Not\nb/Other[<=2] other\nstring<=5 s\n'
                           'int32 X=1\nHeader header\n',
            'a/msg/Inner': 'float64[] values\n', 'b/msg/Other': 'a/msg/Inner again\n',
            'std_msgs/msg/Header': 'string frame_id\n'}.items():
        path = share / f'{name}.msg'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (share / 'a/msg/Outer.json').write_text(
        '{"type_hashes": [{"type_name": "a/msg/Outer", "hash_string": "RIHS01_ab"}]}')
    definition = Definitions([tmp_path / 'none', tmp_path]).get('a/msg/Outer')
    assert (definition.encoding, definition.type_hash) == ('ros2msg', 'RIHS01_ab')
    headings = [line for line in definition.text.splitlines() if line.startswith('MSG: ')]
    assert headings == ['MSG: a/Inner', 'MSG: b/Other', 'MSG: std_msgs/Header']
    (share / 'b/msg/Other.msg').unlink()
    assert Definitions([tmp_path]).get('a/msg/Outer').text == ''
    assert Definitions([tmp_path]).get('../../etc/passwd').text == ''


def test_background_sync_reports_what_failed():
    sync = BackgroundSync()
    ends = os.pipe()  # cannot be synced
    sync.request(ends[1])
    with pytest.raises(OSError):
        sync.close()
    for end in ends:
        os.close(end)


def test_slow_silent_and_interrupted_topics_are_named():
    topics = [TopicStatistics('/slow', 't', received=50), TopicStatistics(
        '/gap', 't', received=1000, largest_gap=0.5), TopicStatistics('/good', 't', received=990)]
    expected = dict.fromkeys(('/slow', '/gap', '/good', '/silent'), 100.0)
    problems = slow_topics(topics, expected, 10.0)
    assert [problem.split(':')[0] for problem in problems] == ['/slow', '/gap', '/silent']
    assert slow_topics(topics, expected, 0.5) == []


def test_clocks_that_are_off_are_named():
    assert len(skewed_topics({'/ahead': -3.0, '/good': 0.001, '/behind': 40.0})) == 2
