# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Retention, the list and the recent rate ask the index, and the directories stay the truth."""
from __future__ import annotations

import os
import sqlite3
import threading

import pytest
import yaml

from active_collection.bags import episodes as bags
from active_collection.bags.episodes import METADATA
from active_collection.cli import main as command_line
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.recording import write_rate
from active_collection.recording.episode_index import EpisodeIndex
from active_collection.recording.index_file import INDEX
from active_collection.recording.metadata import planned
from active_collection.recording.metadata import replace_record
from active_collection.recording.metadata import write_metadata
from active_collection.recording.refusals import RefusedError
from active_collection.recording.retention import choose
from active_collection.recording.settings import RetentionRules
from active_collection.recording.store import EpisodeStore
from active_collection.recording.write_rate import WriteRate
from active_collection.scenario import Scenario

GOES_ON = threading.Event()
SECOND = 10**9
START_NS = 10**18
RULES = RetentionRules(only_synced=False, outcomes=('success',), maximum_age_days=1)
NOW_NS = START_NS + 10 * 24 * 3600 * SECOND


@pytest.fixture
def store(tmp_path):
    return EpisodeStore(tmp_path)


@pytest.fixture
def parsed(monkeypatch):
    """Note whose metadata.yaml is parsed."""
    paths = []
    parse = bags.read_metadata
    monkeypatch.setattr(
        bags, 'read_metadata', lambda path: paths.append(path.parent.name) or parse(path))
    return paths


def close(store, number, *, outcome=Outcome.SUCCESS, robot='arm', size=1000):
    started = START_NS + number * 60 * SECOND
    record = EpisodeRecord(f'e{number}', Scenario.of('pick', 'lab', {}), robot, Source.SCRIPTED,
                           started_ns=started, finished_ns=started + 10 * SECOND, outcome=outcome)
    directory = store.create(record.episode_id, record.started_ns)
    write_metadata(directory.path, planned(record.episode_id, ros_distro='kilted'), record)
    messages = directory.path / f'e{number}_0.mcap'
    messages.write_bytes(bytes(size))
    os.utime(messages, ns=(started, started))
    return store.close(directory), record


def opened(store, robot='arm'):
    index = EpisodeIndex(store, robot=robot)
    index.scan(GOES_ON, share=1.0)
    return index


def chosen(index, rules=RULES):
    return [removal.path.name for removal in choose(index, rules, now_ns=NOW_NS)]


def test_retention_parses_only_what_it_removes(store, parsed):
    for number in range(10):
        close(store, number, outcome=Outcome.SUCCESS if number == 3 else Outcome.FAILURE)
    index = opened(store)
    parsed.clear()

    for _ in range(3):
        index.scan(GOES_ON)
        assert chosen(index) == ['e3']

    assert parsed == ['e3'] * 3


def test_retention_waits_for_an_index_that_is_being_made(store):
    close(store, 1)
    with pytest.raises(RefusedError):
        chosen(EpisodeIndex(store, robot='arm'))


@pytest.mark.parametrize('lie', [
    "UPDATE episodes SET outcome = 'success'", 'UPDATE episodes SET finished_ns = 1',
    "UPDATE episodes SET path = '../outside'", "UPDATE episodes SET path = '/etc'"])
def test_an_index_that_lies_removes_nothing_and_is_corrected(store, lie):
    path, _ = close(store, 1, outcome=Outcome.FAILURE)
    outside = store.data.parent / 'outside'
    outside.mkdir(exist_ok=True)
    index = opened(store)
    with sqlite3.connect(store.data / INDEX) as database:
        database.execute(lie)

    assert chosen(index, RetentionRules(
        only_synced=False, outcomes=('success', 'failure', 'unknown'), maximum_age_days=1)) in (
            [], ['e1'])
    assert chosen(index) == []
    index.scan(GOES_ON)

    [closed] = index.closed()
    assert (closed.path, closed.outcome) == (path, 'failure')
    assert outside.is_dir()


def test_an_amendment_behind_the_index_is_no_reason_to_remove(store):
    path, record = close(store, 1)
    index = opened(store)
    replace_record(path, record.amended(outcome=Outcome.FAILURE))
    assert chosen(index) == []


def test_episodes_that_cannot_be_read_count_and_stay(store):
    for number in range(3):
        close(store, number)
    (close(store, 3)[0] / METADATA).write_text('{')
    index = opened(store)
    rules = {'only_synced': False, 'outcomes': ('success',)}
    assert chosen(index, RetentionRules(**rules, maximum_episodes=3)) == ['e0']
    assert len(chosen(index, RetentionRules(**rules, maximum_bytes=4000))) >= 1
    assert len(index.closed()) == 4


def test_the_list_parses_each_episode_once(store, parsed, capsys):
    for number in range(4):
        close(store, number, robot=f'arm_{number % 2}')
    assert command_line.main(['episodes', 'list', str(store.data)]) == 0
    first = capsys.readouterr().out
    assert len(parsed) == 4
    path, record = close(store, 4)
    replace_record(path, record.amended(outcome=Outcome.FAILURE))
    parsed.clear()

    assert command_line.main(['episodes', 'list', str(store.data)]) == 0

    second = capsys.readouterr().out
    assert second.startswith(first) and second.count('\n') == 5 and 'failure' in second
    assert parsed == ['e4']


def test_the_list_says_what_cannot_be_read_and_lists_the_others(store, capsys):
    close(store, 1)
    path, _ = close(store, 2)
    (path / METADATA).write_text('{')
    assert command_line.main(['episodes', 'list', str(store.data)]) == 0
    output = capsys.readouterr()
    assert output.out.count('\n') == 1 and str(path) in output.err


def test_the_list_of_another_user_s_directory_writes_nothing_there(
        store, parsed, monkeypatch, capsys):
    close(store, 1)
    index = opened(store)
    close(store, 2)
    index.close()
    before = (store.data / INDEX).read_bytes()
    monkeypatch.setattr(os, 'geteuid', lambda: store.data.stat().st_uid + 1)
    parsed.clear()

    assert command_line.main(['episodes', 'list', str(store.data)]) == 0

    assert capsys.readouterr().out.count('\n') == 2
    assert parsed == ['e2']
    assert (store.data / INDEX).read_bytes() == before


def test_a_damaged_index_lists_all_the_same(store, capsys):
    close(store, 1)
    (store.data / INDEX).write_bytes(b'no database at all' * 100)
    assert command_line.main(['episodes', 'list', str(store.data)]) == 0
    assert command_line.main(['episodes', 'list', str(store.data)]) == 0
    assert capsys.readouterr().out.count('\n') == 2


def test_a_record_that_is_none_is_read_from_its_directory(store, capsys):
    close(store, 1)
    index = opened(store)
    index.close()
    with sqlite3.connect(store.data / INDEX) as database:
        database.execute("UPDATE episodes SET record = '{\"format\": 99}'")
    assert command_line.main(['episodes', 'list', str(store.data)]) == 0
    assert 'e1' in capsys.readouterr().out


def test_an_index_of_the_version_before_is_made_anew(store):
    close(store, 1)
    with sqlite3.connect(store.data / INDEX) as database:
        database.execute('CREATE TABLE episodes (path TEXT, stamp TEXT)')
        database.execute('PRAGMA user_version = 1')
    assert len(opened(store).closed()) == 1


def test_the_first_start_of_a_robot_parses_nobody_else_s_episodes(store, parsed):
    for number in range(8):
        close(store, number, robot='other')
    rate = WriteRate(store, robot='arm')
    rate.earlier = opened(store).recent
    parsed.clear()
    assert rate.mean() == 0.0
    assert len(parsed) <= write_rate.LOOKED_AT

    for number in range(8, 15):
        close(store, number, size=10_000 * number)
    index = opened(store)
    parsed.clear()
    rate = WriteRate(store, robot='arm')
    rate.earlier = index.recent
    assert rate.mean() == pytest.approx(10_000 * 12 / 10, rel=0.05)
    assert parsed == []


def test_where_no_index_knows_a_bounded_number_is_parsed(store, parsed, monkeypatch):
    monkeypatch.setattr(write_rate, 'LOOKED_AT', 3)
    for number in range(6):
        close(store, number, robot='other')
    assert WriteRate(store, robot='arm').mean() == 0.0
    assert len(parsed) == 3


def test_a_bag_without_a_record_is_known_and_not_listed(store):
    path, _ = close(store, 1)
    content = yaml.safe_load((path / METADATA).read_text())
    content['rosbag2_bagfile_information']['custom_data'] = None
    (path / METADATA).write_text(yaml.safe_dump(content))
    index = opened(store, robot='')
    assert [closed.outcome for closed in index.closed()] == ['']
    assert index.since('', 0, limit=0).events == ()
    assert chosen(index) == []
