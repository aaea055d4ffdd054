# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Between messages and records, both ways, and what a hostile peer may send."""
import math

import pytest
from active_collection.msg import Episode
from active_collection.msg import Factor
from active_collection.msg import Scenario as ScenarioMsg
from rclpy.serialization import deserialize_message
from rclpy.serialization import serialize_message

from active_collection.episode import ClockJump
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import StopReason
from active_collection.episode import TopicStatistics
from active_collection.episode import UncertaintySummary
from active_collection.errors import ActiveCollectionError
from active_collection.nodes import conversions
from active_collection.scenario import Scenario

SCENARIO = Scenario.of('pick', 'lab', {'x': 0.25, 'mug': 'red'})


def test_a_scenario_survives_its_message():
    message = conversions.scenario_to_msg(SCENARIO, {'x': 'm'})

    assert conversions.scenario_from_msg(message) == SCENARIO
    assert [(f.name, f.unit) for f in message.configuration] == [('mug', ''), ('x', 'm')]


@pytest.mark.parametrize('outcome', Outcome)
def test_an_episode_survives_its_message(outcome):
    record = EpisodeRecord(
        episode_id='e1', scenario=SCENARIO, robot='arm', source=Source.POLICY,
        started_ns=1_500_000_001, finished_ns=2_000_000_000, outcome=outcome,
        stop_reason=StopReason.FINISHED, assignment_id='a1', operator='Ada', revision=3,
        notes='slow', tags={'lamp': 'off'},
        topics=(TopicStatistics('/a', 't', 5, 4, 1, 0, 100, 2.5, 5.0, 0.5, 0.125),),
        uncertainty=UncertaintySummary(
            'e1', 'm1', 2, 0.5, 0.75, 0.75, 0.25, 1.0, 0.5, trained_on={'pick': 3, 'put': 1},
            held_out_loss={'pick': 0.0625}),
        lasted_s=0.5, clock_jumps=(ClockJump(0.25, -3600.0), ClockJump(0.375, 7200.0)))

    message = conversions.episode_to_msg(
        record, state=Episode.CLOSED, path='episodes/x/e1', size=9)

    assert conversions.episode_from_msg(message) == record
    assert conversions.episode_from_msg(deserialize_message(
        serialize_message(message), Episode)) == record
    assert (message.has_losses, message.path, message.size) == (True, 'episodes/x/e1', 9)


@pytest.mark.parametrize('message', [
    ScenarioMsg(task='../x', environment='lab'),
    ScenarioMsg(task='pick', environment=''),
    ScenarioMsg(task='pick', environment='lab', configuration=[Factor(name='')]),
    ScenarioMsg(
        task='pick', environment='lab', configuration=[Factor(name='x'), Factor(name='x')]),
    ScenarioMsg(task='pick', environment='lab', configuration=[
        Factor(name='x', kind=Factor.CONTINUOUS, value=math.nan)]),
])
def test_a_hostile_scenario_is_refused(message):
    with pytest.raises(ActiveCollectionError):
        conversions.scenario_from_msg(message)


@pytest.mark.parametrize('change', [
    {'episode_id': 'a/b'}, {'outcome': 99}, {'source': 'ghost'}, {'stop_reason': 'bored'}])
def test_a_hostile_episode_is_refused(change):
    values = {
        'episode_id': 'e1', 'outcome': Episode.SUCCESS, 'source': 'policy',
        'scenario': conversions.scenario_to_msg(SCENARIO), **change}

    with pytest.raises(ActiveCollectionError):
        conversions.episode_from_msg(Episode(**values))


@pytest.mark.parametrize(
    'nanoseconds', [0, 1, 999_999_999, 1_000_000_000, 1_795_000_000_123_456_789])
def test_times_survive_exactly(nanoseconds):
    assert conversions.time_to_ns(conversions.time_to_msg(nanoseconds)) == nanoseconds


@pytest.mark.parametrize('seconds', [0.0, 0.25, 59.999999999, -1.5])
def test_durations_survive(seconds):
    message = conversions.duration_to_msg(seconds)

    assert conversions.duration_to_s(message) == pytest.approx(seconds)
