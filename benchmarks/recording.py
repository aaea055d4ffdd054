# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure the recorder: the writer against rosbags' own, and the whole node under a robot's load.

The load is four 640 x 480 rgb8 cameras at 30 Hz and ten topics of 300 bytes at 500 Hz, published
by another process: 112 MB/s, 5,120 messages/s.
"""
from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

from _claims import ROOT
from _claims import Claim
from _claims import options
from _claims import report

PROFILE = ROOT / 'config' / 'fastdds.xml'
IMAGE_BYTES = 640 * 480 * 3
CAMERAS, CAMERA_HZ = 4, 30
STREAMS, STREAM_HZ, STREAM_BYTES = 10, 500, 300
DUE_HZ = CAMERAS * CAMERA_HZ + STREAMS * STREAM_HZ
NAMESPACE = '/bench'
DISTRO = os.environ.get('DISTRO', 'kilted')


def main() -> int:
    parser = options(__doc__)
    parser.add_argument('--publish', type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.publish:
        return publish(arguments.publish)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.out) as scratch:
        claims = writer_claims(Path(scratch), quick=arguments.quick)
        claims += load_claims(Path(scratch), seconds=15.0 if arguments.quick else 60.0)
    report('recording', claims, arguments.out, packages=['rosbags', 'mcap'])
    return 0


def writer_claims(scratch, *, quick):
    """Compare the writers, in turn, on the same serialized messages; both sync at the end."""
    claims = []
    seconds = 2 if quick else 5
    small = [(1 + i % STREAMS, bytes(STREAM_BYTES)) for i in range(STREAM_HZ * STREAMS * seconds)]
    large = [(11 + i % CAMERAS, bytes(IMAGE_BYTES)) for i in range(CAMERA_HZ * CAMERAS * seconds)]
    mixed = interleaved(small, large)
    for name, messages in (('mixed load', mixed), ('300 bytes', small * 3),
                           ('921,600 bytes', large)):
        size = sum(len(data) for _, data in messages)
        ratios, ours_s, theirs_s = [], [], []
        for turn in range(6):
            theirs = write_theirs(scratch / 'theirs', messages)
            ours = write_ours(scratch / 'ours', messages)
            if turn:  # the first round warms up
                ratios.append(theirs / ours)
                ours_s.append(size / ours / 1e6)
                theirs_s.append(size / theirs / 1e6)
        claims.append(Claim(f'writer, {name}: speed, ours / rosbags', ratios, 'ratio', '>=', 0.9))
        claims[-1].absolute.update({'ours MB/s': statistics.median(ours_s),
                                    'rosbags MB/s': statistics.median(theirs_s)})
    return claims


def interleaved(small, large):
    step = max(1, len(small) // max(1, len(large)))
    mixed = []
    for index, message in enumerate(small):
        mixed.append(message)
        if index % step == 0 and index // step < len(large):
            mixed.append(large[index // step])
    return mixed


def write_ours(directory, messages):
    from active_collection.recording.bag_writer import BagWriter
    from active_collection.recording.definitions import Definition
    from active_collection.recording.messages import Message
    from active_collection.recording.messages import Topic
    from active_collection.recording.settings import RecorderSettings

    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    definition = Definition('std_msgs/msg/String', 'ros2msg', 'string data\n', '')
    stream = [Message(f'/t{topic}', stamp, stamp, stamp, b'', data)
              for stamp, (topic, data) in enumerate(messages)]
    os.sync()
    began = time.perf_counter()
    bag = BagWriter(directory, 'bag', settings=RecorderSettings(sync='close'), ros_distro='')
    for topic in sorted({topic for topic, _ in messages}):
        bag.add_topic(Topic(f'/t{topic}', definition))
    for message in stream:
        bag.write(message, 0.0)
    bag.write_held()
    bag.finish()
    return time.perf_counter() - began


def write_theirs(directory, messages):
    from rosbags.rosbag2 import StoragePlugin
    from rosbags.rosbag2 import Writer

    shutil.rmtree(directory, ignore_errors=True)
    os.sync()
    began = time.perf_counter()
    with Writer(directory, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connections = {
            topic: writer.add_connection(
                f'/t{topic}', 'std_msgs/msg/String', msgdef='string data\n', rihs01='RIHS01_0')
            for topic in sorted({topic for topic, _ in messages})}
        # The writer checks that it knows the connection; its storage does the work.
        for stamp, (topic, data) in enumerate(messages):
            writer.write(connections[topic], stamp, data)
    with (directory / f'{directory.name}.mcap').open('rb') as file:
        os.fsync(file.fileno())
    return time.perf_counter() - began


def load_claims(scratch, *, seconds):
    """Record the load with the shipped Fast DDS profile, and with the middleware's defaults."""
    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        reason = f'rclpy: {error}'
        return [Claim('recorder under load: messages lost', [], 'messages', '<=', 0, reason)]
    claims = []
    for name, profile in (('', PROFILE), (' (middleware defaults)', None)):
        result = record_load(scratch / f'data{name}', seconds, profile)
        lost = result['sent'] - result['written']
        if profile is None:
            # Of losses behind the last message that arrives, nothing tells.
            told = [result['reported'] / lost] if lost else []
            claims.append(Claim(
                f'recorder under load{name}: share of the losses that it reports', told, 'ratio',
                '>=', 0.98, '' if told else 'nothing was lost'))
        else:
            claims.append(Claim('recorder under load: messages not in the bag', [lost],
                                'messages', '<=', 0))
        if profile:
            claims += [
                Claim('recorder under load: processor', [result['cores']], 'cores', '<=', 1.0),
                Claim('recorder under load: resident memory, largest', [result['rss']], 'MB',
                      '<=', 300),
                Claim('recorder under load: resident memory, second half / first half',
                      [result['growth']], 'ratio', '<=', 1.1),
            ]
        claims[-1].absolute.update({k: v for k, v in result.items() if k != 'topics'})
    reason = '' if shutil.which('ros2') else 'ros2 bag is not installed here'
    claims.append(Claim('ros2 bag record under load: messages not in the bag', [], 'messages',
                        '<=', 0, reason or 'not measured'))
    return claims


def record_load(data, seconds, profile):
    """Run recorder and publishers as processes, and return what became of the messages."""
    import psutil
    import rclpy
    from active_collection.msg import Episode
    from active_collection.msg import Scenario
    from active_collection.srv import FinishEpisode
    from active_collection.srv import StartEpisode
    from ament_index_python.packages import get_package_prefix
    from rclpy.executors import SingleThreadedExecutor

    from active_collection.bags.episodes import read_record

    os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    for variable in ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE'):
        os.environ.pop(variable, None)
    if profile:
        # Fast DDS 2, up to Jazzy, knows the older name only.
        old = os.environ.get('ROS_DISTRO', DISTRO) in {'humble', 'jazzy'}
        os.environ[f"FAST{'RTPS' if old else 'DDS'}_DEFAULT_PROFILES_FILE"] = str(profile)
    topics = ([f'camera_{i}' for i in range(CAMERAS)] + [f'stream_{i}' for i in range(STREAMS)])
    executable = Path(get_package_prefix('active_collection'), 'lib/active_collection/recorder')
    recorder = start_process([
        sys.executable, str(executable), '--ros-args', '-r', f'__ns:={NAMESPACE}',
        '-p', f'data_directory:={data}', '-p', f'required_topics:={json.dumps(topics)}',
        '-p', 'match_timeout_s:=20.0', '-p', 'disk_reserve_bytes:=0'])
    publisher = start_process(
        [sys.executable, __file__, '--publish', str(seconds)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    rclpy.init()
    node = rclpy.create_node('bench', namespace=NAMESPACE)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        start = node.create_client(StartEpisode, 'recorder/start_episode')
        finish = node.create_client(FinishEpisode, 'recorder/finish_episode')
        answer = call(executor, start, StartEpisode.Request(
            episode_id='load', source='scripted', scenario=Scenario(task='t', environment='e')))
        if answer.code != StartEpisode.Response.ACCEPTED:
            raise RuntimeError(answer.message)
        process = psutil.Process(recorder.pid)
        before, began = process.cpu_times(), time.monotonic()
        publisher.stdin.write('go\n')
        publisher.stdin.flush()
        memory, done = defaultdict(list), threading.Event()
        watch = threading.Thread(target=lambda: watch_memory(process, memory, done))
        watch.start()
        sent = json.loads(publisher.stdout.readline())
        after, elapsed = process.cpu_times(), time.monotonic() - began
        done.set()
        watch.join()
        answer = call(executor, finish, FinishEpisode.Request(
            episode_id='load', outcome=Episode.SUCCESS))
        record = read_record(data / answer.episode.path)
        publisher.stdin.write('end\n')
        publisher.stdin.flush()
    finally:
        executor.shutdown()
        rclpy.shutdown()
        recorder.send_signal(signal.SIGINT)
        publisher.stdin.close()
        for child in (recorder, publisher):
            child.wait(20)
        shutil.rmtree(data, ignore_errors=True)
    resident = memory.pop('VmRSS')
    half = len(resident) // 2
    topics_ = [t for t in record.topics if t.topic.rpartition('/')[2] in topics]
    return {
        'sent': sum(sent.values()), 'sent / due': sum(sent.values()) / (seconds * DUE_HZ),
        'written': sum(t.written for t in topics_),
        'reported': sum(t.dropped + t.lost for t in topics_),
        'dropped at the queue': sum(t.dropped for t in topics_), 'seconds': elapsed,
        'MB/s': sum(t.bytes for t in topics_) / elapsed / 1e6,
        'cores': (after.user + after.system - before.user - before.system) / elapsed,
        'rss': max(resident), 'growth': max(resident[half:]) / max(resident[:half]),
        **{f'{name} MB': max(values) for name, values in memory.items()},
    }


def watch_memory(process, memory, done):
    """Sample what is resident (MB): all of it, and of that the heap, files and shared memory."""
    status = Path(f'/proc/{process.pid}/status')
    while not done.wait(0.25):
        for line in status.read_text().splitlines():
            name, _, value = line.partition(':')
            if name == 'VmRSS' or name.startswith('Rss'):
                memory[name].append(int(value.split()[0]) * 1024 / 1e6)


def call(executor, client, request):
    if not client.wait_for_service(30):
        raise RuntimeError(f'{client.srv_name}: no such service')
    future = client.call_async(request)
    executor.spin_until_future_complete(future, timeout_sec=60)
    if future.result() is None:
        raise RuntimeError(f'{client.srv_name}: no answer')
    return future.result()


def start_process(command, **options):
    parent_dies = ctypes.CDLL(None).prctl
    return subprocess.Popen(
        command, preexec_fn=lambda: parent_dies(1, signal.SIGKILL), **options)  # noqa: PLW1509


def publish(seconds):
    """Publish the load when told to, say what was sent, and stay until told to end."""
    import rclpy
    from rclpy.qos import QoSProfile
    from rclpy.qos import ReliabilityPolicy
    from sensor_msgs.msg import Image
    from std_msgs.msg import String

    rclpy.init()
    node = rclpy.create_node('load', namespace=NAMESPACE)
    sensor = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    cameras = [node.create_publisher(Image, f'camera_{i}', sensor) for i in range(CAMERAS)]
    streams = [node.create_publisher(String, f'stream_{i}', QoSProfile(depth=100))
               for i in range(STREAMS)]
    image, text = b'\0\1\0\0' + bytes(IMAGE_BYTES), b'\0\1\0\0' + bytes(STREAM_BYTES)
    sys.stdin.readline()
    due = [(p, image, 1 / CAMERA_HZ, i / CAMERAS / CAMERA_HZ) for i, p in enumerate(cameras)]
    due += [(p, text, 1 / STREAM_HZ, i / STREAMS / STREAM_HZ) for i, p in enumerate(streams)]
    sent = {publisher.topic_name: 0 for publisher, *_ in due}
    began = time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        for publisher, data, period, phase in due:
            if sent[publisher.topic_name] * period + phase <= now:
                publisher.publish(data)
                sent[publisher.topic_name] += 1
        time.sleep(0.0005)
    for publisher in streams:
        publisher.wait_for_all_acked()
    print(json.dumps(sent), flush=True)
    sys.stdin.readline()
    os._exit(0)


if __name__ == '__main__':
    sys.exit(main())
