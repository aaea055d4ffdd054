# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The recorder's parameters, set as `ros2 param set` does while it runs."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Episode
from active_collection.msg import RecorderStatus
from active_collection.srv import StartEpisode
from parameter_peers import Parameters
from recorder_peers import recorders
from recorder_peers import spinning_peer
from recorder_peers import stored
from recorder_peers import wait_for
from std_msgs.msg import String

from active_collection.bags.episodes import find_episodes
from active_collection.nodes import qos
from active_collection.nodes.parameter_types import TYPES
from active_collection.recording.settings import RecorderSettings
from active_collection.setting import settings_of

ACCEPTED = StartEpisode.Response.ACCEPTED
#: A recorder that looks for what is to be removed every 0.1 s.
LOOKS_OFTEN = """
from active_collection.nodes.recorder import recorder
recorder.RETENTION_PERIOD_S = 0.1
raise SystemExit(recorder.main())
"""


@pytest.fixture(scope='module')
def shared(ros, tmp_path_factory):
    """Start a recorder for all; give a peer, a client of its parameters, and where it writes."""
    data = tmp_path_factory.mktemp('shared') / 'data'
    with spinning_peer('recorder_parameters') as peer, recorders(peer, data) as start:
        start(match_timeout_s=0.3)
        yield peer, Parameters(peer, 'recorder'), data


def topics_of(path):
    return {topic.rpartition('/')[2] for topic, _, _ in stored(path)}


def record(peer, data, episode_id, *publishers):
    """Record an episode in which each publisher sends once, and return its topics."""
    assert peer.start(episode_id).code == ACCEPTED
    return finish(peer, data, episode_id, *publishers)


def finish(peer, data, episode_id, *publishers):
    for publisher in publishers:
        publisher.publish(String(data='x'))
    return topics_of(data / peer.finish(episode_id).episode.path)


def test_other_topics_are_recorded_from_the_next_episode_on(shared):
    peer, parameters, data = shared
    a, b = (peer.create_publisher(String, name, qos.STATE) for name in 'ab')
    assert peer.start('e1').code == ACCEPTED
    assert parameters.set('topics', ['b']) == ''
    assert {'a', 'b'} <= finish(peer, data, 'e1', a, b)

    wait_for(lambda: a.get_subscription_count() == 0, 'the topic to be let go')
    assert record(peer, data, 'e2', a, b) == {'b'}
    assert parameters.set_together({'topics': [], 'exclude': ['.*/b', '.*/recorder/.*']}) == ''
    wait_for(lambda: a.get_subscription_count() == 1, 'the topic to be taken')
    found = record(peer, data, 'e3', a, b)
    assert 'a' in found and 'b' not in found


def test_required_topics_hold_from_the_next_episode_on(shared):
    peer, parameters, _ = shared
    assert peer.start('r1').code == ACCEPTED
    assert parameters.set('required_topics', ['camera']) == ''
    assert peer.finish('r1').episode.episode_id == 'r1'

    answer = peer.start('r2')
    assert answer.code == StartEpisode.Response.MISSING_TOPICS
    assert [name.rpartition('/')[2] for name in answer.missing_topics] == ['camera']
    assert 'characters' in parameters.set('required_topics', ['a camera'])
    assert parameters.set('required_topics', []) == ''
    assert peer.start('r2').code == ACCEPTED
    peer.finish('r2')


def test_rates_and_reserve_are_judged_by_at_once(shared):
    peer, parameters, _ = shared
    camera = peer.create_publisher(String, 'camera', qos.STATE)
    assert peer.start('d1').code == ACCEPTED
    camera.publish(String(data='x'))
    assert parameters.set('expected_rates', ['camera=50']) == ''
    wait_for(lambda: any('camera' in said and '50 Hz expected' in said
                         for _, said in peer.complaints()), peer.complaints)

    assert parameters.set('disk_reserve_bytes', 2**60) == ''

    wait_for(lambda: peer.statuses[-1].state == RecorderStatus.BLOCKED, 'a recorder that is full')
    assert peer.start('d2').code == StartEpisode.Response.NO_SPACE
    assert parameters.set_together({'expected_rates': [], 'disk_reserve_bytes': 0}) == ''
    wait_for(lambda: peer.statuses[-1].state == RecorderStatus.IDLE, 'a recorder that has room')


def test_what_is_read_when_it_is_configured_can_be_set_before(peer, recorder, tmp_path):
    recorder(auto_start=False)
    parameters = Parameters(peer, 'recorder')
    assert parameters.set('data_directory', str(tmp_path / 'other')) == ''
    assert 'auto_start' in parameters.set('auto_start', True)
    assert 'use_sim_time' in parameters.set('use_sim_time', True)
    assert peer.change_state('configure') and peer.change_state('activate')

    reason = parameters.set('data_directory', str(tmp_path / 'third'))

    assert 'is read when the node is configured' in reason and 'clean the node up' in reason
    record(peer, tmp_path / 'other', 'e1')
    assert peer.change_state('deactivate') and peer.change_state('cleanup')
    assert parameters.set_together({'data_directory': str(tmp_path / 'third'),
                                    'maximum_duration_s': 10}) == ''
    assert peer.change_state('configure') and peer.change_state('activate')
    record(peer, tmp_path / 'third', 'e2')


def test_retention_begins_when_it_is_set(peer, tmp_path):
    data = tmp_path / 'data'
    program = tmp_path / 'recorder.py'
    program.write_text(LOOKS_OFTEN)
    with recorders(peer, data, program=[str(program)]) as start:
        start()
        parameters = Parameters(peer, 'recorder')
        for number in range(3):
            assert peer.start(f'e{number}').code == ACCEPTED
            peer.finish(f'e{number}', outcome=Episode.DISCARDED)
        assert len(find_episodes(data)) == 3

        assert parameters.set_together({
            'retention.maximum_episodes': 1, 'retention.only_synced': False}) == ''

        wait_for(lambda: [path.name for path in find_episodes(data)] == ['e2'], 'its removal')


def test_every_parameter_is_described(shared):
    _, parameters, _ = shared

    for setting in settings_of(RecorderSettings):
        descriptor = parameters.describe(setting.name)
        assert descriptor.description.startswith(setting.description)
        assert descriptor.type == TYPES[setting.kind, setting.is_list].value
        assert descriptor.read_only == (setting.name == 'auto_start')
