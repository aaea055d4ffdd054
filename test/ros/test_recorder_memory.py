# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A recorder that is slower than its messages holds bounded memory and counts what it drops."""
from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.srv import StartEpisode
from rclpy.qos import QoSProfile
from recorder_peers import recorders
from recorder_peers import stored
from recorder_peers import wait_for
from std_msgs.msg import String

from active_collection.recording.verify import verify

SLOW = Path(__file__).with_name('slow_recorder.py')
CAMERAS = 4
IMAGE_BYTES = 640 * 480 * 3
#: Beside the Python and the middleware of an idle recorder (90 MB): 96 MiB of queue, 16 MiB of
#: history a topic, the chunk that is being written, what the receiver takes and the allocator.
MOST_MB = 300


def resident_mb(process):
    for line in Path(f'/proc/{process.pid}/status').read_text().splitlines():
        if line.startswith('VmRSS'):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError('no VmRSS')


@pytest.mark.parametrize('seconds', [
    4.0, pytest.param(60.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize('where', ['disk', 'receiver'])
def test_recorder_that_is_slower_than_its_messages_stays_small_and_counts_them(
        peer, tmp_path, where, seconds):
    data = tmp_path / 'data'
    with recorders(peer, data, program=[str(SLOW), where, '2e7']) as start:
        process = start()
        publishers = [peer.create_publisher(String, f'camera_{number}', QoSProfile(depth=5))
                      for number in range(CAMERAS)]
        image, done, largest = bytes(IMAGE_BYTES), threading.Event(), 0.0

        def publish():
            while not done.wait(1 / 30):
                for publisher in publishers:
                    publisher.publish(image)

        thread = threading.Thread(target=publish, daemon=True)
        assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
        thread.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            largest = max(largest, resident_mb(process))
            time.sleep(0.02)
        wait_for(lambda: peer.statuses[-1].dropped + peer.statuses[-1].lost > 0, 'losses')
        done.set()
        thread.join(5)
        largest = max(largest, resident_mb(process))
        answer = peer.finish('e1')
    print(f'largest: {largest:.0f} MB')
    assert largest < MOST_MB
    for topic in answer.episode.topics:
        assert topic.received == topic.written + topic.dropped > 0
    assert sum(topic.dropped + topic.lost for topic in answer.episode.topics) > 0
    assert verify(data / answer.episode.path) == []


def test_history_that_is_fitted_to_large_messages_while_recording_loses_none(peer, tmp_path):
    with recorders(peer, tmp_path / 'data') as start:
        start()
        assert peer.start('e1').code == StartEpisode.Response.ACCEPTED
        publisher = peer.create_publisher(String, 'cloud', QoSProfile(depth=100))
        wait_for(lambda: publisher.get_subscription_count() > 0, 'the recorder')
        counts, sent = [], 0
        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            publisher.publish(String(data=f'{sent:06d}{"x" * 200_000}'))
            sent += 1
            counts.append(publisher.get_subscription_count())
            time.sleep(0.01)  # the publisher's period
        answer = peer.finish('e1')
        # the recorder has subscribed anew meanwhile, and has let go of the subscription before
        assert max(counts) == 2 and counts[-1] == 1
        numbers = [int(raw[8:14]) for _, _, raw in stored(tmp_path / 'data' / answer.episode.path)]
        [topic] = answer.episode.topics
    assert topic.lost == topic.dropped == 0
    assert numbers == list(range(numbers[0], sent)) and numbers[0] < 5
