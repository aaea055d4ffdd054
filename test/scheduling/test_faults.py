# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Killed at any instant, told twice, late or never: nothing lost, nothing counted twice."""
import contextlib
import random
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from fleets import SPACE
from fleets import START
from fleets import Fleet
from fleets import S
from fleets import episode
from fleets import request
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.config import parse
from active_collection.episode import Outcome
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.events import Finished
from active_collection.scheduling.fleet.refusal import Refused
from active_collection.scheduling.fleet.results import Counted
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.ledger.verification import problems
from active_collection.scheduling.settings import SchedulerSettings

# A fleet at full speed in a process of its own. It says what it was told after the ledger has it.
WORKER = textwrap.dedent("""
    import os, random, sys
    sys.path.insert(0, sys.argv[1])
    from fleets import SPACE, S, Fleet, request
    from active_collection.config import parse
    from active_collection.scenario import ScenarioSpace
    from active_collection.scheduling.assignment import Assignment
    from active_collection.scheduling.orders import RobotOrder, ScenarioOrder
    from active_collection.scheduling.settings import SchedulerSettings

    place, said, chance = sys.argv[2], os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND), random
    one = Fleet(parse(SPACE, ScenarioSpace, where='space'), place,
                SchedulerSettings(lease_s=3), snapshot_events=7)
    print('ready', flush=True)
    while True:
        robots = chance.sample([f'arm{k}' for k in range(8)], chance.randint(1, 4))
        for answer in one.scheduler.request_many([request(r) for r in robots], one.now):
            if not isinstance(answer, Assignment):
                continue
            assigned = answer
            os.write(said, f'granted {assigned.assignment_id}\\n'.encode())
            if chance.random() < 0.6:
                one.report(assigned, ensemble=chance.choice(['', 'e1', 'e2']))
                os.write(said, f'counted {assigned.assignment_id}\\n'.encode())
        one.now += chance.choice([0, 0, 1]) * S
        one.scheduler.tick(one.now)
        if chance.random() < 0.05:
            task = chance.choice(['pick', 'push', 'pour'])
            one.scheduler.steer(ScenarioOrder('preempt', task, '', 1.0, one.now + S, 'ann', 'x',
                                        priority=1), one.now)
            one.scheduler.steer_robot(RobotOrder(
                chance.choice(['drain', 'resume']), 'arm0', one.now + S, 'ann', 'x'), one.now)
""")


def kill_somewhere(place, here, said, seconds):
    """Let a worker run for a while after it has begun, and kill it."""
    worker = subprocess.Popen([sys.executable, '-c', WORKER, str(here), str(place), str(said)],
                              stdout=subprocess.PIPE, text=True)
    assert worker.stdout.readline() == 'ready\n'
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.wait(timeout=seconds)
    assert worker.poll() is None, 'the worker ended by itself'
    worker.send_signal(signal.SIGKILL)
    worker.communicate()


def kill_often(place, here, scratch, kills, seed):
    choose, said = random.Random(seed), scratch / 'said'
    said.touch()
    for _ in range(kills):
        kill_somewhere(place, here, said, choose.uniform(0, 0.3))
        words = [line.split() for line in said.read_text().splitlines()]
        with LedgerReader(place) as reader:
            assert problems(reader) == []
            assigned = {entry.event.assignment_id for entry in reader.assignments()}
            finished = Counter(
                e.event.assignment_id for e in reader.entries(kinds=(Finished.kind,)))
        assert {name for what, name in words if what == 'granted'} <= assigned
        assert {name for what, name in words if what == 'counted'} <= set(finished)
        assert set(finished.values()) <= {1}
    assert len(finished) > kills


def test_a_killed_scheduler_loses_and_doubles_nothing(tmp_path):
    kill_often(tmp_path / 'ledger.sqlite3', Path(__file__).parent, tmp_path, kills=3, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_lose_and_double_nothing(tmp_path):
    kill_often(tmp_path / 'ledger.sqlite3', Path(__file__).parent, tmp_path, kills=50, seed=1)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=8, deadline=None)
def test_messages_dropped_doubled_and_reordered_count_each_episode_once(tmp_path_factory, seed):
    chance = random.Random(seed)
    one = Fleet(parse(SPACE, ScenarioSpace, where='space'),
                tmp_path_factory.mktemp('ledger') / 'a.sqlite3', SchedulerSettings(lease_s=4))
    truth, mail = {}, []
    for _ in range(60):
        robot = f'arm{chance.randrange(4)}'
        answer = one.ask(robot)
        if isinstance(answer, Assignment) and chance.random() < 0.7:
            name = f'e-{answer.assignment_id}'
            if name not in truth:
                outcome = chance.choice([Outcome.SUCCESS, Outcome.FAILURE, Outcome.ABORTED])
                truth[name] = episode(answer, outcome=outcome)
                mail += [truth[name]] * chance.choice([1, 1, 2, 3])
            elif chance.random() < 0.3:
                truth[name] = replace(truth[name], revision=truth[name].revision + 1,
                                      outcome=Outcome.FAILURE)
                mail.append(truth[name])
        if mail and chance.random() < 0.7:
            one.scheduler.finished(mail.pop(chance.randrange(len(mail))), one.now)
        if chance.random() < 0.7:
            one.scheduler.heartbeat(robot, one.scheduler.fleet.held_by.get(robot, ''))
        one.wait(chance.choice([0, 1, 1, 3]))
        if chance.random() < 0.05:
            one.restart()
    chance.shuffle(mail)
    for record in mail:
        one.scheduler.finished(record, one.now)

    counts = one.scheduler.status(one.now).tasks
    expected = Counter(record.outcome for record in truth.values())
    assert sum(t.successes for t in counts) == expected[Outcome.SUCCESS]
    assert sum(t.failures for t in counts) == expected[Outcome.FAILURE]
    assert sum(t.aborted for t in counts) == expected[Outcome.ABORTED]
    assert problems(one.ledger) == []
    one.close()


def test_a_robot_that_comes_back_from_the_dead_is_heard(fleet):
    one = fleet(lease_s=3)
    held = one.grant('arm1')
    one.wait(4)
    other = one.grant('arm2')
    assert other.scenario == held.scenario

    one.report(held)
    one.report(other)

    assert one.scheduler.status(one.now).episodes == 2
    assert one.grant('arm1').attempt == 1
    assert one.now == START + 4 * S


@given(seed=st.integers(0, 10**6))
@settings(max_examples=8, deadline=None)
def test_a_fleet_whose_questions_and_answers_get_lost_holds_one_lease_a_robot(
        tmp_path_factory, seed):
    """Of all that robots send and hear, 30 % is lost; some vanish, some lie about who they are."""
    chance = random.Random(seed)
    one = Fleet(parse(SPACE, ScenarioSpace, where='space'),
                tmp_path_factory.mktemp('ledger') / 'a.sqlite3',
                SchedulerSettings(lease_s=4), snapshot_events=11)
    robots = [f'arm{k}' for k in range(6)]
    heard, reported = {}, {}

    def is_lost():
        return chance.random() < 0.3

    for _ in range(60):
        asking = [r for r in chance.sample(robots, chance.randint(1, 6)) if not is_lost()]
        answers = one.scheduler.request_many([request(r) for r in asking], one.now)
        heard.update((robot, answer) for robot, answer in zip(asking, answers, strict=True)
                     if isinstance(answer, Assignment) and not is_lost())
        for robot, assigned in sorted(heard.items()):
            if not is_lost():
                one.scheduler.heartbeat(robot, assigned.assignment_id)
            if chance.random() < 0.4:
                name = f'e-{assigned.assignment_id}'
                reported.setdefault(name, episode(assigned))
                liar = chance.random() < 0.2
                for _ in range(chance.choice([0, 1, 1, 2])):
                    record = reported[name]
                    one.scheduler.finished(
                        replace(record, robot=chance.choice(robots)) if liar else record, one.now)
        if chance.random() < 0.1:
            heard.pop(chance.choice(robots), None)
        one.wait(chance.choice([0, 1, 2]))
        if chance.random() < 0.05:
            one.restart()
        fleet = one.scheduler.fleet
        assert len({lease.robot for lease in fleet.leases.values()}) == len(fleet.leases)
        assert all(count <= one.space.environments[name].capacity
                   for name, count in fleet.busy.items())
    for record in reported.values():
        one.scheduler.finished(record, one.now)

    assert sum(t.successes for t in one.scheduler.status(one.now).tasks) == len(reported)
    assert problems(one.ledger) == []
    one.close()


def test_a_ledger_on_a_disk_that_fills_up_refuses_until_there_is_room(space, tmp_path):
    disk = tmp_path / 'disk'
    disk.mkdir()
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', str(disk)],
                      capture_output=True).returncode:
        pytest.skip('a small file system needs the right to mount one')
    try:
        one = Fleet(space, disk / 'ledger.sqlite3', snapshot_events=10**6)
        held = [one.grant(f'arm{k}') for k in range(4)]
        filler = (disk / 'filler').open('wb', buffering=0)
        with contextlib.suppress(OSError), filler:
            while True:
                filler.write(b'0' * 4096)

        answers = [one.ask(f'late{k}', capabilities=('x' * 900,)) for k in range(200)]

        assert answers[-1].code is Refused.UNAVAILABLE and 'full' in answers[-1].message
        kept = {lease.assignment_id for lease in one.scheduler.fleet.leases.values()}
        (disk / 'filler').unlink()
        one.wait(2)
        assert one.report(held[0]) is Counted.COUNTED
        one.restart()
        assert {a.assignment_id for a in held[1:]} <= set(one.scheduler.fleet.leases)
        assert set(one.scheduler.fleet.leases) == kept - {held[0].assignment_id}
        assert problems(one.ledger) == []
        one.close()
    finally:
        subprocess.run(['umount', '-l', str(disk)], check=True)
