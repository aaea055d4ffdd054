# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The index of closed episodes: each once, in order, whoever changes the disk."""
import ctypes
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from active_collection.bags import episodes as bags
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.recording import episode_index
from active_collection.recording.episode_index import COLUMNS
from active_collection.recording.episode_index import EpisodeIndex
from active_collection.recording.index_file import INDEX
from active_collection.recording.metadata import planned
from active_collection.recording.metadata import replace_record
from active_collection.recording.metadata import write_metadata
from active_collection.recording.recorder_state import EpisodeEvent
from active_collection.recording.refusals import RefusedError
from active_collection.recording.store import EpisodeStore
from active_collection.scenario import Scenario

GOES_ON = threading.Event()


@pytest.fixture
def store(tmp_path):
    return EpisodeStore(tmp_path)


def close(store, episode_id, robot='arm'):
    """Put a closed episode on the disk and return what is told of it."""
    record = EpisodeRecord(episode_id, Scenario.of('pick', 'lab', {}), robot, Source.SCRIPTED,
                           started_ns=10**18, finished_ns=10**18 + 1, revision=1)
    directory = store.create(episode_id, record.started_ns)
    write_metadata(directory.path, planned(episode_id, ros_distro='kilted'), record)
    path = store.close(directory)
    return EpisodeEvent(record, True, store.relative(path))


def opened(store, robot='arm'):
    index = EpisodeIndex(store, robot=robot)
    index.scan(GOES_ON)
    return index


def listed(index, store_id='', after=0, limit=0):
    """Return (id, revision) of all episodes behind a position, and the last page."""
    found = []
    while True:
        page = index.since(store_id, after, limit=limit)
        found += [(event.record.episode_id, event.record.revision) for event in page.events]
        store_id, after = page.store_id, page.next
        if not page.has_more:
            return found, page


def test_pages_give_each_episode_once_in_the_order_of_closing(store):
    index = opened(store)
    ids = [f'e{k}' for k in (3, 1, 2, 5, 4)]
    for episode_id in ids:
        index.tell(close(store, episode_id))

    assert [name for name, _ in listed(index, limit=2)[0]] == ids
    page = listed(index)[1]
    assert listed(index, page.store_id, page.next)[0] == []


def test_an_amended_episode_comes_again_whoever_amended_it(store):
    index = opened(store)
    event = close(store, 'e1')
    index.tell(event)
    index.tell(close(store, 'e2'))
    page = listed(index)[1]

    replace_record(store.data / event.path, event.record.amended(outcome=Outcome.FAILURE))
    assert listed(index, page.store_id, page.next)[0] == []
    index.scan(GOES_ON)

    assert listed(index, page.store_id, page.next)[0] == [('e1', 2)]
    assert listed(index)[0] == [('e2', 1), ('e1', 2)]


def test_what_was_read_before_it_was_told_comes_once(store):
    index = opened(store)
    event = close(store, 'e1')
    index.scan(GOES_ON)
    page = listed(index)[1]

    index.tell(event)

    assert listed(index, page.store_id, page.next)[0] == []


def test_positions_outlive_the_recorder_and_nothing_is_read_twice(store, monkeypatch):
    index = opened(store)
    index.tell(close(store, 'e1'))
    page = listed(index)[1]
    index.close()
    close(store, 'e2')

    read = []
    monkeypatch.setattr(episode_index, 'read_record',
                        lambda path: read.append(path.name) or bags.read_record(path))
    again = opened(store)

    assert listed(again, page.store_id, page.next)[0] == [('e2', 1)]
    assert read == ['e2']


def test_a_wiped_data_directory_is_another_store(store):
    index = opened(store)
    for k in range(3):
        index.tell(close(store, f'e{k}'))
    page = listed(index)[1]
    index.close()
    for path in store.data.glob(f'{INDEX}*'):
        path.unlink()
    close(store, 'new')

    again = opened(store)

    assert again.since(page.store_id, page.next, limit=0).store_id != page.store_id
    assert len(listed(again, page.store_id, page.next)[0]) == 4


def test_an_index_from_a_backup_lists_from_the_start(store):
    index = opened(store)
    index.tell(close(store, 'e1'))
    page = listed(index)[1]

    assert listed(index, page.store_id, page.next + 5)[0] == [('e1', 1)]


def test_what_was_removed_is_not_listed_and_its_place_is_not_given_again(store):
    index = opened(store)
    event = close(store, 'e1')
    index.tell(event)
    page = listed(index)[1]
    for path in sorted((store.data / event.path).glob('*')):
        path.unlink()
    (store.data / event.path).rmdir()
    index.scan(GOES_ON)
    assert listed(index)[0] == []

    index.tell(close(store, 'e2'))

    assert listed(index, page.store_id, page.next)[0] == [('e2', 1)]


def test_recorders_that_share_a_directory_list_each_its_own(store):
    left, right = opened(store, 'left'), opened(store, 'right')
    left.tell(close(store, 'a', 'left'))
    assert listed(left)[0] == [('a', 1)]
    right.tell(close(store, 'b', 'right'))

    assert listed(right)[0] == [('b', 1)]
    assert listed(left)[0] == [('a', 1)]
    assert listed(opened(store, 'left'))[0] == [('a', 1)]


@pytest.mark.parametrize('content', [b'no database at all' * 100, b''])
def test_a_damaged_index_is_made_anew(store, content):
    close(store, 'e1')
    (store.data / INDEX).write_bytes(content)

    assert listed(opened(store))[0] == [('e1', 1)]
    assert listed(opened(store))[0] == [('e1', 1)]


def test_an_index_of_another_version_is_made_anew(store):
    close(store, 'e1')
    database = sqlite3.connect(store.data / INDEX)
    database.execute('CREATE TABLE episodes (other TEXT)')
    database.execute('PRAGMA user_version = 99')
    database.close()

    assert listed(opened(store))[0] == [('e1', 1)]


def test_where_no_file_can_be_made_it_is_kept_in_memory(store):
    close(store, 'e1')
    (store.data / INDEX).mkdir()

    index = opened(store)
    index.tell(close(store, 'e2'))

    assert listed(index)[0] == [('e1', 1), ('e2', 1)]


def test_an_index_that_is_damaged_while_it_is_used_is_made_anew(store):
    index = opened(store)
    index.tell(close(store, 'e1'))
    page = listed(index)[1]
    Path(store.data / INDEX).write_bytes(b'torn' * 4096)

    index.tell(close(store, 'e2'))
    with pytest.raises(RefusedError):
        index.since('', 0, limit=0)
    index.scan(GOES_ON)

    found, again = listed(index, page.store_id, page.next)
    assert sorted(found) == [('e1', 1), ('e2', 1)]
    assert again.store_id != page.store_id
    index.close()
    assert listed(opened(store))[1].store_id == again.store_id


def test_before_the_disk_was_looked_through_it_refuses(store):
    event = close(store, 'e1')
    index = EpisodeIndex(store, robot='arm')
    index.tell(event)

    with pytest.raises(RefusedError, match='still being made'):
        index.since('', 0, limit=0)


def test_damaged_and_open_episodes_are_not_listed(store):
    close(store, 'e1')
    torn = store.data / close(store, 'torn').path / bags.METADATA
    torn.write_text('{')
    store.create('open', 10**18)

    assert listed(opened(store))[0] == [('e1', 1)]


def test_what_could_not_be_read_is_read_again(store):
    event = close(store, 'e1')
    path = store.data / event.path / bags.METADATA
    whole, stamp = path.read_text(), path.stat()
    path.write_text('{' * len(whole))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    index = opened(store)
    assert listed(index)[0] == []

    path.write_text(whole)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    index.scan(GOES_ON)

    assert listed(index)[0] == [('e1', 1)]


def test_a_page_is_bounded_by_its_records(store, monkeypatch):
    monkeypatch.setattr(episode_index, 'PAGE_SIZE', 1)
    for k in range(3):
        close(store, f'e{k}')
    index = opened(store)

    assert len(index.since('', 0, limit=0).events) == 1
    assert len(listed(index)[0]) == 3


def test_where_nobody_asks_what_was_told_does_not_pile_up(store, monkeypatch):
    monkeypatch.setattr(episode_index, 'MOST_TOLD', 3)
    index = EpisodeIndex(store, robot='arm')
    names = [f'e{number}' for number in range(8)]

    for name in names:
        index.tell(close(store, name))

    assert len(index._changed) == 3
    index.scan(GOES_ON)
    assert sorted(name for name, _ in listed(index)[0]) == names


def test_a_long_index_takes_little_memory(store):
    index = opened(store)
    record = close(store, 'e1').record.to_json()
    with sqlite3.connect(store.data / INDEX) as database:
        database.executemany(
            f'INSERT INTO episodes ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
            ((f'episodes/2026-01-01/e{number}', 'stamp', 'arm', record + ' ' * 1000, 'success', 1,
              1, 1) for number in range(4000)))
    allocated = in_use()

    with index._file.using() as database:
        for _ in database.execute('SELECT path, stamp FROM episodes'):
            pass

    assert in_use() - allocated < 1_000_000


class MallocInformation(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        'arena', 'ordblks', 'smblks', 'hblks', 'hblkhd', 'usmblks', 'fsmblks', 'uordblks',
        'fordblks', 'keepcost')]


def in_use():
    """Return what the C library has given out (bytes)."""
    library = ctypes.CDLL(None)
    if not hasattr(library, 'mallinfo2'):
        pytest.skip('this C library does not tell')
    library.mallinfo2.restype = MallocInformation
    told = library.mallinfo2()
    return told.uordblks + told.hblkhd
