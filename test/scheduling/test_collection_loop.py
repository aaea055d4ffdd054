# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The collection loop against a robot in memory: nothing is left half done, whatever fails."""
from dataclasses import dataclass
from dataclasses import field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_collection.episode import Outcome
from active_collection.scenario import Scenario
from active_collection.scheduling.collection_loop import Attempt
from active_collection.scheduling.collection_loop import CollectionLoop
from active_collection.scheduling.collection_loop import NoWork
from active_collection.scheduling.collection_loop import Phase
from active_collection.scheduling.collection_loop import SetUp
from active_collection.scheduling.collection_loop import StoppedError
from active_collection.scheduling.collection_loop import UnavailableError
from active_collection.scheduling.collection_loop import Work


@dataclass
class ScriptedRobot:
    """
    A robot, its scheduler and its recorder, whose calls go as a script says.

    :param script: what each call does, in order: 'ok', 'lost', 'bad' or 'stop'; 'ok' afterwards
    :param turns: waits and requests after which everything stops
    """

    script: list = field(default_factory=list)
    turns: int = 40
    leases: dict = field(default_factory=dict)
    episodes: dict = field(default_factory=dict)
    told: list = field(default_factory=list)
    calls: list = field(default_factory=list)
    waited: float = 0.0
    reports_arrive: bool = True

    def _next(self, call):
        self.calls.append(call)
        step = self.script.pop(0) if self.script else 'ok'
        if step == 'lost' and call != 'wait':
            raise UnavailableError(f'{call} is lost')
        if step == 'stop' and call in {'request', 'set_up', 'collect', 'wait'}:
            self.turns = 0
        if call in {'request', 'set_up', 'collect', 'wait'} and self.turns <= 0:
            raise StoppedError
        return step

    def request(self):
        self.turns -= 1
        if self._next('request') == 'bad':
            return NoWork('paused', 3.0)
        for assignment_id in self.leases:
            return Work(assignment_id, Scenario('push', 'cell'), 'scripted', True, 10.0)
        assignment_id = f'a{len(self.calls)}'
        self.leases[assignment_id] = 'out'
        return Work(assignment_id, Scenario('push', 'cell'), 'scripted', True, 10.0)

    def set_up(self, work):
        return SetUp(self._next('set_up') != 'bad', 'drawer blocked')

    def new_episode_id(self):
        return f'e{len(self.calls)}'

    def start_recording(self, work, episode_id):
        if self.script[:1] != ['bad']:
            self.episodes[episode_id] = 'open'
        if self._next('start') == 'bad':
            raise UnavailableError('no space')

    def collect(self, work, episode_id):
        bad = self._next('collect') == 'bad'
        return Attempt(Outcome.FAILURE if bad else Outcome.SUCCESS, 'done')

    def finish_recording(self, episode_id, attempt):
        self._next('finish')
        if episode_id not in self.episodes:
            raise UnavailableError('unknown episode')
        self.episodes[episode_id] = attempt.outcome
        if self.reports_arrive:
            self.leases.clear()

    def release(self, work, reason, *, retry):
        self._next('release')
        self.leases.pop(work.assignment_id, None)

    def tell(self, activity):
        self.told.append(activity)

    def wait(self, seconds):
        self.turns -= 1
        self.waited += seconds
        self._next('wait')


def run(*script, **more):
    robot = ScriptedRobot(list(script), **more)
    CollectionLoop(robot, retry_s=2.0).run()
    return robot


def test_a_turn_goes_from_request_to_report():
    robot = run('ok', 'ok', 'ok', 'ok', 'ok', 'stop')

    assert robot.calls == ['request', 'set_up', 'start', 'collect', 'finish', 'request']
    assert list(robot.episodes.values()) == [Outcome.SUCCESS]
    assert [a.phase for a in robot.told] == [
        Phase.REQUESTING, Phase.SETTING_UP, Phase.COLLECTING, Phase.REPORTING, Phase.REQUESTING,
        Phase.IDLE]


def test_a_refusal_is_waited_out_as_long_as_it_says():
    robot = run('bad', 'ok', 'stop')

    assert robot.calls == ['request', 'wait', 'request']
    assert robot.waited == 3.0
    assert robot.told[1].message == 'paused'


def test_a_scheduler_that_is_away_is_asked_again():
    robot = run('lost', 'ok', 'lost', 'ok', 'stop')

    assert robot.calls == ['request', 'wait', 'request', 'wait', 'request']


@pytest.mark.parametrize('script', [['ok', 'bad'], ['ok', 'lost'], ['ok', 'ok', 'bad', 'ok']])
def test_what_cannot_begin_is_handed_back(script):
    robot = run(*script, 'ok', 'ok', 'stop')

    assert robot.calls[-3:] == ['release', 'wait', 'request']
    assert robot.leases == {} and robot.episodes == {}
    assert any(a.phase is Phase.FAULT for a in robot.told)


def test_an_episode_that_may_have_begun_is_closed():
    robot = run('ok', 'ok', 'lost', 'ok', 'ok', 'ok', 'stop')

    assert robot.calls[2:5] == ['start', 'finish', 'release']
    assert list(robot.episodes.values()) == [Outcome.ABORTED]


def test_an_attempt_that_is_lost_is_recorded_as_aborted():
    robot = run('ok', 'ok', 'ok', 'lost', 'ok', 'stop')

    assert list(robot.episodes.values()) == [Outcome.ABORTED]


def test_an_episode_that_cannot_be_closed_frees_its_scenario():
    robot = run('ok', 'ok', 'ok', 'ok', 'lost', 'ok', 'stop')

    assert robot.calls[4:6] == ['finish', 'release']
    assert robot.leases == {}


def test_a_stop_during_the_set_up_hands_back():
    assert run('ok', 'stop').calls == ['request', 'set_up', 'release']


def test_a_stop_during_the_attempt_closes_the_episode_as_aborted():
    robot = run('ok', 'ok', 'ok', 'stop')

    assert robot.calls[-1] == 'finish'
    assert list(robot.episodes.values()) == [Outcome.ABORTED]


def test_the_lease_of_a_reported_episode_is_not_worked_on_again():
    robot = run(reports_arrive=False, turns=150)

    assert 'release' in robot.calls
    first_release = robot.calls.index('release')
    assert robot.calls[:first_release].count('collect') == 1
    assert robot.waited > 9.0


@given(st.lists(st.sampled_from(['ok', 'ok', 'ok', 'lost', 'bad', 'stop']), max_size=40))
def test_whatever_happens_no_episode_stays_open_that_could_be_closed(script):
    failed = set()
    robot = ScriptedRobot(list(script))
    finish = robot.finish_recording

    def watched(episode_id, attempt):
        try:
            finish(episode_id, attempt)
        except UnavailableError:
            failed.add(episode_id)
            raise

    robot.finish_recording = watched
    CollectionLoop(robot, retry_s=1.0).run()

    assert all(state != 'open' or episode in failed for episode, state in robot.episodes.items())
    assert robot.told[-1].phase is Phase.IDLE
