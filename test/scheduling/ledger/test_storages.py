# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The contract of every ledger storage, and what PostgreSQL brings with it."""
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest
from fleets import START
from fleets import Fleet
from fleets import S

from active_collection.cli.main import main
from active_collection.errors import ConfigError
from active_collection.errors import SchedulingError
from active_collection.scheduling.choosing.explain import explain
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import ModeChanged
from active_collection.scheduling.events import Started
from active_collection.scheduling.fleet.refusal import Refused
from active_collection.scheduling.fleet.results import Counted
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.ledger.replay import remember
from active_collection.scheduling.ledger.verification import problems
from active_collection.scheduling.settings import SchedulerSettings

PROGRAMS = max(Path('/usr/lib/postgresql').glob('*/bin'), default=None,
               key=lambda path: int(path.parent.name))


@pytest.fixture(scope='module')
def server():
    """Give the directory of a real server's socket; it refuses to run as root."""
    pytest.importorskip('sqlalchemy')
    pytest.importorskip('psycopg')
    if PROGRAMS is None:
        pytest.skip('PostgreSQL is not installed')
    user = pwd.getpwnam('postgres') if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    directory = Path(tempfile.mkdtemp(prefix='ledger-'))
    os.chown(directory, user.pw_uid, user.pw_gid)

    def call(program, *arguments):
        subprocess.run([PROGRAMS / program, '-D', directory / 'data', *arguments], check=True,
                       capture_output=True, cwd=directory, timeout=60,
                       **({'user': user.pw_uid, 'group': user.pw_gid, 'extra_groups': []}
                          if os.geteuid() == 0 else {}))

    call('initdb', '--auth=trust', '--username=fleet', '--no-sync', '--encoding=UTF8')
    call('pg_ctl', 'start', '-w', '-l', directory / 'log', '-o',
         f"-k {directory} -c listen_addresses='' -c fsync=off")
    yield directory
    call('pg_ctl', 'stop', '-m', 'immediate')
    shutil.rmtree(directory)


@pytest.fixture
def restart(server):
    """Return what stops and starts the server; it runs again afterwards."""
    def act(verb):
        user = pwd.getpwuid((server / 'data').stat().st_uid)
        subprocess.run(
            [PROGRAMS / 'pg_ctl', verb, '-w', '-D', server / 'data', '-l', server / 'log',
             *(['-m', 'fast'] if verb == 'stop' else [
                 '-o', f"-k {server} -c listen_addresses='' -c fsync=off"])],
            check=True, capture_output=True, cwd=server, timeout=60,
            **({'user': user.pw_uid, 'group': user.pw_gid, 'extra_groups': []}
               if os.geteuid() == 0 else {}))
        is_up.append(verb == 'start')

    is_up = [True]
    yield act
    if not is_up[-1]:
        act('start')


def sql(server, statement, database='postgres'):
    import psycopg

    with psycopg.connect(f'host={server} user=fleet dbname={database}',
                         autocommit=True) as connection:
        return connection.execute(statement)


@pytest.fixture
def database(server):
    """Give the URL of an empty database."""
    name = f'ledger_{uuid.uuid4().hex[:8]}'
    sql(server, f'CREATE DATABASE {name}')
    return f'postgresql://fleet@/{name}?host={server}'


@pytest.fixture(params=['sqlite', 'postgresql'])
def place(request, tmp_path):
    """Give a place for a ledger: a path or a URL."""
    if request.param == 'sqlite':
        return str(tmp_path / 'ledger.sqlite3')
    return request.getfixturevalue('database')


def events(*numbers):
    return [Entry(k, START + k, ModeChanged('paused', f'reason {k}')) for k in numbers]


def test_events_read_back_in_order_and_by_what_is_asked_for(place):
    with Ledger(place) as ledger:
        ledger.append([Entry(1, START, Started('space', 'settings'))])
        ledger.append(events(*range(2, 9)), snapshot=(1, {'a': 1}))

        assert [e.sequence for e in ledger.entries()] == list(range(1, 9))
        assert list(ledger.entries(after=2, until=4)) == events(3, 4)
        assert [e.sequence for e in ledger.entries(kinds=('started',))] == [1]
        assert ledger.last_start(until=8).event == Started('space', 'settings')
        assert ledger.last_sequence() == 8
        assert ledger.of_subject('nobody') == [] and ledger.last_assignment() == ''
        assert ledger.damage() == []


def test_a_batch_is_written_whole_or_not_at_all(place):
    with Ledger(place) as ledger:
        ledger.append(events(1, 2))

        with pytest.raises(SchedulingError):
            ledger.append(events(3, 2), snapshot=(2, {}))
        with pytest.raises(SchedulingError):
            ledger.append(events(3))

        ledger.reopen(lambda: None)
        assert ledger.last_sequence() == 2
        assert ledger.snapshot() is None
        ledger.append(events(3))
        assert ledger.last_sequence() == 3


def test_two_snapshots_are_kept_and_found_by_what_they_hold(place):
    with Ledger(place) as ledger:
        for k in range(1, 6):
            ledger.append(events(k), snapshot=(k, {'k': k}))

        assert ledger.snapshot() == (5, {'k': 5})
        assert ledger.snapshot(until=4) == (4, {'k': 4})
        assert ledger.snapshot(until=3) is None


def test_one_writes_and_others_read_meanwhile(place):
    first = Ledger(place)
    first.append(events(1))
    with pytest.raises(SchedulingError, match='another scheduler'):
        Ledger(place)
    with LedgerReader(place) as reader:
        walk = reader.entries()
        first.append(events(2))
        assert next(walk).sequence == 1
        assert reader.last_sequence() == 2
        with pytest.raises(SchedulingError):
            reader._storage.append([], None)
        walk.close()
    first.close()

    with Ledger(place) as second:
        assert second.last_sequence() == 2


def test_nothing_is_read_where_there_is_no_ledger(place):
    with pytest.raises(SchedulingError, match='ledger'):
        LedgerReader(place)


def test_a_scheduler_decides_the_same_whatever_its_ledger_is_in(place, space, tmp_path):
    def work(where):
        one = Fleet(space, where, SchedulerSettings(seed=3), snapshot_events=5)
        held = one.scheduler.request_many(
            [_request(f'arm{k}') for k in range(4)], one.now)
        for grant in held[:3]:
            one.report(grant, ensemble='e1')
        one.scheduler.pause(one.now)
        one.restart()
        one.scheduler.resume(one.now)
        one.collect('arm1')
        return one

    one, other = work(place), work(tmp_path / 'other.sqlite3')

    assert one.scheduler.fleet.to_dict() == other.scheduler.fleet.to_dict()
    assert remember(one.ledger).to_dict() == one.scheduler.fleet.to_dict()
    assert problems(one.ledger) == []
    for entry in one.ledger.assignments():
        assert explain(one.ledger, entry.event.assignment_id).differences == ()
    one.close()
    other.close()


def _request(robot):
    from fleets import request

    return request(robot)


def test_a_broken_connection_is_made_anew_and_nobody_is_refused(database, server, space):
    one = Fleet(space, database)
    held = one.grant('arm1')
    sql(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE "
        "'ledger_%'")

    assert one.grant('arm2')
    assert one.report(held) is Counted.COUNTED
    with pytest.raises(SchedulingError, match='another scheduler'):
        Ledger(database)
    assert problems(one.ledger) == []
    one.close()


def test_who_lost_its_ledger_to_another_scheduler_writes_no_more(database, server, space):
    one = Fleet(space, database)
    held = one.grant('arm1')
    sql(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE "
        "'ledger_%'")
    other = Fleet(space, database)

    assert one.ask('arm2').code is Refused.UNAVAILABLE
    assert 'another scheduler' in one.ask('arm2').message
    with pytest.raises(SchedulingError):
        one.report(held)

    assert other.report(held) is Counted.COUNTED
    finished = list(other.ledger.entries(kinds=(Finished.kind,)))
    assert len(finished) == 1 and problems(other.ledger) == []
    one.close()
    other.close()


def test_a_server_that_is_away_for_a_while_loses_and_doubles_nothing(database, restart, space):
    one = Fleet(space, database)
    held, other = one.grant('arm1'), one.grant('arm2')
    restart('stop')
    with pytest.raises(SchedulingError):
        one.report(held)
    refused = one.ask('arm3')
    assert refused.code is Refused.UNAVAILABLE and 'secret' not in refused.message
    assert one.scheduler.status(one.now).message.startswith(one.scheduler.trouble)
    with pytest.raises(SchedulingError):
        one.wait(1)

    restart('start')
    one.wait(10)

    assert one.report(held) is Counted.COUNTED and one.report(held) is Counted.DUPLICATE
    assert one.ask('arm2').assignment_id == other.assignment_id
    assert one.grant('arm3') and problems(one.ledger) == []
    with pytest.raises(SchedulingError, match='another scheduler'):
        Ledger(database)
    one.close()


def test_a_table_that_somebody_locks_is_not_waited_for_for_ever(database, server, space):
    import psycopg

    one = Fleet(space, database)
    one.grant('arm1')
    name = database.split('/')[3].split('?')[0]
    with psycopg.connect(f'host={server} user=fleet dbname={name}') as other:
        other.execute('LOCK TABLE events IN SHARE MODE')
        refused = one.ask('arm2')
        assert refused.code is Refused.UNAVAILABLE and 'lock timeout' in refused.message

    one.wait(10)
    assert one.grant('arm2')
    one.close()


def test_a_server_that_says_nothing_any_more_is_given_up(database, server, space, monkeypatch):
    """It is there and takes what is sent: neither TCP nor the server's own bounds end that."""
    from active_collection.scheduling.ledger import postgresql_storage

    monkeypatch.setattr(postgresql_storage, 'ANSWERS_WITHIN_S', 2.0)
    one = Fleet(space, database)
    held = one.grant('arm1')
    main = int((server / 'data' / 'postmaster.pid').read_text().split()[0])
    pids = [main, *map(int, Path(f'/proc/{main}/task/{main}/children').read_text().split())]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(SchedulingError):
            one.report(held)
        assert one.ask('arm2').code is Refused.UNAVAILABLE
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    one.wait(60)
    assert one.report(held) is Counted.COUNTED
    assert one.grant('arm2') and problems(one.ledger) == []
    one.close()


def test_a_server_that_accepts_and_is_silent_is_given_up():
    pytest.importorskip('psycopg')
    with socket.create_server(('127.0.0.1', 0)) as silent:
        place = f'postgresql://fleet@127.0.0.1:{silent.getsockname()[1]}/x'
        for kind in (Ledger, LedgerReader):
            with pytest.raises(SchedulingError, match='timeout'):
                kind(place)


def test_a_database_that_was_emptied_is_not_begun_anew(database, server, space):
    one = Fleet(space, database)
    one.grant('arm1')
    name = database.split('/')[3].split('?')[0]
    sql(server, 'DROP TABLE events, snapshots, ledger_version', name)

    assert 'no ledger in it any more' in one.ask('arm2').message
    assert sql(server, "SELECT to_regclass('events')", name).fetchone() == (None,)
    one.close()


def test_a_postgresql_ledger_of_a_later_release_is_refused(database, server):
    Ledger(database).close()
    name = database.split('/')[3].split('?')[0]
    sql(server, 'UPDATE ledger_version SET version = 99', name)

    for kind in (Ledger, LedgerReader):
        with pytest.raises(SchedulingError, match='version 99'):
            kind(database)


def test_the_command_line_reads_a_postgresql_ledger(database, space, capsys, tmp_path):
    one = Fleet(space, database)
    one.collect()
    one.now += S
    one.close()

    assert main(['ledger', 'verify', database]) == 0
    assert main(['ledger', 'explain', database, 'last']) == 0
    assert main(['ledger', 'export', database, str(tmp_path / 'tables')]) == 0
    assert 'the same decision' in capsys.readouterr().out


def test_an_unreachable_server_is_one_line_without_the_password(capsys):
    pytest.importorskip('psycopg')

    assert main(['ledger', 'verify', 'postgresql://fleet:secret@127.0.0.1:1/x']) == 2

    said = capsys.readouterr().err
    assert '127.0.0.1' in said and 'secret' not in said
    assert len(said.strip().splitlines()) == 1


def test_settings_are_told_without_the_password():
    settings = SchedulerSettings(ledger='postgresql://fleet:secret@db/x')

    assert 'secret' not in settings.told() and 'fleet@db' in settings.told()
    assert settings.ledger.endswith('fleet:secret@db/x')


def test_an_unknown_storage_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'postgresql'"):
        Ledger('postgres://db/x')
