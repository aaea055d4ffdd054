# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is left of a rosbag2 bag in an SQLite file becomes a whole bag."""
from __future__ import annotations

import ctypes
import random
import signal
import sqlite3
import subprocess
import sys

import pytest
from rosbags.rosbag2 import Reader
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore

from active_collection.cli import main as command_line
from active_collection.errors import RecordingError
from active_collection.recording.salvage.path import salvage_path

COUNT = 2000
TYPE = 'std_msgs/msg/String'


@pytest.fixture(scope='module')
def whole_bag(tmp_path_factory):
    """Return a bag of numbered messages, each of another length."""
    path = tmp_path_factory.mktemp('whole') / 'bag'
    types = get_typestore(Stores.ROS2_JAZZY)
    with Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connections = [writer.add_connection(topic, TYPE, typestore=types)
                       for topic in ('/a', '/b')]
        for number in range(COUNT):
            message = types.types[TYPE](f'{number:06d}' + 'x' * (number * 7 % 6000))
            writer.write(connections[number % 2], 10**9 + number,
                         types.serialize_cdr(message, TYPE))
    return path


def numbers(path):
    types = get_typestore(Stores.ROS2_JAZZY)
    with Reader(path) as reader:
        texts = [types.deserialize_cdr(raw, c.msgtype).data for c, _, raw in reader.messages()]
        assert reader.message_count == len(texts)
    assert all(len(text) == 6 + int(text[:6]) * 7 % 6000 for text in texts), 'a changed message'
    return [int(text[:6]) for text in texts]


def torn_copy(whole_bag, directory, *, keep):
    """Copy the bag's file without its metadata, as far as the given share of it."""
    directory.mkdir()
    data = (whole_bag / 'bag.db3').read_bytes()
    (directory / 'bag.db3').write_bytes(data[:int(len(data) * keep)])
    return directory


@pytest.mark.parametrize('keep', [0.2, 0.5, 0.9])
def test_truncated_file_keeps_every_message_that_is_whole(whole_bag, tmp_path, keep, capsys):
    torn = torn_copy(whole_bag, tmp_path / 'torn', keep=keep)
    before = (torn / 'bag.db3').read_bytes()
    assert command_line.main(['salvage', str(torn)]) == 0
    out = capsys.readouterr().out
    kept = numbers(tmp_path / 'torn_salvaged')
    assert kept == sorted(kept) and len(kept) > (keep - 0.1) * COUNT
    assert f'kept {len(kept)} messages' in out and 'gave up' in out and 'bag.db3: ends at' in out
    assert (torn / 'bag.db3').read_bytes() == before
    assert [path.name for path in torn.iterdir()] == ['bag.db3']


def test_bag_that_lacks_only_its_metadata_is_kept_whole(whole_bag, tmp_path):
    torn = torn_copy(whole_bag, tmp_path / 'torn', keep=1.0)
    salvaged = salvage_path(torn / 'bag.db3', tmp_path / 'out')
    assert salvaged.damages == '' and numbers(tmp_path / 'out') == list(range(COUNT))


@pytest.mark.parametrize('seed', range(8))
def test_damaged_pages_cost_only_what_is_on_them(whole_bag, tmp_path, seed):
    rng = random.Random(seed)
    torn = torn_copy(whole_bag, tmp_path / 'torn', keep=1.0)
    data = bytearray((torn / 'bag.db3').read_bytes())
    for _ in range(3):
        at = rng.randrange(20, len(data) // 4096) * 4096
        data[at:at + 4096] = bytes(4096)
    (torn / 'bag.db3').write_bytes(bytes(data))
    try:
        salvage_path(torn, tmp_path / 'out')
    except RecordingError:
        return
    with sqlite3.connect(tmp_path / 'out' / 'bag.db3') as database:
        assert database.execute('PRAGMA integrity_check').fetchone() == ('ok',)
    with Reader(tmp_path / 'out') as reader:
        assert reader.message_count == sum(1 for _ in reader.messages()) > 0


WRITER = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute('PRAGMA journal_mode=' + sys.argv[2])
database.execute('PRAGMA cache_size=10')
for number in range(10**6):
    if number % 100 == 0:
        if number:
            database.execute('COMMIT')
        os.write(1, b'%d\\n' % number)
        database.execute('BEGIN')
    stamp = 2 * 10**9 + number
    database.execute('INSERT INTO messages VALUES (NULL, 1, ?, ?)', (stamp, bytes(1000)))
"""


@pytest.mark.parametrize('mode', ['DELETE', 'WAL'])
def test_killed_in_a_transaction_keeps_every_one_that_was_finished(whole_bag, tmp_path, mode):
    # given a recorder that is killed while its journal is hot
    torn = torn_copy(whole_bag, tmp_path / 'torn', keep=1.0)
    process = subprocess.Popen(
        [sys.executable, '-c', WRITER, str(torn / 'bag.db3'), mode], stdout=subprocess.PIPE,
        preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL))  # noqa: PLW1509
    for _ in range(20):
        assert process.stdout.readline(), 'the writer did not start'
    process.kill()
    finished = int((process.stdout.read().splitlines() or [b'1900'])[-1])
    process.wait()
    process.stdout.close()
    # when its bag is salvaged
    salvage_path(torn, tmp_path / 'out')
    # then every transaction is there whole or not at all
    with Reader(tmp_path / 'out') as reader:
        added = reader.message_count - COUNT
    assert finished <= added <= finished + 100 and added % 100 == 0


@pytest.mark.parametrize('content', [b'', b'SQLite format 3\0', b'SQLite format 3\0' * 1000,
                                     b'nonsense' * 100])
def test_what_is_no_bag_is_named(tmp_path, capsys, content):
    (tmp_path / 'x.db3').write_bytes(content)
    assert command_line.main(['salvage', str(tmp_path / 'x.db3')]) == 2
    error = capsys.readouterr().err
    assert 'x.db3' in error and error.count('\n') == 1
    assert [path.name for path in tmp_path.iterdir()] == ['x.db3']
