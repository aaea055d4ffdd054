# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger: one writer, nothing half written, refused when it is not sound."""
import contextlib
import json
import sqlite3
import subprocess

import pytest
from fleets import START
from fleets import STEPS
from fleets import S
from fleets import play
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.errors import SchedulingError
from active_collection.scheduling.beliefs.task_field import Level
from active_collection.scheduling.encoding import encode
from active_collection.scheduling.events import KINDS
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import ModeChanged
from active_collection.scheduling.events import decode
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.ledger.replay import remember
from active_collection.scheduling.ledger.schema import MIGRATIONS
from active_collection.scheduling.ledger.schema import VERSION
from active_collection.scheduling.ledger.verification import problems


def test_events_read_back_as_they_were_written(fleet):
    one = fleet()
    one.collect(ensemble='e1')
    one.scheduler.pause(one.now)

    entries = list(one.ledger.entries())

    assert [e.sequence for e in entries] == list(range(1, len(entries) + 1))
    assert {e.event.kind for e in entries} == {
        'started', 'assigned', 'ensemble', 'finished', 'mode'}
    for entry in entries:
        assert decode(entry.event.kind, encode(entry.event), where='here') == entry.event


def test_a_second_writer_is_refused_and_a_reader_is_not(fleet):
    one = fleet()
    one.collect()

    with pytest.raises(SchedulingError, match='another scheduler'):
        Ledger(one.path)
    with LedgerReader(one.path) as reader:
        assert reader.last_sequence() == one.scheduler.fleet.sequence


@pytest.mark.parametrize('content', [b'not a database' * 100, b'SQLite format 3\0' + b'\7' * 5000])
def test_a_damaged_file_is_refused_with_a_way_out_and_left_alone(tmp_path, content):
    path = tmp_path / 'ledger.sqlite3'
    path.write_bytes(content)

    for kind in (Ledger, LedgerReader):
        with pytest.raises(SchedulingError, match=r'ledger.sqlite3.*move it away'):
            kind(path)
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ['ledger.sqlite3']


def test_a_sound_ledger_on_a_full_disk_is_not_called_damaged(fleet, tmp_path):
    one = fleet()
    one.collect()
    one.ledger.close()
    sound = one.path.read_bytes()
    one.__post_init__()
    disk = tmp_path / 'disk'
    disk.mkdir()
    mount = subprocess.run(
        ['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', str(disk)], capture_output=True)
    if mount.returncode:
        pytest.skip('a small file system needs the right to mount one')
    try:
        path = disk / 'ledger.sqlite3'
        path.write_bytes(sound)
        with contextlib.suppress(OSError), (disk / 'filler').open('wb', buffering=0) as filler:
            while True:
                filler.write(b'0' * 4096)

        with pytest.raises(SchedulingError, match=r'ledger\.sqlite3') as raised:
            Ledger(path)

        assert 'move it away' not in str(raised.value)
        assert path.read_bytes() == sound
    finally:
        subprocess.run(['umount', '-l', str(disk)], check=True)


def test_damage_within_is_found_and_refused(fleet):
    one = fleet(snapshot_events=10**6)
    for _ in range(60):
        one.collect()
    one.ledger.close()
    data = bytearray(one.path.read_bytes())
    data[8192:20480] = b'\xff' * 12288
    one.path.write_bytes(data)

    with pytest.raises(SchedulingError, match='move it away'):
        one.__post_init__()
    with LedgerReader(one.path) as reader:
        assert reader.damage()


def test_another_programs_database_is_refused(tmp_path):
    path = tmp_path / 'other.sqlite3'
    with sqlite3.connect(path) as connection:
        connection.execute('CREATE TABLE mine (x)')

    with pytest.raises(SchedulingError, match='another program'):
        Ledger(path)


def test_a_ledger_of_a_later_release_is_refused(fleet):
    one = fleet()
    one.ledger.close()
    with sqlite3.connect(one.path) as connection:
        connection.execute('PRAGMA user_version = 99')

    with pytest.raises(SchedulingError, match='version 99'):
        Ledger(one.path)
    with sqlite3.connect(one.path) as connection:
        connection.execute(f'PRAGMA user_version = {VERSION}')
    one.__post_init__()


# What the first release wrote: a start, a lease that came back, one that is out, an order.
FIRST = [
    ('started', '', '', {'space': None, 'settings': '{"seed": 4, "rule": "ensemble"}'}),
    ('assigned', 'a1', 'push', {
        'assignment_id': 'a1', 'request': {'robot': 'arm1', 'collectors': ['scripted']},
        'scenario': {'task': 'push', 'environment': 'lab', 'configuration': [['x', 0.0]]},
        'collector': 'scripted', 'reset_required': True, 'deadline_ns': START, 'time_limit_s': 60,
        'rule': 'ensemble', 'score': 1.0, 'terms': [], 'runners_up': [], 'ensemble_id': ''}),
    ('finished', 'e1', 'push', {
        'episode_id': 'e1', 'revision': 1, 'robot': 'arm1', 'assignment_id': 'a1',
        'result': {'scenario': {'task': 'push', 'environment': 'lab',
                                'configuration': [['x', 0.0]]},
                   'source': 'scripted', 'outcome': 'success', 'epoch': 0},
        'previous': None, 'fulfils': True}),
    ('assigned', 'a2', 'pour', {
        'assignment_id': 'a2', 'request': {'robot': 'arm2', 'collectors': ['scripted']},
        'scenario': {'task': 'pour', 'environment': 'lab'}, 'collector': 'scripted',
        'reset_required': True, 'deadline_ns': START, 'time_limit_s': 60, 'rule': 'ensemble',
        'score': 1.0, 'terms': [], 'runners_up': [], 'ensemble_id': ''}),
    ('steered', 'push', '', {
        'command': 'ban', 'task': 'push', 'environment': '', 'factor': 1.0, 'until_ns': 0,
        'author': 'ann', 'reason': 'worn'}),
    ('mode', '', '', {'mode': 'running', 'reason': 'go on'}),
]
FIRST_BOOKS = {
    'sequence': 5, 'mode': ['running', ''], 'revoked': 0,
    'beliefs': {'ensembles': [],
                'tasks': {'push': {'0': [0, 0, 1, 0, 0, 0, 0, 0.0, 0, 0.0, 0.0]}}},
    'steering': [json.dumps(FIRST[4][3])],
    'leases': [[START, json.dumps(FIRST[3][3])]], 'retries': [], 'recent': ['push', 'pour'],
    'scenes': {}}


@pytest.mark.parametrize('has_snapshot', [False, True])
def test_a_ledger_of_the_first_version_is_taken_over(fleet, space, has_snapshot):
    one = fleet()
    one.ledger.close()
    one.path.unlink()
    with contextlib.closing(sqlite3.connect(one.path)) as connection, connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement.format(integer='INTEGER', table='STRICT'))
        connection.execute(f'PRAGMA application_id = {0x41436C64}')
        connection.execute('PRAGMA user_version = 1')
        for k, (kind, subject, task, fields) in enumerate(FIRST):
            of_the_start = {'space': space.model_dump_json()} if kind == 'started' else {}
            detail = {**fields, **of_the_start}
            connection.execute('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)',
                               (k + 1, START, kind, subject, task, json.dumps(detail)))
        if has_snapshot:
            connection.execute('INSERT INTO snapshots VALUES (5, ?)', (json.dumps(FIRST_BOOKS),))

    one.__post_init__()

    with contextlib.closing(sqlite3.connect(one.path)) as connection:
        assert connection.execute('PRAGMA user_version').fetchone() == (VERSION,)
    assert one.scheduler.status(one.now).episodes == 1
    assert one.ask('arm2').assignment_id == 'a2'
    assert 'push' not in {one.collect('arm1').scenario.task for _ in range(9)}
    assert problems(one.ledger) == []


def test_a_missing_ledger_is_made_for_writing_and_not_for_reading(tmp_path):
    with pytest.raises(SchedulingError, match='no such file'):
        LedgerReader(tmp_path / 'none.sqlite3')

    Ledger(tmp_path / 'deep' / 'new.sqlite3').close()

    with LedgerReader(tmp_path / 'deep' / 'new.sqlite3') as reader:
        assert reader.last_sequence() == 0
        assert remember(reader) is None


def test_a_broken_batch_leaves_nothing(fleet):
    one = fleet()
    last = one.ledger.last_sequence()
    bad = [Entry(last + k, 0, ModeChanged('paused', 'a')) for k in (1, 0)]

    with pytest.raises(SchedulingError):
        one.ledger.append(bad)

    one.ledger.reopen(lambda: None)
    assert one.ledger.last_sequence() == last


@given(before=STEPS, after=STEPS, interval=st.sampled_from([1, 7, 1000]))
@settings(max_examples=25, deadline=None)
def test_a_restart_at_any_instant_goes_on_as_if_nothing_had_happened(
        tmp_path_factory, before, after, interval):
    from fleets import SPACE
    from fleets import Fleet

    from active_collection.config import parse
    from active_collection.scenario import ScenarioSpace
    from active_collection.scheduling.settings import SchedulerSettings

    path = tmp_path_factory.mktemp('ledger') / 'a.sqlite3'
    one = Fleet(parse(SPACE, ScenarioSpace, where='space'), path,
                SchedulerSettings(lease_s=1000), snapshot_events=interval)
    play(one, before)
    alive = one.scheduler.fleet.to_dict()
    one.restart()
    restarted = one.scheduler.fleet.to_dict()
    restarted['sequence'] -= 1

    assert restarted == alive
    play(one, after)
    folded = remember(one.ledger)
    assert folded.to_dict() == one.scheduler.fleet.to_dict()
    for task in ('pick', 'push'):
        fields = [fleet.fields.task(task) for fleet in (folded, one.scheduler.fleet)]
        bests = [field.best('failure', Level(0.4, 0.1)) for field in fields]
        assert fields[0].environments == ('kitchen', 'lab')
        assert (bests[0].gain == bests[1].gain).all()
        assert (bests[0].candidate == bests[1].candidate).all()
    one.close()


def test_a_restart_renews_the_leases_it_finds(fleet):
    one = fleet(lease_s=5)
    held = one.grant()
    one.now += 1000 * S
    one.restart()
    one.wait(3)

    assert one.grant().assignment_id == held.assignment_id
    assert one.scheduler.status(one.now).revoked == 0


def test_a_restart_under_other_settings_keeps_what_was_learnt(fleet):
    one = fleet()
    for _ in range(5):
        one.collect(ensemble='e1')
    one.settings = one.settings.model_copy(update={'rule': 'uniform', 'attempts': 5})
    one.restart()

    assert one.scheduler.status(one.now).episodes == 5
    assert one.grant().rule == 'uniform'


def test_a_restart_without_a_task_keeps_its_past(fleet):
    one = fleet()
    for _ in range(12):
        one.collect()
    text = 'format: 1\ntasks: {push: {collectors: [scripted]}}\nenvironments: {kitchen: {}}'
    from active_collection.config import parse
    from active_collection.scenario import ScenarioSpace
    smaller, larger = parse(text, ScenarioSpace, where='t'), one.space
    one.space = smaller
    one.restart()
    assert one.grant().scenario.task == 'push'
    one.space = larger
    one.restart()

    assert one.scheduler.status(one.now).episodes == 12


def test_every_kind_of_event_has_its_name():
    assert all(kind.kind == name for name, kind in KINDS.items())
    assert START > 0
