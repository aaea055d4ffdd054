# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A clock that jumps costs no message, and the record says that it did."""
from __future__ import annotations

import pytest
from rosbags.rosbag2 import Reader

from active_collection.episode import Outcome
from active_collection.recording.clock_jumps import MOST
from active_collection.recording.clock_jumps import TAG
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
    ((-HOUR_S,), '-3600.0 s after 0.2 s'),
    ((HOUR_S,), '+3600.0 s after 0.2 s'),
    ((-HOUR_S, 2 * HOUR_S), '-3600.0 s after 0.2 s, +7200.0 s after 0.4 s'),
])
def test_jump_loses_nothing_and_is_told(make_bench, jumps, told):
    bench = make_bench(split_duration_s=60.0)
    record = record_with(bench, *jumps)
    assert record.tags[TAG] == told
    assert (record.topics[0].received, record.topics[0].written) == (1 + 2 * len(jumps),) * 2
    assert verify(bench.last_path) == []
    with Reader(bench.last_path) as reader:
        assert reader.message_count == 1 + 2 * len(jumps)


def test_episode_that_ends_before_it_began_is_as_long_as_it_has_lasted(bench):
    record = record_with(bench, -HOUR_S)
    assert record.duration_s == pytest.approx(5.2, abs=0.01)


def test_jump_is_told_while_it_goes_on_too(bench):
    bench.start(episode_id='e1')
    assert bench.recorder.snapshot().message == ''
    jump(bench, -10)
    assert bench.recorder.snapshot().message == 'the clock jumped: -10.0 s after 0.2 s'


def test_jump_between_the_last_look_and_the_end_is_told(bench):
    bench.start(episode_id='e1')
    bench.clock.ns += HOUR_S * SECOND_NS
    assert bench.recorder.finish('e1', outcome=Outcome.SUCCESS).tags[TAG] == (
        '+3600.0 s after 0.0 s')


def test_clock_that_is_slowed_down_or_a_little_off_has_not_jumped():
    clock, ns = ClockJumps(10**18, 0.0), 10**18
    for step in range(1, 1000):
        ns += 150_000_000 if step % 2 else 260_000_000
        clock.look(ns, 0.2 * step)
    clock.look(ns - 50_000_000, 200.0)
    assert (clock.tags(), clock.message) == ({}, '')


def test_simulator_that_runs_fast_or_pauses_has_not_jumped_but_one_that_restarts_has():
    clock = ClockJumps(SECOND_NS, 0.0, simulated=True)
    clock.look(21 * SECOND_NS, 0.2)
    clock.look(21 * SECOND_NS, 100.0)
    assert clock.tags() == {}
    clock.look(SECOND_NS, 100.2)
    assert TAG in clock.tags()


def test_clock_that_jumps_all_the_time_fills_no_record():
    clock = ClockJumps(10**18, 0.0)
    for step in range(1, 1001):
        clock.look(10**18 - step * SECOND_NS, 0.2 * step)
    assert clock.tags()[TAG].count(' after ') == MOST
    assert clock.tags()[TAG].endswith(f', {1000 - MOST} more')


def test_without_a_time_no_episode_starts(bench):
    bench.clock.ns = 0
    with pytest.raises(RefusedError) as refusal:
        bench.start(episode_id='e1')
    assert refusal.value.reason is Reason.UNAVAILABLE and '/clock' in str(refusal.value)
    bench.clock.ns = SECOND_NS
    bench.start(episode_id='e1')
