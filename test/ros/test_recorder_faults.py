# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Recorder nodes in processes of their own that meet with accidents."""
from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Episode
from active_collection.srv import FinishEpisode
from active_collection.srv import StartEpisode
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy
from recorder_peers import LATCHED
from recorder_peers import stored
from recorder_peers import wait_for
from std_msgs.msg import String

from active_collection.bags.episodes import read_record
from active_collection.nodes import qos
from active_collection.recording.verify import verify

BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)


@contextmanager
def publishing(publisher, data, period_s=0.001):
    """Publish serialized messages without a pause until the block ends."""
    done = threading.Event()

    def publish():
        while not done.wait(period_s):
            publisher.publish(data)

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(5)


def written(peer):
    return peer.statuses[-1].messages if peer.statuses else 0


def test_sigterm_under_load_closes_the_episode_in_time(peer, recorder, tmp_path):
    process = recorder(required_topics='["camera", "state"]')
    camera = peer.create_publisher(String, 'camera', BEST_EFFORT)
    state = peer.create_publisher(String, 'state', qos.STATE)
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    with publishing(camera, bytes(900_000), 0.01), publishing(state, bytes(300)):
        wait_for(lambda: written(peer) > 500, 'some hundred messages')
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        took_s = time.monotonic() - began
    assert process.returncode == 0 and took_s < 5, output
    [path] = (tmp_path / 'data' / 'episodes').glob('*/e1')
    record = read_record(path)
    assert (record.outcome.value, record.stop_reason.value) == ('aborted', 'recorder_shutdown')
    assert verify(path) == [] and sum(t.written for t in record.topics) > 500
    for topic in record.topics:
        assert topic.received == topic.written + topic.dropped


def test_directory_removed_while_recording_ends_the_episode_and_not_the_recorder(
        peer, recorder, tmp_path):
    recorder(required_topics='["text"]', durable_age_s=0.1)
    publisher = peer.create_publisher(String, 'text', qos.STATE)
    with publishing(publisher, bytes(1000)):
        assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
        wait_for(lambda: written(peer) > 10, 'some messages')
        shutil.rmtree(tmp_path / 'data' / 'episodes')
        wait_for(lambda: any(e.state == Episode.CLOSED for e in peer.episodes), 'its end')
        assert peer.episodes[-1].stop_reason == 'write_error'
        assert 'removed while recording' in peer.episodes[-1].notes
        assert peer.start('e2').code == StartEpisode.Response.ACCEPTED
        wait_for(lambda: written(peer) > 10, 'some messages')
        answer = peer.finish('e2')
    assert answer.code == FinishEpisode.Response.ACCEPTED
    assert verify(tmp_path / 'data' / answer.episode.path) == []


@contextmanager
def unwritable(directory):
    """Let nobody make or rename entries of a directory, root included."""
    if subprocess.run(['chattr', '+i', directory], capture_output=True, check=False).returncode:
        pytest.skip('no right to make a directory immutable')
    try:
        yield
    finally:
        subprocess.run(['chattr', '-i', directory], check=True)


@pytest.mark.skipif(shutil.which('chattr') is None, reason='no chattr')
def test_directory_made_read_only_while_recording_costs_no_message(peer, recorder, tmp_path):
    process = recorder(required_topics='["text"]')
    publisher = peer.create_publisher(String, 'text', qos.STATE)
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    [directory] = (tmp_path / 'data' / 'episodes').glob('*/e1.recording')
    with unwritable(directory):
        for _ in range(50):
            publisher.publish(String(data='x'))
        answer = peer.finish('e1')
        assert answer.code == FinishEpisode.Response.WRITE_ERROR
        assert 'not permitted' in answer.message
        assert peer.start('e2').code == StartEpisode.Response.ACCEPTED
        assert peer.finish('e2').code == FinishEpisode.Response.ACCEPTED
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    peer.episodes.clear()
    recorder()
    wait_for(lambda: any(e.stop_reason == 'salvaged' for e in peer.episodes), 'the salvage')
    [episode] = [e for e in peer.episodes if e.stop_reason == 'salvaged']
    assert len(stored(tmp_path / 'data' / episode.path)) == 50


def test_publisher_that_changes_its_qos_while_recording_is_followed(peer, recorder, tmp_path):
    recorder(required_topics='["state"]')
    publisher = peer.create_publisher(String, 'state', QoSProfile(depth=100))
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    publisher.publish(String(data='reliable'))
    wait_for(lambda: peer.statuses[-1].topics and peer.statuses[-1].topics[0].received == 1,
             'the first message')
    for name, profile in (('weak', BEST_EFFORT), ('latched', LATCHED)):
        peer.destroy_publisher(publisher)
        publisher = peer.create_publisher(String, 'state', profile)
        before = peer.statuses[-1].topics[0].received

        def arrives(name=name, publisher=publisher, before=before):
            publisher.publish(String(data=name))
            return peer.statuses[-1].topics[0].received > before

        wait_for(arrives, name)
    answer = peer.finish('e1')
    texts = {raw[8:].split(b'\0')[0]
             for _, _, raw in stored(tmp_path / 'data' / answer.episode.path)}
    assert texts == {b'reliable', b'weak', b'latched'}


def test_salvage_that_takes_long_holds_up_no_start(peer, recorder, tmp_path):
    # given a directory whose salvage lasts as long as nobody writes to a pipe
    left = tmp_path / 'data' / 'episodes' / '2026-01-01' / 'old.recording'
    left.mkdir(parents=True)
    os.mkfifo(left / 'old_0.mcap')
    # when an episode is recorded meanwhile
    recorder()
    publisher = peer.create_publisher(String, 'text', qos.STATE)
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    publisher.publish(String(data='x'))
    answer = peer.finish('e1')
    # then it is whole, and the salvage still goes on
    assert verify(tmp_path / 'data' / answer.episode.path) == []
    assert left.is_dir()
