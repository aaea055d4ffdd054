# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure the bag reader on a large MCAP bag of a 30 Hz camera and 100 Hz joint states.

Frames at 2 Hz against rosbags' own reader; all pictures to numpy against bare loops over the mcap
package, small-mcap and rosbags; and peak memory against the size of the bag. All read the same
file, which should fit the page cache, and have to see the same pictures. The C library is told to
keep memory: whether the other readers, which take new memory for each chunk, get it from the
kernel is chance otherwise, and makes them two to four times as slow.
"""
from __future__ import annotations

import argparse
import ctypes
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _claims import Claim
from _claims import options
from _claims import report
from rosbags.rosbag2 import Reader
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore

from active_collection.bags.images import MAX_PIXELS
from active_collection.bags.images import to_rgb
from active_collection.bags.reader import open_bag
from active_collection.selection.frames import Frames

CAMERA, JOINTS = '/camera/image_raw', '/joint_states'
HEIGHT, WIDTH, CAMERA_HZ, JOINTS_HZ, WANTED_HZ = 480, 640, 30, 100, 2.0
FRAME_BYTES = HEIGHT * WIDTH * 3
NS = 1_000_000_000
STORE = get_typestore(Stores.ROS2_JAZZY)
REPEATS = 9
#: Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def main() -> int:
    parser = options(__doc__)
    parser.add_argument('--gigabytes', type=float, default=0.0,
                        help='size of the bag (default: 5; quick: 0.5)')
    parser.add_argument('--read', type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        all_ours(arguments.read)
        print(peak_mb())
        return 0
    arguments.out.mkdir(parents=True, exist_ok=True)
    keep_memory()
    size = arguments.gigabytes or (0.5 if arguments.quick else 5.0)
    with tempfile.TemporaryDirectory(dir=arguments.out) as scratch:
        frames = max(CAMERA_HZ, round(size * 1e9 / FRAME_BYTES))
        bag = write_bag(Path(scratch) / 'bag', frames, arguments.seed)
        part = write_bag(Path(scratch) / 'part', max(CAMERA_HZ, frames // 5), arguments.seed)
        claims = [sparse_claim(bag, size), *dense_claims(bag, size), memory_claim(part, bag)]
    report('reading', claims, arguments.out, packages=['rosbags', 'mcap', 'small-mcap', 'numpy'])
    return 0


def keep_memory():
    """Let malloc keep what is freed, for the sake of the other readers; glibc alone knows how."""
    library = ctypes.CDLL(None)
    if hasattr(library, 'mallopt'):
        library.mallopt(M_TRIM_THRESHOLD, 1 << 30)
        library.mallopt(M_MMAP_THRESHOLD, 32 << 20)


def write_bag(path, frames, seed):
    """Write a bag, a message at a time."""
    types = STORE.types
    stamp, header = types['builtin_interfaces/msg/Time'], types['std_msgs/msg/Header']
    picture, state = types['sensor_msgs/msg/Image'], types['sensor_msgs/msg/JointState']
    rng = np.random.default_rng(seed)
    names, values = [f'joint_{i}' for i in range(7)], np.zeros(7)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        camera = writer.add_connection(CAMERA, picture.__msgtype__, typestore=STORE)
        joints = writer.add_connection(JOINTS, state.__msgtype__, typestore=STORE)
        told = 0
        for number in range(frames):
            ns = NS + number * NS // CAMERA_HZ
            while NS + told * NS // JOINTS_HZ <= ns:
                at = NS + told * NS // JOINTS_HZ
                message = state(header(stamp(at // NS, at % NS), ''), names, values + told,
                                values, values)
                writer.write(joints, at, STORE.serialize_cdr(message, state.__msgtype__))
                told += 1
            pixels = np.repeat(rng.integers(0, 256, FRAME_BYTES // 8, dtype=np.uint8), 8)
            message = picture(header(stamp(ns // NS, ns % NS), ''), HEIGHT, WIDTH, 'rgb8', 0,
                              WIDTH * 3, pixels)
            writer.write(camera, ns, STORE.serialize_cdr(message, picture.__msgtype__))
    return path


def seen(pictures):
    """Return how many pictures there are, and a sum that tells whether they are the same ones."""
    count = total = 0
    for picture in pictures:
        if picture.shape != (HEIGHT, WIDTH, 3):
            raise ValueError(f'a picture of shape {picture.shape}')
        count += 1
        total += int(picture[::97, ::89].sum())
    return count, total


def sparse_ours(bag):
    with open_bag(bag) as opened:
        frames = Frames(opened, [CAMERA], rate_hz=WANTED_HZ, max_pixels=MAX_PIXELS)
        taken = (frames.take(message) for message in opened.messages(
            [CAMERA], wanted=frames.wanted))
        return seen(frame.picture for frame in taken if frame is not None)


def sparse_rosbags(bag):
    def pictures(reader):
        period, last = round(NS / WANTED_HZ), -1
        wanted = [c for c in reader.connections if c.topic == CAMERA]
        first = None
        for connection, ns, raw in reader.messages(connections=wanted):
            first = ns if first is None else first
            number = (ns - first + period // 20) // period
            if number > last:
                last = number
                yield as_picture(STORE.deserialize_cdr(raw, connection.msgtype))

    with Reader(bag) as reader:
        return seen(pictures(reader))


def all_ours(bag):
    with open_bag(bag) as opened:
        return seen(to_rgb(message.decode(), where='') for message in opened.messages([CAMERA]))


def all_rosbags(bag):
    with Reader(bag) as reader:
        wanted = [c for c in reader.connections if c.topic == CAMERA]
        return seen(as_picture(STORE.deserialize_cdr(raw, connection.msgtype))
                    for connection, _, raw in reader.messages(connections=wanted))


def all_mcap(bag):
    from mcap.reader import make_reader

    with next(bag.glob('*.mcap')).open('rb') as file:
        return seen(as_picture(STORE.deserialize_cdr(message.data, schema.name))
                    for schema, _, message in make_reader(file).iter_messages([CAMERA]))


def all_small_mcap(bag):
    import small_mcap

    with next(bag.glob('*.mcap')).open('rb') as file:
        return seen(as_picture(STORE.deserialize_cdr(message.data, schema.name))
                    for schema, _, message in small_mcap.read_message(
                        file, lambda channel, _: channel.topic == CAMERA))


def as_picture(message):
    return message.data.reshape(message.height, message.width, 3)


def timed(call, bag):
    start = time.perf_counter()
    result = call(bag)
    return time.perf_counter() - start, result


def in_turn(calls, bag):
    """Return the times of each call (s), taken in turn; raise where they saw other pictures."""
    times = {name: [] for name in calls}
    for turn in range(REPEATS + 1):
        results = set()
        for name, call in calls.items():
            seconds, result = timed(call, bag)
            results.add(result)
            if turn:  # the first turn fills the page cache
                times[name].append(seconds)
        if len(results) != 1:
            raise ValueError(f'readers that saw other pictures: {results}')
    return times


def sparse_claim(bag, size):
    times = in_turn({'rosbags': sparse_rosbags, 'ours': sparse_ours}, bag)
    ratios = [theirs / mine for theirs, mine in zip(times['rosbags'], times['ours'], strict=True)]
    return Claim(
        f'frames at {WANTED_HZ:g} Hz of {size:g} GB: speed, ours / rosbags', ratios, 'ratio',
        '>=', 1.3, absolute={f'{name} s': statistics.median(values)
                             for name, values in times.items()})


def dense_claims(bag, size):
    calls = {'rosbags': all_rosbags, 'mcap': all_mcap, 'small-mcap': all_small_mcap}
    title, reasons = f'all pictures of {size:g} GB: speed, ours /', {}
    for name in ('mcap', 'small-mcap'):
        try:
            __import__(name.replace('-', '_'))
        except ImportError as error:
            reasons[name] = str(error)
            del calls[name]
    times = in_turn({**calls, 'ours': all_ours}, bag)
    mine = times.pop('ours')
    total = sum(file.stat().st_size for file in bag.glob('*.mcap')) / 1e6
    fastest = min(times, key=lambda name: statistics.median(times[name]))
    speeds = {f'{name} MB/s': total / statistics.median(values)
              for name, values in {'ours': mine, **times}.items()}
    ratios = {name: [a / b for a, b in zip(values, mine, strict=True)]
              for name, values in times.items()}
    return [
        Claim(f'{title} a bare mcap loop', ratios.get('mcap', []), 'ratio', '>=', 0.9,
              reasons.get('mcap', '')),
        Claim(f'{title} the fastest of them', ratios[fastest], 'ratio', '>=', 0.9,
              f'{fastest}; {reasons["small-mcap"]}' if 'small-mcap' in reasons else fastest,
              absolute=speeds)]


def memory_claim(part, bag):
    """Compare the peak memory of processes that read a bag and a fifth of it."""
    peaks = {path: [float(subprocess.run(
        [sys.executable, __file__, '--read', str(path)], check=True, capture_output=True,
        text=True).stdout) for _ in range(3)] for path in (part, bag)}
    return Claim('all pictures: peak memory, whole bag / a fifth of it',
                 [whole / fifth for whole, fifth in zip(peaks[bag], peaks[part], strict=True)],
                 'ratio', '<=', 1.1,
                 absolute={'a fifth MB': statistics.median(peaks[part]),
                           'whole MB': statistics.median(peaks[bag])})


def peak_mb():
    """Return the most memory that this process had resident, mapped files and all (MB)."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError('no VmHWM in /proc/self/status')


if __name__ == '__main__':
    sys.exit(main())
