# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Recorders in processes of their own that meet with accidents."""
from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rosbags.rosbag2 import Reader

from active_collection.bags.episodes import read_record
from active_collection.episode import Outcome
from active_collection.episode import StopReason
from active_collection.recording.bag_writer import BagWriter
from active_collection.recording.definitions import Definition
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.metadata import write_metadata
from active_collection.recording.refusals import Reason
from active_collection.recording.refusals import RefusedError
from active_collection.recording.salvage.episodes import salvage_abandoned
from active_collection.recording.salvage.outcome import SalvagedEpisode
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.store import EpisodeStore
from active_collection.recording.verify import verify

PROCESS = Path(__file__).with_name('recorder_process.py')
AGE_S = 0.3
#: What the scheduler of a busy test machine may add to any delay (s).
SLACK_S = 0.7


def end_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start(data, result, **options):
    settings = {'data_directory': str(data), 'disk_reserve_bytes': 0, 'durable_age_s': AGE_S,
                **options.pop('settings', {})}
    return subprocess.Popen(
        [sys.executable, str(PROCESS),
         json.dumps({'settings': settings, 'result': str(result), **options})],
        stdout=subprocess.PIPE, preexec_fn=end_with_parent)  # noqa: PLW1509


def numbers(path):
    with Reader(path) as reader:
        return [int.from_bytes(bytes(raw)[:8], 'little') for _, _, raw in reader.messages()]


def kill_and_salvage(data, delay_s):
    process = start(data, data / 'result')
    assert process.stdout.readline(), 'the recorder did not start'
    time.sleep(delay_s)  # the accident's instant, not a condition to wait for
    process.kill()
    killed = time.monotonic()
    lines = process.stdout.read().splitlines()
    process.wait()
    given = [(int(line.split()[0]), float(line.split()[1]))
             for line in lines if len(line.split()) == 2 and b'.' in line]
    safe = max((n for n, at in given if at < killed - AGE_S - SLACK_S), default=0)
    store = EpisodeStore(data)
    [(_, salvaged)] = salvage_abandoned(store, stop=threading.Event())
    assert isinstance(salvaged, SalvagedEpisode), salvaged
    path = store.data / salvaged.event.path
    assert verify(path) == []
    kept = numbers(path)
    assert kept == list(range(1, len(kept) + 1)), 'a hole in what was kept'
    assert len(kept) >= safe, f'{len(kept)} kept, {safe} were older than the promised age'
    assert sum(topic.written for topic in salvaged.event.record.topics) == len(kept)


@pytest.mark.parametrize('seed', range(3))
def test_kill_at_a_random_instant_loses_only_what_is_young(tmp_path, seed):
    kill_and_salvage(tmp_path, random.Random(seed).uniform(0, 2.0))


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(100, 150))
def test_kill_at_fifty_random_instants(tmp_path, seed):
    kill_and_salvage(tmp_path, random.Random(seed).uniform(0, 4.0))


def test_disk_that_refuses_a_write_ends_the_episode_with_all_that_was_written(tmp_path):
    process = start(tmp_path / 'data', tmp_path / 'result', file_limit=5_000_000)
    assert process.wait(30) == 0
    result = json.loads((tmp_path / 'result').read_text())
    assert result['stop_reason'] == 'write_error' and 'large' in result['notes']
    path = tmp_path / 'data' / result['path']
    kept = numbers(path)
    assert verify(path) == [] and kept == list(range(1, result['written'] + 1))
    assert result['written'] > 150 and read_record(path).outcome is Outcome.ABORTED
    assert result['received'] > result['written']


@pytest.fixture
def small_disk(tmp_path):
    directory = tmp_path / 'disk'
    directory.mkdir()
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', str(directory)],
                             capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip('no right to mount a tmpfs')
    yield directory
    subprocess.run(['umount', str(directory)], check=True)


@pytest.mark.parametrize('reserve', [0, 2_000_000])
def test_full_disk_closes_the_episode_whole_and_refuses_the_next(make_bench, small_disk, reserve):
    process = start(small_disk, small_disk.parent / 'result',
                    settings={'disk_reserve_bytes': reserve})
    assert process.wait(30) == 0
    result = json.loads((small_disk.parent / 'result').read_text())
    path = small_disk / result['path']
    assert result['stop_reason'] == 'disk_full' and path.name == 'e1'
    assert verify(path) == []
    assert numbers(path) == list(range(1, result['written'] + 1))
    assert result['written'] * 20_000 > (7_000_000 - reserve) * 0.8
    bench = make_bench(data_directory=str(small_disk), disk_reserve_bytes=2_500_000)
    bench.disk.bytes = 0
    with pytest.raises(RefusedError) as refusal:
        bench.start(episode_id='e2')
    assert refusal.value.reason is Reason.NO_SPACE


def write_without_end(bag):
    for number in range(1, 1_000_000):
        now = number * 1e-4
        bag.write(Message('/a', number, number, number, b'', b'\0' * 100), now)
        bag.keep_durable(now)


@pytest.mark.parametrize('chunk_bytes', [2_000, 20_000, 400_000])
def test_a_bag_is_closed_whole_whatever_little_a_full_disk_has_left(small_disk, chunk_bytes):
    bag = BagWriter(small_disk, 'bag', settings=RecorderSettings(
        chunk_bytes=chunk_bytes, durable_age_s=0.05, sync='close'), ros_distro='')
    bag.add_topic(Topic('/a', Definition('std_msgs/msg/String', 'ros2msg', 'string data\n', '')))
    with pytest.raises(OSError, match='No space'):
        write_without_end(bag)
    summary = bag.finish()
    write_metadata(small_disk, bag.information(summary), None)

    assert len(numbers(small_disk)) == sum(file.messages for file in summary.files) > 10_000


def test_two_recorders_on_one_directory_do_not_touch_each_other(make_bench, tmp_path):
    data = tmp_path / 'shared'
    process = start(data, tmp_path / 'result', messages=2000)
    assert process.stdout.readline()
    bench = make_bench(data_directory=str(data))
    with pytest.raises(RefusedError) as refusal:
        bench.start(episode_id='e1')
    assert refusal.value.reason is Reason.DUPLICATE
    assert list(salvage_abandoned(bench.recorder.store, stop=threading.Event())) == []
    bench.add_topic('/a')
    bench.start(episode_id='e2')
    bench.send('/a', count=10)
    bench.recorder.finish('e2', outcome=Outcome.SUCCESS)
    process.stdout.read()
    assert process.wait(30) == 0
    result = json.loads((tmp_path / 'result').read_text())
    assert numbers(data / result['path']) == list(range(1, 2001))
    assert verify(bench.last_path) == []


def test_of_two_that_start_the_same_episode_at_once_one_wins(make_bench):
    benches = [make_bench() for _ in range(8)]
    barrier, outcomes = threading.Barrier(8), []

    def begin(bench):
        barrier.wait()
        try:
            bench.start(episode_id='same')
            outcomes.append('started')
        except RefusedError as refusal:
            outcomes.append(refusal.reason)

    threads = [threading.Thread(target=begin, args=(bench,)) for bench in benches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == sorted(map(str, ['started', *[Reason.DUPLICATE] * 7]))


def test_disk_that_hangs_at_shutdown_leaves_a_locked_episode(make_bench, monkeypatch):
    bench = make_bench(close_timeout_s=0.1)
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    hanging, goes_on, writev = threading.Event(), threading.Event(), os.writev

    def hang(*arguments):
        hanging.set()
        goes_on.wait(30)
        return writev(*arguments)

    monkeypatch.setattr('active_collection.mcap.writer.os.writev', hang)
    bench.send('/a', bytes(2_000_000))
    assert hanging.wait(10)
    bench.recorder.shut_down()
    assert bench.events[-1].record.stop_reason is StopReason.WRITE_ERROR
    assert 'still to be written' in bench.events[-1].record.notes
    assert list(salvage_abandoned(bench.recorder.store, stop=threading.Event())) == []
    goes_on.set()


def test_interrupted_salvage_is_done_again(tmp_path):
    process = start(tmp_path, tmp_path / 'result')
    for _ in range(100):
        process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    store = EpisodeStore(tmp_path)
    half_done = next(store.root.glob('*/e1.recording')).with_name('.e1.salvage.recording')
    half_done.mkdir()
    (half_done / 'e1_0.mcap').write_bytes(b'half')
    [(_, salvaged)] = salvage_abandoned(store, stop=threading.Event())
    assert salvaged.event.record.stop_reason is StopReason.SALVAGED
    assert not list(tmp_path.rglob('*.recording'))
