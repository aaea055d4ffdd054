# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The recorder as a process of its own, over real DDS."""
from __future__ import annotations

import os
import signal
import sys
import time
from array import array
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Episode
from active_collection.msg import RecorderStatus
from active_collection.msg import Scenario
from active_collection.msg import UncertaintyEstimate
from active_collection.srv import AmendEpisode
from active_collection.srv import FinishEpisode
from active_collection.srv import StartEpisode
from mcap.reader import make_reader
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from recorder_peers import LATCHED
from recorder_peers import stored
from recorder_peers import wait_for
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore
from sensor_msgs.msg import Image
from sensor_msgs.msg import JointState
from shape_msgs.msg import Plane
from std_msgs.msg import String

from active_collection.bags.episodes import read_record
from active_collection.nodes import qos

PIXELS = array('B', bytes(640 * 480 * 3))


def test_records_what_is_published_from_start_to_finish(peer, recorder, tmp_path):
    recorder(required_topics='["joint_states"]')
    joints = peer.create_publisher(JointState, 'joint_states', QoSProfile(depth=1000))
    camera = peer.create_publisher(Image, 'camera/image_raw', qos.SENSOR)
    description = peer.create_publisher(String, 'robot_description', LATCHED)
    description.publish(String(data='<robot/>'))
    estimates = peer.create_publisher(UncertaintyEstimate, 'uncertainty/estimate', qos.STATE)

    answer = peer.start('e1', operator_name='ann')
    assert (answer.code, answer.message) == (StartEpisode.Response.ACCEPTED, '')
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    assert peer.start('e2').code == StartEpisode.Response.BUSY
    for step in range(200):
        joints.publish(JointState(name=['a'], position=[float(step)]))
        if step % 10 == 0:
            camera.publish(Image(height=480, width=640, step=1920, data=PIXELS))
    wait_for(lambda: estimates.get_subscription_count() >= 1, 'the uncertainty subscription')
    estimate = UncertaintyEstimate()
    estimate.episode.episode_id, estimate.episode.steps = 'e1', 7
    estimates.publish(estimate)
    wait_for(lambda: any(s.state == RecorderStatus.RECORDING and s.messages > 200
                         for s in peer.statuses),
             lambda: f'a status with messages: {peer.statuses[-1]}')
    answer = peer.finish('e1', notes='good')

    assert answer.code == FinishEpisode.Response.ACCEPTED, answer.message
    path = tmp_path / 'data' / answer.episode.path
    record = read_record(path)
    topics = {t.topic.rpartition('/')[2]: t for t in record.topics}
    assert (topics['joint_states'].written, topics['joint_states'].lost) == (200, 0)
    assert topics['image_raw'].received + topics['image_raw'].lost <= 20
    assert topics['robot_description'].written == 1
    assert record.uncertainty.steps == 7 and record.operator == 'ann'
    assert record.robot == peer.get_namespace().strip('/')
    types = get_typestore(Stores.ROS2_KILTED if hasattr(Stores, 'ROS2_KILTED')
                          else Stores.ROS2_JAZZY)
    with Reader(path) as reader:
        for connection in reader.connections:
            if connection.msgtype.startswith(('sensor_msgs', 'std_msgs')):
                assert connection.digest == types.hash_rihs01(connection.msgtype)
    raw = [raw for topic, _, raw in stored(path) if topic.endswith('joint_states')]
    positions = [types.deserialize_cdr(r, 'sensor_msgs/msg/JointState').position[0] for r in raw]
    assert positions == [float(step) for step in range(200)]
    with next(path.glob('*.mcap')).open('rb') as file:
        reader = make_reader(file, validate_crcs=True)
        assert sum(1 for _ in reader.iter_messages()) == sum(t.written for t in record.topics)
        schemas = {s.name: s.data.decode() for s in reader.get_summary().schemas.values()}
        assert 'MSG: std_msgs/Header' in schemas['sensor_msgs/msg/JointState']
    wait_for(lambda: [e.state for e in peer.episodes] == [Episode.RECORDING, Episode.CLOSED],
             'both episode messages')
    again = peer.finish('e1', outcome=Episode.FAILURE)
    assert again.episode.outcome == Episode.SUCCESS
    amended = peer.call(AmendEpisode, episode_id='e1', outcome=Episode.DISCARDED, author='ann')
    assert amended.episode.outcome == Episode.DISCARDED
    assert amended.episode.revision == again.episode.revision + 1
    assert peer.start('e1').code == StartEpisode.Response.DUPLICATE


def test_required_topics_are_waited_for_and_named(peer, recorder):
    recorder(required_topics='["joint_states", "camera"]', match_timeout_s=0.5)
    publisher = peer.create_publisher(JointState, 'joint_states', qos.STATE)
    answer = peer.start('e1')
    assert answer.code == StartEpisode.Response.MISSING_TOPICS
    assert answer.missing_topics == [f'{peer.get_namespace()}/camera']
    answer = peer.start('e1', allow_missing_topics=True)
    assert answer.code == StartEpisode.Response.ACCEPTED
    assert answer.missing_topics == [f'{peer.get_namespace()}/camera']
    publisher.publish(JointState())
    assert peer.finish('e1').code == FinishEpisode.Response.ACCEPTED


def test_weaker_publisher_that_comes_later_is_recorded(peer, recorder, tmp_path):
    recorder()
    strong = peer.create_publisher(String, 'state', LATCHED)
    strong.publish(String(data='latched'))
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    weak = peer.create_publisher(
        String, 'state', QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT))
    late = peer.create_publisher(String, 'late', QoSProfile(depth=10))

    def is_recorded():
        # A volatile publisher's first messages may go out before the other side has matched it.
        weak.publish(String(data='weak'))
        late.publish(String(data='late'))
        texts = {t.topic.rpartition('/')[2]: t.received for t in peer.statuses[-1].topics}
        return texts.get('late', 0) >= 1 and texts.get('state', 0) >= 2

    wait_for(is_recorded, 'the weak and the late publisher')
    strong.publish(String(data='once'))
    answer = peer.finish('e1')
    bag = stored(tmp_path / 'data' / answer.episode.path)
    texts = [raw[8:].split(b'\0')[0] for _, _, raw in bag]
    assert set(texts) == {b'late', b'latched', b'once', b'weak'}
    assert texts.count(b'latched') == texts.count(b'once') == 1


def test_what_the_middleware_loses_is_counted(peer, recorder, tmp_path):
    recorder(required_topics='["text"]')
    # A history of one: of a burst, most is overwritten before it is sent.
    publisher = peer.create_publisher(String, 'text', QoSProfile(depth=1))
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    for _ in range(300):
        publisher.publish(String(data='x' * 50_000))
    publisher.wait_for_all_acked()
    answer = peer.finish('e1')
    path = tmp_path / 'data' / answer.episode.path
    [topic] = read_record(path).topics
    with next(path.glob('*.mcap')).open('rb') as file:
        first = next(message.sequence for _, _, message in make_reader(file).iter_messages())
    # What a publisher has sent before its first message that arrives cannot be known to be lost.
    assert topic.received + topic.lost == 300 - (first - 1)
    assert topic.written == topic.received and answer.episode.has_losses == (topic.lost > 0)


@pytest.mark.parametrize('number', [
    signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_closes_the_open_episode(peer, recorder, tmp_path, number):
    process = recorder()
    publisher = peer.create_publisher(String, 'text', qos.STATE)
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    for _ in range(50):
        publisher.publish(String(data='x'))
    began = time.monotonic()
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and time.monotonic() - began < 5, output
    assert 'Traceback' not in output
    [path] = (tmp_path / 'data' / 'episodes').glob('*/*')
    record = read_record(path)
    assert (record.outcome.value, record.stop_reason.value) == ('aborted', 'recorder_shutdown')
    assert record.topics[0].written == 50 == len(stored(path))


def test_an_episode_whose_recorder_was_killed_is_salvaged_by_the_next(peer, recorder, tmp_path):
    process = recorder(durable_age_s=0.1)
    publisher = peer.create_publisher(String, 'text', qos.STATE)
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    for _ in range(50):
        publisher.publish(String(data='x'))
    wait_for(lambda: peer.statuses[-1].messages == 50, 'fifty messages in whole chunks')
    process.send_signal(signal.SIGKILL)
    process.communicate()
    peer.episodes.clear()
    recorder()
    wait_for(lambda: peer.episodes, 'the salvaged episode')
    [episode] = peer.episodes
    assert (episode.episode_id, episode.stop_reason) == ('e1', 'salvaged')
    assert (episode.outcome, episode.state) == (Episode.UNKNOWN, Episode.CLOSED)
    assert len(stored(tmp_path / 'data' / episode.path)) == 50
    assert peer.finish('e1').episode.outcome == Episode.SUCCESS
    assert not list((tmp_path / 'data').rglob('*.recording'))


def test_hostile_requests_are_refused_in_one_line(peer, recorder):
    recorder()
    for fields in ({'source': 'ghost'}, {'episode_id': '../x'}, {'episode_id': '🤖' * 2500},
                   {'scenario': Scenario(task='a/b', environment='lab')}):
        answer = peer.start(**fields)
        assert answer.code == StartEpisode.Response.INVALID
        assert answer.message and '\n' not in answer.message
    assert peer.finish('../../etc').code == FinishEpisode.Response.INVALID
    assert peer.finish('never').code == FinishEpisode.Response.UNKNOWN_EPISODE
    assert peer.call(AmendEpisode, episode_id='never').code == (
        AmendEpisode.Response.UNKNOWN_EPISODE)


def test_a_data_directory_that_cannot_be_written_ends_in_one_line(peer, recorder, tmp_path):
    (tmp_path / 'file').write_text('')
    process = recorder(data_directory=tmp_path / 'file')
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2 and output.count('\n') == 1 and 'data_directory' in output


@pytest.mark.parametrize('parameter', [
    'topics', 'required_topics', 'expected_rates', 'uncertainty_topic', 'actor_topic'])
def test_a_topic_name_that_is_none_ends_in_one_line_that_has_it(recorder, parameter):
    value = {'expected_rates': "['not a name=3']", 'uncertainty_topic': "'not a name'",
             'actor_topic': "'not a name'"}
    process = recorder(**{parameter: value.get(parameter, "['not a name']")})
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2 and output.count('\n') == 1 and "'not a name'" in output


def test_garbage_is_recorded_and_unknown_types_are_named(peer, recorder, tmp_path, monkeypatch):
    # given a recorder on a machine that lacks a message package
    stub = tmp_path / 'stub' / 'shape_msgs'
    stub.mkdir(parents=True)
    (stub / '__init__.py').write_text('')
    monkeypatch.setenv('PYTHONPATH', f'{stub.parent}:{os.environ.get("PYTHONPATH", "")}')
    recorder(required_topics='["text"]')
    text = peer.create_publisher(String, 'text', qos.STATE)
    shape = peer.create_publisher(Plane, 'shape', qos.STATE)
    # when garbage and unknown types are published
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    garbage = bytes(range(256)) * 40
    text.publish(garbage)
    shape.publish(Plane())
    wait_for(lambda: any('shape_msgs/msg/Plane is not installed' in message
                         for _, message in peer.complaints()), 'a warning')
    answer = peer.finish('e1')
    # then the bytes are in the bag as they came, and the recorder goes on
    assert [raw for _, _, raw in stored(tmp_path / 'data' / answer.episode.path)] == [garbage]
    assert peer.start('e2').code == StartEpisode.Response.ACCEPTED
