# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A ledger that cannot be used for a while: refused with the reason, and then it goes on."""
import shutil
import time

import pytest
from fleets import Fleet
from fleets import S
from fleets import episode
from outages import OUTAGES
from outages import full_disk
from outages import vanished_directory

from active_collection.errors import SchedulingError
from active_collection.scheduling.events import ModeChanged
from active_collection.scheduling.fleet.leases import Released
from active_collection.scheduling.fleet.refusal import Refused
from active_collection.scheduling.fleet.results import Counted
from active_collection.scheduling.ledger import sqlite_storage
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.ledger.verification import problems
from active_collection.scheduling.settings import SchedulerSettings


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(sqlite_storage, 'BUSY_S', 0.1)


@pytest.fixture
def one(space, tmp_path):
    fleet = Fleet(space, tmp_path / 'data' / 'ledger.sqlite3', SchedulerSettings(lease_s=20))
    yield fleet
    fleet.close()


@pytest.mark.parametrize('outage', [*OUTAGES, full_disk])
def test_nothing_is_lost_and_nothing_doubled(one, outage):
    held = [one.grant(f'arm{k}') for k in range(3)]
    one.report(held[0])
    before = one.scheduler.fleet.to_dict()

    with outage(one.path):
        assert one.scheduler.release(
            held[1].assignment_id, robot='arm1', reason='x' * 9000, retry=True,
            now_ns=one.now) is Released.UNAVAILABLE
        with pytest.raises(SchedulingError):
            one.report(held[2])
        with pytest.raises(SchedulingError):
            one.scheduler.pause(one.now, 'x')
        for robot in ('arm2', 'late'):
            refused = one.ask(robot)
            assert refused.code is Refused.UNAVAILABLE
            assert str(one.path) in refused.message == one.scheduler.trouble
            assert 'move it away' not in refused.message or outage.__name__.startswith('over')
        state = one.scheduler.status(one.now)
        assert state.message.startswith(one.scheduler.trouble) and len(state.leases) == 2
        for _ in range(3):
            one.now += S
            with pytest.raises(SchedulingError):
                one.scheduler.recover(one.now)
        assert one.scheduler.fleet.to_dict() == before

    one.wait(1)

    assert one.scheduler.trouble == ''
    assert one.ask('arm1').assignment_id == held[1].assignment_id
    assert one.report(held[2]) is Counted.COUNTED
    assert one.report(held[0]) is Counted.DUPLICATE
    assert one.grant('late')
    alive = one.scheduler.fleet.to_dict()
    one.restart()
    assert {**one.scheduler.fleet.to_dict(), 'sequence': alive['sequence']} == alive
    assert problems(one.ledger) == []


def test_while_it_is_away_nobody_waits_for_it_and_tries_become_rare(one, monkeypatch):
    one.grant()
    monkeypatch.setattr(sqlite_storage, 'BUSY_S', 0.5)
    with OUTAGES[2](one.path):
        one.ask('late')
        began = time.monotonic()
        for k in range(100):
            assert one.ask(f'late{k}').code is Refused.UNAVAILABLE
        assert time.monotonic() - began < 0.4


def test_leases_of_the_silent_end_once_the_ledger_is_back(one):
    held, lost = one.grant('arm1'), one.grant('lost')
    with vanished_directory(one.path):
        one.ask('late')
        for _ in range(30):
            one.now += S
            one.scheduler.heartbeat('arm1', held.assignment_id)
            with pytest.raises(SchedulingError):
                one.scheduler.tick(one.now)
        assert set(one.scheduler.fleet.held_by) == {'arm1', lost.robot}

    one.wait(1)

    assert set(one.scheduler.fleet.held_by) == {'arm1'}


def test_a_copy_that_goes_on_where_it_was_left_is_written_from_there(one, tmp_path):
    held = one.grant('arm1')
    shutil.copytree(one.path.parent, tmp_path / 'copy')
    shutil.rmtree(one.path.parent)
    assert one.ask('arm2').code is Refused.UNAVAILABLE
    shutil.move(tmp_path / 'copy', one.path.parent)

    one.wait(1)

    assert one.report(held) is Counted.COUNTED
    with LedgerReader(one.path) as reader:
        assert reader.last_sequence() == one.scheduler.fleet.sequence
    with pytest.raises(SchedulingError, match='another scheduler'):
        Ledger(one.path)


def test_an_older_copy_is_refused_for_as_long_as_it_is_there(one, tmp_path):
    shutil.copytree(one.path.parent, tmp_path / 'copy')
    one.grant('arm1')
    shutil.rmtree(one.path.parent)
    one.ask('arm2')
    shutil.move(tmp_path / 'copy', one.path.parent)

    with pytest.raises(SchedulingError, match='does not go on where it was left'):
        one.wait(1)
    assert 'restart the scheduler' in one.ask('arm2').message

    one.restart()
    assert one.grant('arm2')


def test_an_empty_place_is_not_taken_for_the_ledger(one):
    one.grant('arm1')
    shutil.rmtree(one.path.parent)
    assert one.ask('arm2').code is Refused.UNAVAILABLE
    with pytest.raises(SchedulingError, match='no such file'):
        one.wait(1)
    assert not one.path.parent.exists()

    one.path.parent.mkdir()
    one.path.touch()
    one.now += S
    with pytest.raises(SchedulingError, match='an empty file'):
        one.scheduler.recover(one.now)
    assert one.path.stat().st_size == 0


@pytest.mark.parametrize('is_written', [False, True])
def test_what_a_broken_connection_leaves_in_doubt_happens_once(one, monkeypatch, is_written):
    held = one.grant('arm1')
    append = one.ledger._storage.append
    broken = []

    def break_once(rows, snapshot):
        if rows and not broken:
            broken.append(rows)
            if is_written:
                append(rows, snapshot)
            raise SchedulingError('ledger', found='a connection that broke')
        append(rows, snapshot)

    monkeypatch.setattr(one.ledger._storage, 'append', break_once)

    assert one.report(held) is Counted.COUNTED

    assert broken and one.scheduler.trouble == ''
    assert one.grant('arm1').assignment_id != held.assignment_id
    assert one.scheduler.status(one.now).episodes == 1
    assert problems(one.ledger) == []


def test_a_lease_in_doubt_that_shows_when_the_ledger_is_back_lives_and_ends(one, monkeypatch):
    storage = one.ledger._storage
    append, reopen = storage.append, storage.reopen

    def break_after(rows, snapshot):
        append(rows, snapshot)
        raise SchedulingError('ledger', found='a connection that broke')

    def away():
        raise SchedulingError('ledger', found='no server')

    monkeypatch.setattr(storage, 'append', break_after)
    monkeypatch.setattr(storage, 'reopen', away)
    assert one.ask('arm1').code is Refused.UNAVAILABLE
    assert one.scheduler.fleet.held_by == {}
    monkeypatch.setattr(storage, 'append', append)
    monkeypatch.setattr(storage, 'reopen', reopen)

    one.wait(1)

    held = one.scheduler.fleet.held_by['arm1']
    assert one.grant('arm1').assignment_id == held
    one.wait(25)
    assert one.scheduler.status(one.now).revoked == 1 and problems(one.ledger) == []


def test_what_somebody_else_has_written_is_never_taken_for_ones_own(one):
    one.grant('arm1')
    sequence = one.scheduler.fleet.sequence
    one.ledger._storage.append([(sequence + 1, 0, 'mode', '', '', _paused())], None)
    with pytest.raises(SchedulingError):
        one.scheduler.pause(one.now)
    assert 'does not go on where it was left' in one.ask('arm2').message


def _paused():
    from active_collection.scheduling.encoding import encode

    return encode(ModeChanged('paused', 'by another'))


def test_an_episode_that_waits_keeps_its_robot_from_the_lease_that_it_fulfils(one):
    held = one.grant('arm1')
    with vanished_directory(one.path):
        with pytest.raises(SchedulingError):
            one.scheduler.finished(episode(held), one.now)
        assert one.ask('arm1').code is Refused.UNAVAILABLE
    one.scheduler.recover(one.now + S)
    one.now += S
    one.scheduler.recover(one.now)
    one.scheduler.finished(episode(held), one.now)
    assert one.grant('arm1').assignment_id != held.assignment_id
