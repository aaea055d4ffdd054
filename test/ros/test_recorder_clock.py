# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A recorder node whose time is a simulator's, which pauses, starts anew and jumps."""
from __future__ import annotations

import signal
import sys
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Episode
from active_collection.srv import FinishEpisode
from active_collection.srv import StartEpisode
from builtin_interfaces.msg import Time
from rclpy.qos import QoSProfile
from recorder_peers import wait_for
from rosbags.rosbag2 import Reader
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String

from active_collection.bags.episodes import read_record
from active_collection.recording.verify import verify


@pytest.fixture
def set_time(peer):
    """Give a function that sets ROS time (s), and returns when the recorder has it."""
    publisher = peer.create_publisher(Clock, '/clock', QoSProfile(depth=1))

    def set_to(seconds):
        def arrived():
            publisher.publish(Clock(clock=Time(sec=seconds)))
            return peer.statuses and peer.statuses[-1].header.stamp.sec == seconds

        wait_for(arrived, f'{seconds} s')

    yield set_to
    peer.destroy_publisher(publisher)


def has_received(peer, count):
    return peer.statuses[-1].topics[0].received == count


def test_clock_that_jumps_back_and_forward_loses_no_message(peer, recorder, set_time, tmp_path):
    process = recorder(use_sim_time=True, required_topics='["text"]')
    publisher = peer.create_publisher(String, 'text', QoSProfile(depth=100))
    refused = peer.start('e1')
    assert refused.code == StartEpisode.Response.UNAVAILABLE and '/clock' in refused.message
    set_time(1000)
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    sent = 0
    for seconds in (400, 90_000, 1002):
        set_time(seconds)
        for _ in range(10):
            sent += 1
            publisher.publish(String(data=str(sent)))
        wait_for(partial(has_received, peer, sent), f'{sent} messages')
    assert 'the clock jumped' in peer.statuses[-1].message
    answer = peer.finish('e1')
    assert answer.code == FinishEpisode.Response.ACCEPTED
    path = tmp_path / 'data' / answer.episode.path
    with Reader(path) as reader:
        stored = sorted((int(bytes(raw)[8:].rstrip(b'\0')), ns // 10**9)
                        for _, ns, raw in reader.messages())
    assert stored == [
        (10 * turn + n, second) for turn, second in enumerate((400, 90_000, 1002))
        for n in range(1, 11)]
    record = read_record(path)
    jumps = ', '.join(map(str, record.clock_jumps))
    assert jumps.count(' after ') == 3 and verify(path) == []
    assert 0 < answer.episode.duration == record.duration_s < 300
    assert [j.by for j in answer.episode.clock_jumps] == [j.by_s for j in record.clock_jumps]
    assert peer.start('e2').code == StartEpisode.Response.ACCEPTED
    assert peer.finish('e2').episode.clock_jumps == []
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and 'e1: success' in output
    assert f'while the clock jumped ({jumps})' in output


def test_time_that_stands_still_keeps_no_episode_open_beyond_its_limit(
        peer, recorder, set_time, tmp_path):
    recorder(use_sim_time=True, maximum_duration_s=0.5)
    set_time(1000)
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    wait_for(lambda: any(e.state == Episode.CLOSED for e in peer.episodes), 'its end')
    assert peer.episodes[-1].stop_reason == 'time_limit'


def test_what_a_killed_recorder_leaves_says_that_the_clock_was_set(
        peer, recorder, set_time, tmp_path):
    process = recorder(use_sim_time=True)
    set_time(1000)
    assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
    set_time(1_790_000_000)
    [left] = (tmp_path / 'data').glob('episodes/*/e1.recording')
    wait_for(lambda: read_record(left).clock_jumps, 'the jump on the disk')
    process.kill()
    process.wait()

    recorder(use_sim_time=True)

    wait_for(lambda: any(e.state == Episode.CLOSED for e in peer.episodes), 'the salvaged one')
    episode = peer.episodes[-1]
    assert episode.stop_reason == 'salvaged' and 0 < episode.duration < 300
    assert [round(jump.by, -4) for jump in episode.clock_jumps] == [1_790_000_000]
