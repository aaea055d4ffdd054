# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A clock that jumps costs no message, and the record says that it did."""
from __future__ import annotations

from dataclasses import replace

import pytest
from rosbags.rosbag2 import Reader

from active_collection.bags.episodes import read_record
from active_collection.episode import ClockJump
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.recording.clock_jumps import MOST
from active_collection.recording.clock_jumps import ClockJumps
from active_collection.recording.refusals import Reason
from active_collection.recording.refusals import RefusedError
from active_collection.recording.verify import verify

HOUR_S = 3600
SECOND_NS = 10**9


def jump(bench, seconds):
    """Set ROS time, and let the recorder look as often as its node does."""
    bench.recorder.tick()
    bench.clock.ns += seconds * SECOND_NS
    bench.clock.pass_s(0.2)
    bench.recorder.tick()


def record_with(bench, *jumps):
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    bench.send('/a', b'first')
    for seconds in jumps:
        jump(bench, seconds)
        bench.send('/a', b'more', count=2)
    bench.clock.pass_s(5)
    return bench.recorder.finish('e1', outcome=Outcome.SUCCESS)


@pytest.mark.parametrize(('jumps', 'told'), [
    ((-HOUR_S,), ['-3600.0 s after 0.2 s']),
    ((HOUR_S,), ['+3600.0 s after 0.2 s']),
    ((-HOUR_S, 2 * HOUR_S), ['-3600.0 s after 0.2 s', '+7200.0 s after 0.4 s']),
])
def test_jump_loses_nothing_and_is_told(make_bench, jumps, told):
    bench = make_bench(split_duration_s=60.0)
    record = record_with(bench, *jumps)
    assert list(map(str, record.clock_jumps)) == told
    assert read_record(bench.last_path) == record == EpisodeRecord.from_json(record.to_json())
    assert (record.topics[0].received, record.topics[0].written) == (1 + 2 * len(jumps),) * 2
    assert verify(bench.last_path) == []
    with Reader(bench.last_path) as reader:
        assert reader.message_count == 1 + 2 * len(jumps)


@pytest.mark.parametrize('jumps', [
    (-HOUR_S,), (HOUR_S,), (-2_000_000,), (-1_790_000_000 + 1, 500_000 * HOUR_S)])
def test_episode_is_as_long_as_it_has_lasted_whatever_the_clock_says(bench, jumps):
    record = record_with(bench, *jumps)
    assert record.duration_s == pytest.approx(5.0 + 0.2 * len(jumps), abs=0.02)
    assert record.finished_ns >= record.started_ns


def test_a_judgement_in_the_evening_leaves_the_duration(bench):
    bench.start(episode_id='e1')
    bench.clock.pass_s(5)
    bench.recorder.finish('e1', outcome=Outcome.UNKNOWN)
    bench.clock.pass_s(6 * HOUR_S)
    assert bench.recorder.amend('e1', outcome=Outcome.SUCCESS).duration_s == pytest.approx(5.0)


def test_episode_that_nobody_has_measured_is_as_long_as_its_stamps_say(bench):
    record = replace(record_with(bench), lasted_s=0.0)
    assert 'lasted_s' not in record.to_json()
    assert record.duration_s == (record.finished_ns - record.started_ns) / 1e9 > 0


def test_jump_is_told_while_it_goes_on_too(bench):
    bench.start(episode_id='e1')
    assert bench.recorder.snapshot().message == ''
    jump(bench, -10)
    assert bench.recorder.snapshot().message == 'the clock jumped: -10.0 s after 0.2 s'


def test_jump_between_the_last_look_and_the_end_is_told(bench):
    bench.start(episode_id='e1')
    bench.clock.ns += HOUR_S * SECOND_NS
    assert bench.recorder.finish('e1', outcome=Outcome.SUCCESS).clock_jumps == (
        ClockJump(0.0, HOUR_S),)


def test_clock_that_is_slowed_down_or_a_little_off_has_not_jumped():
    clock, ns = ClockJumps(10**18, 0.0), 10**18
    for step in range(1, 1000):
        ns += 150_000_000 if step % 2 else 260_000_000
        clock.look(ns, 0.2 * step)
    clock.look(ns - 50_000_000, 200.0)
    assert (clock.jumps, clock.message) == ((), '')


def test_clock_that_is_set_back_by_less_than_passed_between_two_looks_has_jumped():
    clock = ClockJumps(10**18, 0.0)
    assert not clock.look(10**18 + SECOND_NS // 5, 0.2)
    assert clock.look(10**18 + SECOND_NS, 3.0)
    assert clock.jumps == (ClockJump(3.0, pytest.approx(-2.0)),)


def test_simulator_that_runs_fast_or_pauses_has_not_jumped_but_one_that_restarts_has():
    clock = ClockJumps(SECOND_NS, 0.0, simulated=True)
    clock.look(21 * SECOND_NS, 0.2)
    clock.look(21 * SECOND_NS, 100.0)
    assert clock.jumps == ()
    clock.look(SECOND_NS, 100.2)
    assert clock.jumps == (ClockJump(pytest.approx(100.2), pytest.approx(-20.2)),)


def test_clock_that_jumps_all_the_time_fills_no_record():
    clock = ClockJumps(10**18, 0.0)
    for step in range(1, 1001):
        clock.look(10**18 - step * SECOND_NS, 0.2 * step)
    assert len(clock.jumps) == MOST
    assert sum(jump.by_s for jump in clock.jumps) == pytest.approx(-1000 - 0.2 * 1000)


def test_without_a_time_no_episode_starts(bench):
    bench.clock.ns = 0
    with pytest.raises(RefusedError) as refusal:
        bench.start(episode_id='e1')
    assert refusal.value.reason is Reason.UNAVAILABLE and '/clock' in str(refusal.value)
    bench.clock.ns = SECOND_NS
    bench.start(episode_id='e1')
