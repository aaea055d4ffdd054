# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Killed at any instant, told twice, late or never: nothing lost, nothing counted twice."""
import random
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from dataclasses import replace

import pytest
from fleets import SPACE
from fleets import START
from fleets import Fleet
from fleets import S
from fleets import episode
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.config import parse
from active_collection.episode import Outcome
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.answers import Grant
from active_collection.scheduling.events import Finished
from active_collection.scheduling.ledger import LedgerReader
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.scheduling.verify import problems

# A fleet at full speed in a process of its own. It says what it was told after the ledger has it.
WORKER = textwrap.dedent("""
    import sys
    sys.path.insert(0, sys.argv[1])
    from fleets import SPACE, Fleet, episode
    from active_collection.config import parse
    from active_collection.scenario import ScenarioSpace
    from active_collection.scheduling.settings import SchedulerSettings

    one = Fleet(parse(SPACE, ScenarioSpace, where='space'), sys.argv[2],
                SchedulerSettings(snapshot_events=7))
    print('ready', flush=True)
    k = 0
    while True:
        robot = f'arm{k % 5}'
        assigned = one.grant(robot)
        print('granted', assigned.assignment_id, flush=True)
        if k % 3:
            one.report(assigned, ensemble=f'e{k // 20}' if k > 20 else '')
            print('counted', assigned.assignment_id, flush=True)
        k += 1
""")


def kill_somewhere(path, here, number):
    """Let a worker run until it has said so many lines, kill it, and return what it said."""
    worker = subprocess.Popen([sys.executable, '-c', WORKER, str(here), str(path)],
                              stdout=subprocess.PIPE, text=True)
    said = []
    for line in worker.stdout:
        said.append(line.split())
        if len(said) == number:
            worker.send_signal(signal.SIGKILL)
    worker.wait()
    return said


def kill_often(path, here, kills, seed):
    choose = random.Random(seed)
    granted, counted = [], []
    for _ in range(kills):
        for words in kill_somewhere(path, here, choose.randint(1, 60)):
            if words[0] == 'granted' and len(words) == 2:
                granted.append(words[1])
            elif words[0] == 'counted' and len(words) == 2:
                counted.append(words[1])
        with LedgerReader(path) as reader:
            assert problems(reader) == []
            assigned = {entry.event.assignment_id for entry in reader.assignments()}
            finished = Counter(
                e.event.assignment_id for e in reader.entries(kinds=(Finished.kind,)))
        assert set(granted) <= assigned
        assert set(counted) <= set(finished)
        assert set(finished.values()) <= {1}


def test_a_killed_scheduler_loses_and_doubles_nothing(tmp_path, request):
    kill_often(tmp_path / 'ledger.sqlite3', request.path.parent, kills=3, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_lose_and_double_nothing(tmp_path, request):
    kill_often(tmp_path / 'ledger.sqlite3', request.path.parent, kills=50, seed=1)


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
        if isinstance(answer, Grant) and chance.random() < 0.7:
            name = f'e-{answer.assigned.assignment_id}'
            if name not in truth:
                outcome = chance.choice([Outcome.SUCCESS, Outcome.FAILURE, Outcome.ABORTED])
                truth[name] = episode(answer.assigned, outcome=outcome)
                mail += [truth[name]] * chance.choice([1, 1, 2, 3])
            elif chance.random() < 0.3:
                truth[name] = replace(truth[name], revision=truth[name].revision + 1,
                                      outcome=Outcome.FAILURE)
                mail.append(truth[name])
        if mail and chance.random() < 0.7:
            one.scheduler.finished(mail.pop(chance.randrange(len(mail))), one.now)
        if chance.random() < 0.7:
            one.scheduler.heartbeat(robot, one.scheduler.books.held_by.get(robot, ''), one.now)
        one.wait(chance.choice([0, 1, 1, 3]))
        if chance.random() < 0.05:
            one.restart()
    chance.shuffle(mail)
    for record in mail:
        one.scheduler.finished(record, one.now)

    counts = one.scheduler.state(one.now).tasks
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

    assert one.scheduler.state(one.now).episodes == 2
    assert one.grant('arm1').attempt == 1
    assert one.now == START + 4 * S
