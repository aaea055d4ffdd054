# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Real bags for tests, written by rosbags: synthetic cameras, episode records, estimates."""
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat
from rosbags.rosbag2 import CompressionMode
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores
from rosbags.typesys import get_types_from_msg
from rosbags.typesys import get_typestore

from active_collection.episode import CUSTOM_DATA_KEY
from active_collection.episode import EpisodeRecord

START_NS = 1_700_000_000_000_000_000
IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
JOINTS = 'sensor_msgs/msg/JointState'
ESTIMATE = 'active_collection/msg/UncertaintyEstimate'
ACTOR = 'active_collection/msg/Actor'
MESSAGES = Path(__file__).resolve().parents[1] / 'msg'


def _ros2_store() -> Any:
    store = get_typestore(Stores.ROS2_JAZZY)
    for name in ('UncertaintySummary', 'UncertaintyEstimate', 'Actor'):
        text = (MESSAGES / f'{name}.msg').read_text()
        text = text.replace('UncertaintySummary ep', 'active_collection/UncertaintySummary ep')
        store.register(get_types_from_msg(text, f'active_collection/msg/{name}'))
    return store


STORE = _ros2_store()
STORE1 = get_typestore(Stores.ROS1_NOETIC)


def header(stamp_ns: int, *, ros1: bool = False) -> Any:
    types = (STORE1 if ros1 else STORE).types
    stamp = types['builtin_interfaces/msg/Time'](stamp_ns // 10**9, stamp_ns % 10**9)
    if ros1:
        return types['std_msgs/msg/Header'](0, stamp, 'camera')
    return types['std_msgs/msg/Header'](stamp, 'camera')


def image(pixels: np.ndarray, encoding: str = 'rgb8', *, stamp_ns: int = START_NS,
          ros1: bool = False, padding: int = 0, big_endian: bool = False) -> Any:
    """An Image of (H, W) or (H, W, C) pixels; `padding` bytes end each row."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    types = (STORE1 if ros1 else STORE).types
    return types[IMAGE](header(stamp_ns, ros1=ros1), height, width, encoding, int(big_endian),
                        rows.shape[1], rows.reshape(-1))


def compressed(data: bytes, form: str = 'jpeg', *, stamp_ns: int = START_NS) -> Any:
    return STORE.types[COMPRESSED](header(stamp_ns), form, np.frombuffer(data, np.uint8))


def actor(stamp_ns: int, number: int, episode_id: str = '') -> Any:
    return STORE.types[ACTOR](header=header(stamp_ns), actor=number, episode_id=episode_id)


def joints(stamp_ns: int = START_NS) -> Any:
    values = np.arange(7, dtype=np.float64)
    return STORE.types[JOINTS](header(stamp_ns), [f'joint_{i}' for i in range(7)], values,
                               values, values)


def estimate(stamp_ns: int, epistemic: float, *, aleatoric: float = 0.1,
             novelty: float = 1.0) -> Any:
    duration = STORE.types['builtin_interfaces/msg/Duration'](0, 0)
    summary = STORE.types['active_collection/msg/UncertaintySummary'](
        '', '', 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
        STORE.types['builtin_interfaces/msg/Time'](0, 0), [], np.zeros(0, np.uint32),
        np.zeros(0))
    return STORE.types[ESTIMATE](
        header=header(stamp_ns), ensemble_id='ensemble', epistemic=epistemic, aleatoric=aleatoric,
        total=epistemic + aleatoric, novelty=novelty, novelty_p_value=0.5,
        novelty_p_value_smallest=0.05,
        epistemic_per_dimension=np.zeros(4, np.float32),
        epistemic_per_step=np.zeros(1, np.float32), member_disagreement=np.zeros(2, np.float32),
        horizon=1, action_mean=np.zeros(4, np.float32), measure='variance', threshold=0.5,
        high=False, latency=duration, episode=summary)


def scene(number: int, *, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    """A picture (H, W, 3) uint8 of its own for every number, same number, same picture."""
    rng = np.random.default_rng(number)
    rough = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.repeat(np.repeat(rough, size[0] // 4, 0), size[1] // 4, 1)


Entry = tuple[str, int, Any]


def write_bag(path: Path, entries: Iterable[Entry], *, storage: str = 'mcap',
              compression: str = 'none', record: EpisodeRecord | None = None) -> Path:
    """
    Write a rosbag2 directory.

    :param entries: (topic, receive_ns, message)
    :param storage: 'mcap' or 'sqlite3'
    :param compression: 'none', 'file', 'message' or 'storage' (chunks)
    """
    plugin = StoragePlugin.MCAP if storage == 'mcap' else StoragePlugin.SQLITE3
    writer = Writer2(path, version=9, storage_plugin=plugin)
    if compression != 'none':
        writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer:
        connections: dict[str, Any] = {}
        for topic, receive_ns, message in entries:
            if topic not in connections:
                connections[topic] = writer.add_connection(
                    topic, message.__msgtype__, typestore=STORE)
            writer.write(connections[topic], receive_ns,
                         STORE.serialize_cdr(message, message.__msgtype__))
    if record is not None:
        metadata = path / 'metadata.yaml'
        data = yaml.safe_load(metadata.read_text())
        data['rosbag2_bagfile_information']['custom_data'] = {CUSTOM_DATA_KEY: record.to_json()}
        metadata.write_text(yaml.safe_dump(data))
    return path


def write_bag1(path: Path, entries: Iterable[Entry], *, compression: str = 'none') -> Path:
    """Write a rosbag1 file; messages come from STORE1."""
    writer = Writer1(path)
    if compression != 'none':
        writer.set_compression(Writer1.CompressionFormat[compression.upper()])
    with writer:
        connections: dict[str, Any] = {}
        for topic, receive_ns, message in entries:
            if topic not in connections:
                connections[topic] = writer.add_connection(
                    topic, message.__msgtype__, typestore=STORE1)
            writer.write(connections[topic], receive_ns,
                         bytes(STORE1.serialize_ros1(message, message.__msgtype__)))
    return path


def camera(count: int, *, period_ns: int = 100_000_000, topic: str = '/camera/image_raw',
           first: int = 0, start_ns: int = START_NS, latency_ns: int = 1_000_000,
           size: tuple[int, int] = (24, 32)) -> list[Entry]:
    """`count` different frames, one every period, each received `latency_ns` after its stamp."""
    stamps = [start_ns + i * period_ns for i in range(count)]
    return [(topic, stamp + latency_ns, image(scene(first + i, size=size), stamp_ns=stamp))
            for i, stamp in enumerate(stamps)]
