# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Recorders and schedulers as processes: whatever was away, each episode is counted once."""
import shutil
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Episode
from active_collection.srv import AmendEpisode
from active_collection.srv import ListEpisodes
from fleet_peers import SPACE
from fleet_peers import Process
from fleet_peers import finished
from fleet_peers import until
from recorder_peers import wait_for

from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.names import robot_of
from active_collection.recording.metadata import planned
from active_collection.recording.metadata import write_metadata
from active_collection.recording.store import EpisodeStore
from active_collection.scenario import Scenario


@pytest.fixture
def robot(peer):
    return robot_of(peer.get_namespace())


@pytest.fixture
def scheduler(tmp_path):
    """Return a starter of scheduler processes on one ledger."""
    (tmp_path / 'space.yaml').write_text(SPACE)
    started = []

    def start():
        started.append(Process('scheduler', log=tmp_path / 'scheduler.log',
                               space=tmp_path / 'space.yaml', ledger=tmp_path / 'ledger.sqlite3'))
        return started[-1]

    yield start
    for process in started:
        process.close()
    print((tmp_path / 'scheduler.log').read_text() if started else '')


@pytest.fixture
def listed(peer):
    """Return what asks the recorder for all its episodes behind a place."""
    client = peer.create_client(ListEpisodes, 'recorder/list_episodes')

    def answered(**fields):
        """Return an answer; a recorder that was killed seems to be there for a while."""
        future = client.call_async(ListEpisodes.Request(**fields))
        with suppress(AssertionError):
            until(future.done, 1.0)
        is_ready = future.done() and future.result().code == ListEpisodes.Response.OK
        return future.result() if is_ready else None

    def ask(store_id='', after=0, limit=0):
        episodes = []
        while True:
            answer = until(partial(answered, store_id=store_id, after=after, limit=limit))
            episodes += answer.episodes
            store_id, after = answer.store_id, answer.next
            if not answer.has_more:
                return episodes, answer

    return ask


def put(data, robot, episode_id, *, closed=True):
    """Put an episode on the disk, as a recorder that lived before has left it."""
    record = EpisodeRecord(
        episode_id, Scenario.of('pick', 'cell', {}), robot, Source.SCRIPTED,
        started_ns=10**18, finished_ns=10**18 + 10**9, outcome=Outcome.SUCCESS, revision=1)
    store = EpisodeStore(data)
    directory = store.create(episode_id, record.started_ns)
    write_metadata(directory.path, planned(episode_id, ros_distro='kilted'), record)
    store.close(directory) if closed else directory.release()


def counted(tmp_path):
    """Return (episode id, revision) of everything that the ledger counts, in order."""
    return [(event.episode_id, event.revision) for event in finished(tmp_path / 'ledger.sqlite3')]


def test_episodes_are_listed_once_each_and_again_when_they_are_amended(peer, recorder, listed):
    recorder()
    for name in ('b', 'a', 'c'):
        peer.start(name)
        peer.finish(name)
    peer.start('open')

    episodes, answer = listed(limit=2)
    assert [(e.episode_id, e.revision, e.state) for e in episodes] == [
        (name, 1, Episode.CLOSED) for name in 'bac']
    published = {e.episode_id: e for e in peer.episodes if e.state == Episode.CLOSED}
    assert str(episodes[0]) == str(published['b'])  # not a number equals nothing

    peer.call(AmendEpisode, episode_id='b', outcome=Episode.FAILURE, author='ann')
    again, answer = listed(answer.store_id, answer.next)
    assert [(e.episode_id, e.revision, e.outcome) for e in again] == [('b', 2, Episode.FAILURE)]
    assert listed(answer.store_id, answer.next)[0] == []
    peer.finish('open')
    assert [e.episode_id for e in listed(answer.store_id, answer.next)[0]] == ['open']


def test_a_place_holds_after_a_restart_and_not_in_another_store(
        peer, recorder, listed, robot, tmp_path):
    first = recorder()
    peer.start('a')
    peer.finish('a')
    answer = listed()[1]
    first.kill()
    first.wait()
    put(tmp_path / 'data', robot, 'b')
    put(tmp_path / 'data', 'another', 'c')

    second = recorder()
    assert [e.episode_id for e in listed(answer.store_id, answer.next)[0]] == ['b']
    second.kill()
    second.wait()
    shutil.rmtree(tmp_path / 'data')
    put(tmp_path / 'data', robot, 'd')

    recorder()
    episodes, after = listed(answer.store_id, answer.next)
    assert [e.episode_id for e in episodes] == ['d'] and after.store_id != answer.store_id


def test_an_episode_of_a_robot_that_shares_the_directory_is_salvaged_and_not_told(
        peer, recorder, robot, listed, tmp_path):
    put(tmp_path / 'data', 'another', 'a', closed=False)
    put(tmp_path / 'data', robot, 'b', closed=False)

    recorder()

    wait_for(lambda: peer.episodes, 'the salvaged episode')
    assert [e.episode_id for e in peer.episodes] == ['b']
    assert len(list((tmp_path / 'data').glob('episodes/*/a'))) == 1
    assert [e.episode_id for e in until(lambda: listed()[0])] == ['b']


def test_more_episodes_than_the_topic_keeps_are_counted_once_each(
        peer, recorder, scheduler, robot, tmp_path):
    names = [f'e{k:03}' for k in range(150)]
    for name in names:
        put(tmp_path / 'data', robot, name)
    recorder()
    first = scheduler()
    until(lambda: len(counted(tmp_path)) >= 20, what='a first page')
    first.stop(signal.SIGKILL)

    peer.call(AmendEpisode, episode_id='e000', outcome=Episode.FAILURE)

    scheduler()

    expected = [('e000', 1), ('e000', 2), *((name, 1) for name in names[1:])]
    until(lambda: len(counted(tmp_path)) >= len(expected), what='all')
    assert sorted(counted(tmp_path)) == expected


def test_a_recorder_that_died_before_the_scheduler_was_back_has_its_episodes_counted(
        peer, recorder, scheduler, tmp_path):
    first = recorder()
    for name in ('a', 'b'):
        peer.start(name)
        peer.finish(name)
    peer.start('torn')
    first.kill()
    first.wait()

    recorder()
    wait_for(lambda: 'torn' in {e.episode_id for e in peer.episodes if e.state == Episode.CLOSED},
             'the salvaged episode')
    scheduler()

    until(lambda: len(counted(tmp_path)) >= 3)
    assert sorted(counted(tmp_path)) == [('a', 1), ('b', 1), ('torn', 1)]
