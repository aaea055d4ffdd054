# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The recorder as a managed node: its transitions, driven through the lifecycle services."""
from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Episode
from active_collection.msg import RecorderStatus
from active_collection.srv import FinishEpisode
from active_collection.srv import StartEpisode
from diagnostic_msgs.msg import DiagnosticStatus
from recorder_peers import stored
from recorder_peers import wait_for
from std_msgs.msg import String

from active_collection.bags.episodes import read_record
from active_collection.nodes import qos

ERROR = DiagnosticStatus.ERROR[0] if isinstance(DiagnosticStatus.ERROR, bytes) else 2


def test_starts_by_itself_unless_told_otherwise(peer, recorder):
    recorder()
    wait_for(lambda: peer.statuses, 'a status')
    assert peer.state() == 'active'


def test_manager_takes_it_through_its_states_and_back(peer, recorder, tmp_path):
    recorder(auto_start='false')
    publisher = peer.create_publisher(String, 'text', qos.STATE)

    assert peer.state() == 'unconfigured'
    assert not (tmp_path / 'data').exists()
    refusal = peer.start('e0')
    assert refusal.code == StartEpisode.Response.UNAVAILABLE and 'unconfigured' in refusal.message
    assert peer.finish('e0').code == FinishEpisode.Response.INVALID

    assert peer.change_state('configure') and peer.state() == 'inactive'
    refusal = peer.start('e0')
    assert refusal.code == StartEpisode.Response.UNAVAILABLE and 'inactive' in refusal.message
    wait_for(lambda: peer.statuses[-1].message == 'inactive', 'a status that says so')
    assert peer.statuses[-1].state == RecorderStatus.BLOCKED
    assert publisher.get_subscription_count() == 0

    for turn in range(2):
        assert peer.change_state('activate') and peer.state() == 'active'
        wait_for(lambda: publisher.get_subscription_count() == 1, 'a subscription')
        assert peer.start(f'e{turn}').code == StartEpisode.Response.ACCEPTED
        for _ in range(20):
            publisher.publish(String(data='x'))
        answer = peer.finish(f'e{turn}')
        # What was published while it was inactive is not a loss.
        assert not answer.episode.has_losses
        assert len(stored(tmp_path / 'data' / answer.episode.path)) == 20
        assert peer.change_state('deactivate') and peer.state() == 'inactive'
        wait_for(lambda: publisher.get_subscription_count() == 0, 'no subscription')
        for _ in range(5):
            publisher.publish(String(data='nobody listens'))

    assert peer.finish('e1').episode.outcome == Episode.SUCCESS
    assert peer.change_state('cleanup') and peer.state() == 'unconfigured'
    assert not peer.change_state('activate') and peer.state() == 'unconfigured'


def test_deactivation_closes_the_open_episode(peer, recorder, tmp_path):
    recorder()
    publisher = peer.create_publisher(String, 'text', qos.STATE)
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    for _ in range(50):
        publisher.publish(String(data='x'))
    assert peer.change_state('deactivate') and peer.state() == 'inactive'
    wait_for(lambda: any(e.state == Episode.CLOSED for e in peer.episodes), 'the closed episode')
    episode = peer.episodes[-1]
    assert (episode.outcome, episode.stop_reason) == (Episode.ABORTED, 'recorder_shutdown')
    path = tmp_path / 'data' / episode.path
    assert read_record(path).topics[0].written == len(stored(path)) == 50
    assert not list((tmp_path / 'data').rglob('*.recording'))


def test_configure_that_fails_says_why_and_can_be_asked_again(peer, recorder, tmp_path):
    # given a file where the data directory is to be
    obstacle = tmp_path / 'data'
    obstacle.write_text('')
    process = recorder(auto_start='false')
    # when it is configured
    assert not peer.change_state('configure')
    # then it says why, is what it was, and goes on once the file is out of the way
    assert peer.state() == 'unconfigured' and process.poll() is None
    wait_for(lambda: any(level == ERROR and 'data_directory' in message
                         for level, message in peer.complaints()), 'an error on /diagnostics')
    obstacle.unlink()
    assert peer.change_state('configure') and peer.change_state('activate')
    peer.diagnostics.clear()
    wait_for(lambda: peer.diagnostics, 'diagnostics')
    assert not any('data_directory' in message for _, message in peer.complaints())
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and 'cannot configure' in output


def test_shutdown_closes_the_episode_and_leaves_a_process_that_ends_cleanly(
        peer, recorder, tmp_path):
    process = recorder()
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    assert peer.change_state('shutdown') and peer.state() == 'finalized'
    [path] = (tmp_path / 'data' / 'episodes').glob('*/e1')
    assert read_record(path).stop_reason.value == 'recorder_shutdown'
    assert peer.start('e2').code == StartEpisode.Response.UNAVAILABLE
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and 'Traceback' not in output
