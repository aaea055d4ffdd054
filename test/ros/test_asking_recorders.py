# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""When recorders are asked for episodes, by a clock that the test moves."""
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Episode
from active_collection.srv import ListEpisodes
from fleet_peers import until
from rclpy.node import Node
from spinner import Spinner

from active_collection.nodes.scheduler import missed_episodes
from active_collection.nodes.scheduler.missed_episodes import MissedEpisodes


class Recorder(Node):
    """Serves a list of episodes, two a page."""

    def __init__(self, robot, episodes):
        super().__init__('recorder', namespace=f'/{robot}')
        self.episodes = episodes
        self.asked, self.code = [], ListEpisodes.Response.OK
        self.create_service(ListEpisodes, '~/list_episodes', self._on_list)

    def _on_list(self, request, response):
        self.asked.append((request.store_id, request.after))
        page = self.episodes[request.after:request.after + 2]
        response.code, response.store_id = self.code, 'store'
        response.next = request.after + len(page)
        response.has_more = response.next < len(self.episodes)
        response.episodes = [Episode(episode_id=name) for name in page]
        return response


class Asking:
    """What asks, with a clock that stands still."""

    def __init__(self):
        self.now, self.told, self.node = 0.0, [], Node('asking')
        self.missed = MissedEpisodes(
            self.node, on_episodes=lambda robot, page: self.told.append(
                (robot, [episode.episode_id for episode in page])), now=lambda: self.now)

    def until(self, condition, what):
        """Go on until something is true; time stands still."""
        def stepped():
            self.missed.step()
            return condition()

        until(stepped, what=what)

    def hear(self, robot, episode_id, state, revision):
        self.missed.heard(robot, Episode(episode_id=episode_id, state=state, revision=revision))


@pytest.fixture
def asking(ros):
    made = Asking()
    yield made
    made.node.destroy_node()


@pytest.fixture
def serve(ros):
    """Return a starter of recorders; a robot of a name of its own for each test."""
    spinners = []

    def start(robot, *episodes):
        recorder = Recorder(robot, list(episodes))
        spinners.append(Spinner(recorder))
        return recorder

    yield start
    for spinner in spinners:
        spinner.close()


def follow(asking, robot, recorder):
    """Fetch what there is, with however many tries it takes to find the recorder."""
    asking.missed.ask(robot)

    def fetched():
        asking.now += missed_episodes.RETRY_S / 10
        return sum(len(page) for _, page in asking.told) == len(recorder.episodes)

    asking.until(fetched, 'all pages')
    recorder.asked.clear()


def test_pages_are_taken_one_a_step_until_there_are_no_more(asking, serve):
    recorder = serve('pages', 'a', 'b', 'c', 'd', 'e')

    follow(asking, 'pages', recorder)

    assert asking.told == [('pages', ['a', 'b']), ('pages', ['c', 'd']), ('pages', ['e'])]


def test_it_asks_for_what_has_come_since_now_and_then(asking, serve):
    recorder = serve('period', 'a')
    follow(asking, 'period', recorder)
    for _ in range(3):
        asking.missed.step()
    assert recorder.asked == []

    recorder.episodes.append('b')
    asking.now += missed_episodes.PERIOD_S

    asking.until(lambda: len(asking.told) == 2, 'the next page')
    assert recorder.asked == [('store', 1)] and asking.told[-1] == ('period', ['b'])


@pytest.mark.parametrize('heard', [
    [('b', Episode.CLOSED, 3)],
    [('b', Episode.RECORDING, 0), ('c', Episode.RECORDING, 0)],
    [('b', Episode.CLOSED, 1), ('b', Episode.CLOSED, 3)]])
def test_a_gap_on_the_topic_is_asked_about_at_once(asking, serve, heard):
    recorder = serve('gap', 'a')
    follow(asking, 'gap', recorder)

    for each in heard:
        asking.hear('gap', *each)

    asking.until(lambda: recorder.asked, 'a question')


def test_a_topic_without_a_gap_asks_for_nothing(asking, serve):
    recorder = serve('whole', 'a')
    follow(asking, 'whole', recorder)

    for each in [('b', Episode.RECORDING, 0), ('a', Episode.CLOSED, 1), ('b', Episode.CLOSED, 1),
                 ('b', Episode.CLOSED, 2), ('c', Episode.RECORDING, 0)]:
        asking.hear('whole', *each)
    asking.missed.step()

    asking.now += missed_episodes.PERIOD_S
    asking.until(lambda: recorder.asked, 'the question of its time')
    assert len(recorder.asked) == 1


def test_a_recorder_that_is_not_ready_is_asked_again(asking, serve):
    recorder = serve('late', 'a')
    recorder.code = ListEpisodes.Response.UNAVAILABLE
    asking.missed.ask('late')
    asking.until(lambda: setattr(asking, 'now', asking.now + 0.1) or recorder.asked, 'a question')
    recorder.code = ListEpisodes.Response.OK

    asking.until(lambda: setattr(asking, 'now', asking.now + 0.1) or asking.told, 'a page')

    assert asking.told == [('late', ['a'])]


def test_a_robot_without_a_recorder_keeps_no_other_waiting(asking, serve):
    for k in range(2 * missed_episodes.AT_ONCE):
        asking.missed.ask(f'nobody{k}')
    recorder = serve('somebody', 'a')

    follow(asking, 'somebody', recorder)
