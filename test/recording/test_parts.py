# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The small parts of a recorder, each by itself."""
from __future__ import annotations

import math
import os
import threading

import pytest
import yaml
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore

from active_collection.config import load
from active_collection.config import validate
from active_collection.episode import TopicStatistics
from active_collection.errors import ConfigError
from active_collection.recording.background_sync import BackgroundSync
from active_collection.recording.definitions import SEPARATOR
from active_collection.recording.definitions import Definition
from active_collection.recording.definitions import Definitions
from active_collection.recording.definitions import from_sources
from active_collection.recording.health import skewed_topics
from active_collection.recording.health import slow_topics
from active_collection.recording.latched import LatchedMessages
from active_collection.recording.message_queue import MessageQueue
from active_collection.recording.messages import Message
from active_collection.recording.pace import Pace
from active_collection.recording.pace import Samples
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.stamps import header_stamp_ns
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


def test_who_acts_is_recorded_whatever_topics_are_chosen():
    settings = {'topics': ('camera',), 'exclude': ('.*',)}
    assert selection(**settings).wants('/robot_1/actor')
    assert selection(**settings, actor_topic='/cell/actor').wants('/cell/actor')
    assert not selection(**settings, actor_topic='').wants('/robot_1/actor')


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
    def topic(name, received, rate=100.0, gap=0.01):
        return TopicStatistics(name, 't', received=received, expected_rate=rate, largest_gap=gap)

    topics = [topic('/slow', 50), topic('/gap', 1000, gap=0.5), topic('/good', 990),
              topic('/learned', 50), topic('/learned_gap', 50, gap=0.5), topic('/ended', 900),
              topic('/event', 3, rate=0.0, gap=5.0)]
    configured = dict.fromkeys(('/slow', '/gap', '/good', '/missing', '/ended'), 100.0)
    problems = slow_topics(topics, configured, 10.0, {'/ended': 2.0, '/event': 4.0})
    assert [problem.split(':')[0] for problem in problems] == [
        '/missing', '/slow', '/gap', '/learned_gap', '/ended']
    assert 'silent for 2.000 s, 100 Hz expected' in problems[-1]
    assert slow_topics(topics, configured, 0.5, {}) == []


def test_clocks_that_are_off_are_named():
    topics = [TopicStatistics(f'/{skew}', 't', clock_skew=skew)
              for skew in (-2.0, 0.02, 3600.0, math.nan)]
    delays_s = {'/ahead': -3.0, '/good': 0.001, '/behind': 40.0}
    names = [problem.split(':')[0] for problem in skewed_topics(topics, delays_s)]
    assert names == ['/-2.0', '/3600.0', '/ahead', '/behind']


def test_pace_is_learned_from_regular_topics_only():
    regular, events, few = Pace(), Pace(), Pace()
    for index in range(200):
        regular.arrived(10**9 + index * 20_000_000 + (index % 3) * 1_000_000)
        events.arrived(10**9 + index // 4 * 10**9 + index % 4 * 1_000_000)
    for index in range(5):
        few.arrived(10**9 + index * 10_000_000)
    assert regular.rate() == pytest.approx(50, rel=0.1)
    assert events.rate() == few.rate() == 0


def test_a_pause_or_a_clock_that_was_set_back_does_not_change_the_pace():
    pace = Pace()
    for start_ns in (10**12, 10**10, 10**13):
        for index in range(20):
            pace.arrived(start_ns + index * 10_000_000)
    assert pace.rate() == pytest.approx(100)


def test_samples_for_a_median_are_spread_over_all_values_in_bounded_memory():
    samples = Samples(limit=64)
    for value in range(100_000):
        if samples.is_due():
            samples.add(float(value))
    assert samples.median() == pytest.approx(50_000, rel=0.1)
    assert len(samples._kept) < 64
    assert math.isnan(Samples().median())


@settings(deadline=None)  # the first example builds the type store
@given(seconds=st.integers(-2**31, 2**31 - 1), nanoseconds=st.integers(0, 10**9 - 1))
def test_stamp_is_read_as_the_serializer_wrote_it(seconds, nanoseconds):
    types = get_typestore(Stores.ROS2_JAZZY)
    kind = types.types
    message = kind['sensor_msgs/msg/TimeReference'](
        kind['std_msgs/msg/Header'](
            kind['builtin_interfaces/msg/Time'](seconds, nanoseconds), 'frame'),
        kind['builtin_interfaces/msg/Time'](1, 2), 'source')
    for little_endian in (True, False):
        data = bytes(types.serialize_cdr(
            message, 'sensor_msgs/msg/TimeReference', little_endian=little_endian))
        expected = seconds * 10**9 + nanoseconds
        assert header_stamp_ns(data) == (expected if (seconds, nanoseconds) != (0, 0) else None)


@pytest.mark.parametrize('data', [b'', b'\0\1\0\0', bytes(12), b'\0\1\0\0' + b'\xff' * 8])
def test_bytes_without_a_stamp_have_none(data):
    assert header_stamp_ns(data) is None


@pytest.mark.parametrize(('text', 'expected'), [
    ('std_msgs/Header header\nint32 x\n', True), ('# A comment\n\nHeader header # here\n', True),
    ('int32 A=1\nstring B = "x y"\nstd_msgs/msg/Header h\n', True),
    ('int32 x\nstd_msgs/Header header\n', False), ('', False),
    (f'other/Type a\n{SEPARATOR}MSG: other/Type\nstd_msgs/Header header\n', False)])
def test_types_that_begin_with_a_header_are_told(text, expected):
    assert Definition('a/msg/B', 'ros2msg', text).begins_with_header is expected


def test_definition_is_joined_of_what_a_publishers_node_tells():
    told = {'a/msg/Part': ('msg', 'int32 x\n'), 'a/msg/Whole': ('msg', 'Part part\n')}
    definition = from_sources('a/msg/Whole', 'RIHS01_1', told)
    assert (definition.encoding, definition.type_hash) == ('ros2msg', 'RIHS01_1')
    assert definition.text == f'Part part\n\n{SEPARATOR}MSG: a/Part\nint32 x\n'
    for sources in ({}, {'a/msg/Whole': ('dynamic', '')},
                    {**told, 'a/msg/Part': ('idl', 'struct Part {};')}):
        assert from_sources('a/msg/Whole', 'RIHS01_1', sources).text == ''
