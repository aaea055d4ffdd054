# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever a recorder of ROS left behind can be read, or is named with the command that helps."""
from __future__ import annotations

import shutil
import sqlite3
import sys

import numpy as np
import pytest
from bag_factory import camera
from bag_factory import image
from bag_factory import write_bag
from bag_factory import write_bag1
from rosbags.rosbag1 import Reader as Reader1

from active_collection.bags.episodes import METADATA
from active_collection.bags.find import find_bags
from active_collection.bags.reader import open_bag
from active_collection.cli import main as command_line
from active_collection.errors import BagError
from active_collection.mcap.limits import Limits
from active_collection.recording.salvage.path import salvage_path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def stamps(path, **options):
    with open_bag(path, **options) as bag:
        for message in bag.messages():
            message.decode()
        return [message.receive_ns for message in bag.messages()]


def damages_of(path):
    told = []
    return stamps(path, on_damage=told.append), [str(damage) for damage in told]


@pytest.fixture(params=['WAL', 'DELETE'])
def journaled(request, tmp_path):
    """Give a bag whose writer died with half of the messages in its journal, or half written."""
    bag = write_bag(tmp_path / 'bag', camera(20), storage='sqlite3')
    file, = bag.glob('*.db3')
    whole = tmp_path / 'whole.db3'
    shutil.copyfile(file, whole)
    database = sqlite3.connect(whole, isolation_level=None)
    database.execute(f'PRAGMA journal_mode={request.param}')
    database.execute('PRAGMA cache_size=1')
    database.execute('BEGIN')
    if request.param == 'WAL':
        database.execute('DELETE FROM messages WHERE id > 10')
        database.execute('COMMIT')
    else:
        database.execute('DELETE FROM messages')
    for beside in tmp_path.glob('whole.db3*'):  # as they lie on the disk when the power goes
        if not beside.name.endswith('-shm'):
            shutil.copyfile(beside, bag / beside.name.replace(whole.name, file.name))
    database.close()
    return bag, 10 if request.param == 'WAL' else 20


def test_what_a_journal_says_of_a_database_is_read_and_nothing_is_changed(journaled):
    bag, count = journaled
    before = {file.name: file.read_bytes() for file in bag.iterdir()}
    file, = bag.glob('*.db3')

    got, told = damages_of(file)

    assert (len(got), told) == (count, [])
    assert {file.name: file.read_bytes() for file in bag.iterdir()} == before


def test_a_database_with_a_journal_that_is_too_large_to_copy_is_named(journaled):
    file, = journaled[0].glob('*.db3')
    with pytest.raises(BagError, match=r'with its journal, expected at most 1,000; .*salvage'):
        open_bag(file, limits=Limits(file_bytes=1000))


def test_a_split_that_the_metadata_does_not_list_is_named_and_salvaged(tmp_path):
    bag = write_bag(tmp_path / 'bag', camera(5))
    more = write_bag(tmp_path / 'more', camera(3, topic='/other'))
    shutil.copyfile(more / 'more.mcap', bag / 'bag_1.mcap')

    got, told = damages_of(bag)

    assert len(got) == 5
    assert told == [f'{bag}/bag_1.mcap: found a file that {METADATA} does not list, expected '
                    'every file in it; `active-collection salvage` makes a whole bag of what is '
                    'there']
    assert len(stamps(salvage_path(bag).path)) == 8


def test_a_bag_whose_file_was_renamed_names_what_helps_and_is_salvaged(tmp_path):
    bag = write_bag(tmp_path / 'bag', camera(5))
    (bag / 'bag.mcap').rename(bag / 'monday.mcap')

    with pytest.raises(BagError, match=r'bag\.mcap: found nothing, expected .*salvage'):
        open_bag(bag)

    assert len(stamps(salvage_path(bag).path)) == 5


def test_a_directory_without_its_metadata_names_what_helps(tmp_path):
    bag = write_bag(tmp_path / 'bag', camera(5))
    (bag / METADATA).unlink()
    with pytest.raises(BagError, match=f'without {METADATA}, .*salvage'):
        open_bag(bag)


@pytest.mark.parametrize('storage', ['sqlite3', 'mcap'])
def test_messages_that_were_compressed_one_by_one_are_so_without_the_metadata(tmp_path, storage):
    bag = write_bag(tmp_path / 'bag', camera(12), storage=storage, compression='message')
    whole = stamps(bag)
    (bag / METADATA).unlink()

    salvaged = salvage_path(bag)

    assert stamps(salvaged.path) == whole


@pytest.mark.parametrize('storage', ['sqlite3', 'mcap'])
@pytest.mark.parametrize('is_listed', [True, False])
def test_files_that_were_compressed_as_a_whole_are_salvaged(tmp_path, storage, is_listed):
    bag = write_bag(tmp_path / 'bag', camera(12), storage=storage, compression='file')
    whole = stamps(bag)
    if not is_listed:
        (bag / METADATA).unlink()
    packed, = bag.glob('*.zstd')

    assert stamps(salvage_path(bag).path) == whole
    assert stamps(salvage_path(packed).path) == whole


def test_of_a_compressed_file_that_was_cut_what_comes_out_is_kept(tmp_path):
    pictures = camera(40, period_ns=10_000_000)
    bag = write_bag(tmp_path / 'bag', pictures)
    plain, = bag.glob('*.mcap')
    packed = tmp_path / 'cut.mcap.zstd'
    data = b''.join(zstd.compress(plain.read_bytes()[at:at + 20_000])
                    for at in range(0, plain.stat().st_size, 20_000))
    packed.write_bytes(data[:len(data) * 2 // 3])

    salvaged = salvage_path(packed)

    assert 5 < salvaged.messages < 40
    assert 'cut.mcap.zstd: ' in salvaged.summary
    assert stamps(salvaged.path) == stamps(bag)[:salvaged.messages]


@pytest.mark.parametrize('name', ['run.bag.active', 'run.bag'])
@pytest.mark.parametrize('compression', ['none', 'bz2'])
def test_an_open_rosbag1_file_becomes_a_closed_one(tmp_path, name, compression):
    pixels = np.random.default_rng(1).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    entries = [(('/left', '/right')[n % 2], 10**18 + n * 1000,
                image(pixels, stamp_ns=n, ros1=True)) for n in range(40)]
    bag = write_bag1(tmp_path / 'whole.bag', entries, compression=compression)
    torn = tmp_path / name
    torn.write_bytes(bag.read_bytes()[:bag.stat().st_size * 9 // 10])

    salvaged = salvage_path(torn)

    assert salvaged.path == tmp_path / 'run_salvaged.bag'
    assert torn.exists() and not list(tmp_path.glob('.*'))
    with Reader1(bag) as reader:
        written = [(c.topic, c.digest, c.ext, t, bytes(raw)) for c, t, raw in reader.messages()]
    with Reader1(salvaged.path) as reader:
        kept = [(c.topic, c.digest, c.ext, t, bytes(raw)) for c, t, raw in reader.messages()]
    assert kept == written[:len(kept)] and len(kept) == salvaged.messages > 10


@pytest.mark.parametrize('name', ['run.bag.active', 'run.db3.zstd', 'run.mcap.zstd'])
def test_what_only_salvage_reads_names_it(tmp_path, name):
    (tmp_path / name).write_bytes(b'x')
    with pytest.raises(BagError, match='active-collection salvage'):
        find_bags([tmp_path / name])


@pytest.mark.parametrize('name', ['run.bag.active', 'run.bag', 'run.db3.zstd', 'run.mcap.zstd'])
@pytest.mark.parametrize('content', [b'', b'#ROSBAG V2.0\n', b'nonsense' * 1000])
def test_what_holds_nothing_is_named_in_one_line_and_leaves_nothing(
        tmp_path, capsys, name, content):
    (tmp_path / name).write_bytes(content)
    assert command_line.main(['salvage', str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert name in error and error.count('\n') == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]
