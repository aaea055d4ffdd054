# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The collection loop against a robot in memory: nothing is left half done, whatever fails."""
from dataclasses import dataclass
from dataclasses import field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_collection.collecting.collection_loop import CollectionLoop
from active_collection.collecting.collection_robot import Attempt
from active_collection.collecting.collection_robot import HelpNeededError
from active_collection.collecting.collection_robot import NoWork
from active_collection.collecting.collection_robot import Phase
from active_collection.collecting.collection_robot import SetUp
from active_collection.collecting.collection_robot import StoppedError
from active_collection.collecting.collection_robot import TakenError
from active_collection.collecting.collection_robot import UnavailableError
from active_collection.collecting.collection_robot import Work
from active_collection.collecting.lease_watch import LeaseWatch
from active_collection.episode import Outcome
from active_collection.scenario import Scenario

#: Calls that a stop ends, and that the scheduler's taking the assignment back ends.
WAITING = {'request', 'set_up', 'ready', 'collect', 'help', 'take_over', 'judge', 'wait', 'resume'}
TAKEN = {'set_up', 'ready', 'collect', 'help', 'take_over'}


@dataclass
class ScriptedRobot:
    """
    A robot, its scheduler, its recorder and its operator, whose calls go as a script says.

    :param script: what each call does, in order: 'ok', 'lost', 'bad', 'taken', 'unsure', 'unknown'
        or 'stop'; 'ok' afterwards
    :param turns: waits and requests after which everything stops
    """

    script: list = field(default_factory=list)
    turns: int = 40
    confirms: bool = False
    hands_over: bool = False
    judgement: Outcome | None = None
    leases: dict = field(default_factory=dict)
    episodes: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)
    told: list = field(default_factory=list)
    set_up_failed: list = field(default_factory=list)
    calls: list = field(default_factory=list)
    waited: float = 0.0
    reports_arrive: bool = True
    is_complete: bool = True
    stale: str = ''
    foreign: int = 0

    def _next(self, call):
        self.calls.append(call)
        step = self.script.pop(0) if self.script else 'ok'
        if step == 'lost' and call not in {'wait', 'resume', 'judge', 'help'}:
            raise UnavailableError(f'{call} is lost')
        if step == 'taken' and call in TAKEN and self.leases:
            self.leases.clear()
            raise TakenError('taken back')
        if step == 'unsure' and call == 'collect':
            raise HelpNeededError('epistemic 0.4 above 0.3')
        if step == 'stop' and call in WAITING:
            self.turns = 0
        if call in WAITING and self.turns <= 0:
            raise StoppedError
        return step

    def await_resume(self):
        if self.turns <= 0:
            raise StoppedError

    def await_peers(self):
        if not self.is_complete:
            self.is_complete = True
            raise UnavailableError('set_up_scenario is not there')

    def free_recorder(self):
        if self.foreign > 0:
            self.foreign -= 1
            raise UnavailableError('the recorder records the operator')
        stale, self.stale = self.stale, ''
        if stale and self.reports_arrive:
            self.leases.pop(stale, None)
        return stale

    def request(self):
        self.turns -= 1
        step = self._next('request')
        if step == 'bad':
            return NoWork('no task there', 3.0)
        if step == 'unknown':
            return NoWork('paused: ada cleans up', 3.0, is_paused=True)
        for assignment_id in self.leases:
            return Work(assignment_id, Scenario('push', 'cell'), 'scripted', True, 10.0)
        assignment_id = f'a{len(self.calls)}'
        self.leases[assignment_id] = 'out'
        return Work(assignment_id, Scenario('push', 'cell'), 'scripted', True, 10.0)

    def set_up(self, work):
        return SetUp(self._next('set_up') != 'bad', 'drawer blocked')

    def must_confirm(self, work):
        return self.confirms

    def await_ready(self):
        return SetUp(self._next('ready') != 'bad', 'it cannot be')

    def new_episode_id(self):
        return f'e{len(self.calls)}'

    def start_recording(self, work, episode_id):
        if self.script[:1] != ['bad']:
            self.episodes[episode_id] = 'open'
        if self._next('start') == 'bad':
            raise UnavailableError('no space')

    def collect(self, work, episode_id):
        return Attempt(self._outcome(self._next('collect')), 'done')

    def await_help(self, episode_id):
        if self._next('help') == 'bad':
            return Attempt(Outcome.FAILURE, 'nobody helped')
        return None

    def take_over(self, work, episode_id):
        return Attempt(self._outcome(self._next('take_over')), 'done by hand')

    def _outcome(self, step):
        return {'bad': Outcome.FAILURE, 'unknown': Outcome.UNKNOWN}.get(step, Outcome.SUCCESS)

    def finish_recording(self, episode_id, attempt):
        self._next('finish')
        if episode_id not in self.episodes:
            raise UnavailableError('unknown episode')
        self.episodes[episode_id] = attempt.outcome
        self.tags[episode_id] = attempt.tags
        if self.reports_arrive:
            self.leases.clear()

    def judge(self, work, attempt):
        self._next('judge')
        return Attempt(self.judgement) if self.judgement else None

    def release(self, work, reason, *, retry, set_up_failed):
        self.set_up_failed.append(set_up_failed)
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


def test_no_lease_is_taken_before_the_robot_is_complete():
    robot = run('ok', 'ok', 'stop', is_complete=False)

    assert robot.calls == ['wait', 'request', 'set_up', 'release']
    assert (robot.told[0].phase, robot.told[0].message) == (
        Phase.FAULT, 'set_up_scenario is not there')
    assert robot.waited == 2.0


def test_an_episode_that_a_killed_agent_left_open_is_closed_before_work_is_asked_for():
    robot = run('stop', stale='a0', leases={'a0': 'out'})

    assert robot.leases == {}
    assert robot.calls == ['request']


def test_the_assignment_of_an_episode_left_open_is_not_worked_off_twice():
    """The scheduler has not heard of its end yet and offers it again."""
    robot = run('ok', 'ok', 'stop', stale='a0', leases={'a0': 'out'}, reports_arrive=False)

    assert robot.calls == ['request', 'wait', 'request']
    assert robot.told[-2].phase is Phase.REQUESTING


def test_no_work_is_asked_for_while_the_recorder_records_for_somebody_else():
    robot = run('ok', 'ok', 'stop', foreign=2)

    assert robot.calls == ['wait', 'wait', 'request']
    assert (robot.told[0].phase, robot.told[0].message) == (
        Phase.IDLE, 'the recorder records the operator')


def test_a_refusal_is_waited_out_as_long_as_it_says():
    robot = run('bad', 'ok', 'stop')

    assert robot.calls == ['request', 'wait', 'request']
    assert robot.waited == 3.0
    assert (robot.told[1].phase, robot.told[1].message) == (Phase.IDLE, 'no task there')


def test_a_paused_robot_says_so_and_asks_again():
    robot = run('unknown', 'ok', 'stop')

    assert robot.calls == ['request', 'wait', 'request']
    assert (robot.told[1].phase, robot.told[1].message) == (Phase.PAUSED, 'paused: ada cleans up')


def test_a_scheduler_that_is_away_is_asked_again():
    robot = run('lost', 'ok', 'lost', 'ok', 'stop')

    assert robot.calls == ['request', 'wait', 'request', 'wait', 'request']


@pytest.mark.parametrize(('script', 'set_up_failed'), [
    (['ok', 'bad'], True), (['ok', 'lost'], False), (['ok', 'ok', 'bad', 'ok'], False)])
def test_what_cannot_begin_is_handed_back(script, set_up_failed):
    robot = run(*script, 'ok', 'ok', 'stop')

    assert robot.calls[-3:] == ['release', 'wait', 'request']
    assert robot.leases == {} and robot.episodes == {}
    assert robot.set_up_failed == [set_up_failed]
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
    robot = run('ok', 'stop')

    assert robot.calls == ['request', 'set_up', 'release']
    assert robot.set_up_failed == [False]


def test_a_stop_during_the_attempt_closes_the_episode_as_aborted():
    robot = run('ok', 'ok', 'ok', 'stop')

    assert robot.calls[-1] == 'finish'
    assert list(robot.episodes.values()) == [Outcome.ABORTED]


def test_nothing_is_recorded_before_somebody_says_ready():
    robot = run('ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'stop', confirms=True)

    assert robot.calls[:5] == ['request', 'set_up', 'ready', 'start', 'collect']
    assert [a.phase for a in robot.told][1:4] == [
        Phase.SETTING_UP, Phase.WAITING_FOR_READY, Phase.COLLECTING]


@pytest.mark.parametrize(('word', 'set_up_failed'), [('bad', True), ('lost', False)])
def test_a_scene_that_nobody_confirms_is_handed_back(word, set_up_failed):
    """An operator who says that it cannot be counts against it, and one who is away does not."""
    robot = run('ok', 'ok', word, 'ok', 'ok', 'stop', confirms=True)

    assert robot.calls[:4] == ['request', 'set_up', 'ready', 'release']
    assert robot.set_up_failed == [set_up_failed]
    assert robot.episodes == {}


@pytest.mark.parametrize('script', [['ok', 'taken'], ['ok', 'ok', 'taken']])
def test_an_assignment_taken_back_before_the_attempt_is_let_go(script):
    robot = run(*script, 'stop', confirms=True)

    assert 'release' not in robot.calls and robot.episodes == {}
    assert robot.calls[-1] == 'request' and robot.waited == 0
    assert Phase.FAULT not in {a.phase for a in robot.told}


def test_an_assignment_taken_back_during_the_attempt_keeps_the_episode():
    robot = run('ok', 'ok', 'ok', 'taken', 'ok', 'stop')

    assert robot.calls == ['request', 'set_up', 'start', 'collect', 'finish', 'request']
    assert list(robot.episodes.values()) == [Outcome.ABORTED]
    assert Phase.FAULT not in {a.phase for a in robot.told}


def test_a_policy_that_asks_for_help_ends_its_episode_and_waits_for_a_person():
    robot = run('ok', 'ok', 'ok', 'unsure', 'ok', 'ok', 'stop')

    assert robot.calls[3:] == ['collect', 'finish', 'help', 'request']
    assert list(robot.episodes.values()) == [Outcome.FAILURE]
    assert list(robot.tags.values()) == [{'help_requested': 'epistemic 0.4 above 0.3'}]
    waiting = next(a for a in robot.told if a.phase is Phase.NEEDS_HELP)
    assert (waiting.assignment_id, waiting.episode_id) == ('', '')


@pytest.mark.parametrize(('steps', 'outcome', 'given'), [
    (('ok', 'ok'), Outcome.SUCCESS, True),
    (('ok', 'bad'), Outcome.FAILURE, True),
    (('ok', 'lost'), Outcome.ABORTED, True),
    (('bad',), Outcome.FAILURE, False),
    (('taken',), Outcome.ABORTED, False),
    (('stop',), Outcome.ABORTED, False),
])
def test_a_person_who_takes_over_goes_on_with_the_same_episode(steps, outcome, given):
    robot = run('ok', 'ok', 'ok', 'unsure', *steps, hands_over=True, turns=2)

    assert list(robot.episodes.values())[:1] == [outcome]
    tags = next(iter(robot.tags.values()))
    assert tags == {'help_requested': 'epistemic 0.4 above 0.3',
                    **({'help_given': 'teleoperation'} if given else {})}
    needs_help = next(a for a in robot.told if a.phase is Phase.NEEDS_HELP)
    assert needs_help.assignment_id and needs_help.episode_id in robot.episodes


@pytest.mark.parametrize(('judgement', 'outcome'), [
    (Outcome.FAILURE, Outcome.FAILURE), (None, Outcome.UNKNOWN)])
def test_an_attempt_without_a_judge_is_closed_first_and_judged_then(judgement, outcome):
    robot = run('ok', 'ok', 'ok', 'unknown', judgement=judgement, turns=2)

    assert robot.calls[3:-1] == ['collect', 'finish', 'judge'] + ['finish'] * bool(judgement)
    assert list(robot.episodes.values()) == [outcome]


def test_the_lease_of_a_reported_episode_is_not_worked_on_again():
    robot = run(reports_arrive=False, turns=150)

    assert 'release' in robot.calls
    first_release = robot.calls.index('release')
    assert robot.calls[:first_release].count('collect') == 1
    assert robot.waited > 9.0


@given(st.lists(st.sampled_from(
    ['ok', 'ok', 'ok', 'lost', 'bad', 'taken', 'unsure', 'unknown', 'stop']), max_size=40),
    st.booleans(), st.booleans())
def test_whatever_happens_no_episode_stays_open_that_could_be_closed(
        script, confirms, hands_over):
    failed = set()
    robot = ScriptedRobot(list(script), confirms=confirms, hands_over=hands_over)
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


def lease(issued_ns=100, deadline_ns=200):
    return Work('a1', Scenario('push', 'cell'), 'scripted', True, 10.0, issued_ns=issued_ns,
                deadline_ns=deadline_ns)


def watched(*seen, work=None):
    """Return a watch that has seen (stamp, deadline of a1, or None where it is not listed)."""
    watch = LeaseWatch()
    watch.follow(work or lease())
    for stamp_ns, deadline_ns in seen:
        watch.see(stamp_ns, {'a0': 999, **({'a1': deadline_ns} if deadline_ns else {})})
    return watch


@pytest.mark.parametrize('seen', [
    [],
    [(90, None)],
    [(100, None)],
    [(110, 210), (120, 220)],
    [(110, 210), (211, None)],
    [(110, 210), (211, None), (212, None)],
    [(250, None)],
])
def test_a_lease_that_stands_or_lapsed_in_silence_is_no_reason_to_stop(seen):
    watched(*seen).check()


@pytest.mark.parametrize('seen', [
    [(101, None)],
    [(110, 210), (120, None)],
    [(110, 210), (205, None)],
    [(110, 210), (120, None), (500, None)],
])
def test_a_lease_that_is_gone_before_its_deadline_was_taken(seen):
    with pytest.raises(TakenError, match='a1'):
        watched(*seen).check()


def test_the_next_assignment_is_not_held_against_the_last_one():
    watch = watched((110, 210), (120, None))

    watch.follow(lease(issued_ns=130, deadline_ns=230))

    watch.check()
