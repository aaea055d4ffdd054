# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Room for an episode is foretold from what the last ones have written."""
from __future__ import annotations

import shutil

import pytest

from active_collection.episode import Outcome
from active_collection.recording.refusals import Reason
from active_collection.recording.refusals import RefusedError
from active_collection.recording.write_rate import EPISODES

MB = 10**6


def record(bench, episode_id, *, megabytes, seconds, outcome=Outcome.SUCCESS):
    """Record an episode of so many megabytes and seconds."""
    bench.disk.bytes = 10**15
    bench.add_topic('/a')
    bench.start(episode_id=episode_id)
    bench.send('/a', bytes(MB), count=megabytes)
    bench.clock.pass_s(seconds - 0.001 * megabytes)
    bench.recorder.finish(episode_id, outcome=outcome)


def room_for(bench, **request):
    """Return the least free space with which an episode starts (MB), by trying."""
    low, high = 0, 4096
    while high - low > 1:
        middle = (low + high) // 2
        bench.disk.bytes = middle * MB
        try:
            bench.start(episode_id='trial', **request)
        except RefusedError:
            low = middle
        else:
            high = middle
            episode = bench.recorder.intake.shut()
            episode.writer.finish(10)
            bench.recorder.store.discard(episode.directory)
    return high


def test_before_any_episode_only_the_reserve_is_asked_for(make_bench):
    bench = make_bench(disk_reserve_bytes=50 * MB)
    assert room_for(bench) == 50
    assert room_for(bench, time_limit_s=3000.0) == 50


def test_room_is_the_rate_times_the_longest_duration_beside_the_reserve(make_bench):
    bench = make_bench(disk_reserve_bytes=50 * MB, maximum_duration_s=100.0)
    record(bench, 'e1', megabytes=20, seconds=10.0)
    assert room_for(bench) == pytest.approx(50 + 2 * 100, abs=2)
    assert room_for(bench, time_limit_s=30.0) == pytest.approx(50 + 2 * 30, abs=2)
    assert room_for(bench, time_limit_s=5000.0) == pytest.approx(50 + 2 * 100, abs=2)


def test_rate_is_the_mean_over_the_last_episodes_and_forgets_older_ones(make_bench):
    bench = make_bench(disk_reserve_bytes=0, maximum_duration_s=100.0)
    record(bench, 'first', megabytes=40, seconds=1.0)
    record(bench, 'e0', megabytes=10, seconds=10.0)
    assert room_for(bench) == pytest.approx(50 / 11 * 100, rel=0.02)
    for index in range(1, EPISODES):
        record(bench, f'e{index}', megabytes=10, seconds=10.0)
    assert room_for(bench) == pytest.approx(100, rel=0.02)


def test_episode_of_an_instant_foretells_no_flood(make_bench):
    bench = make_bench(disk_reserve_bytes=0, maximum_duration_s=100.0)
    record(bench, 'e1', megabytes=1, seconds=0.01)
    assert room_for(bench) == pytest.approx(100, rel=0.05)


def test_rate_holds_after_a_restart(make_bench):
    bench = make_bench(disk_reserve_bytes=0, maximum_duration_s=100.0)
    record(bench, 'old', megabytes=30, seconds=1.0)
    for index in range(EPISODES):
        record(bench, f'e{index}', megabytes=20, seconds=10.0, outcome=Outcome.DISCARDED)
    # a word on an old episode does not make it a recent one
    bench.recorder.amend('old', outcome=Outcome.FAILURE, notes='late')
    again = make_bench(disk_reserve_bytes=0, maximum_duration_s=100.0)
    assert room_for(again) == room_for(bench) == pytest.approx(200, rel=0.02)


def test_other_robots_and_damaged_episodes_tell_no_rate(make_bench):
    bench = make_bench(disk_reserve_bytes=0, maximum_duration_s=100.0)
    record(bench, 'e1', megabytes=20, seconds=10.0)
    copied = bench.last_path.with_name('other')
    shutil.copytree(bench.last_path, copied)
    metadata = copied / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('robot_1', 'robot_2'))
    (copied / 'other_0.mcap').write_bytes(bytes(100 * MB))
    damaged = bench.last_path.with_name('damaged')
    shutil.copytree(copied, damaged)
    (damaged / 'metadata.yaml').write_text('{')
    again = make_bench(disk_reserve_bytes=0, maximum_duration_s=100.0)
    assert room_for(again) == pytest.approx(200, rel=0.02)


def test_refusal_names_what_is_free_and_what_is_needed_for_what(make_bench):
    bench = make_bench(disk_reserve_bytes=2**20)
    record(bench, 'e1', megabytes=10, seconds=5.0)
    bench.disk.bytes = 2**21
    with pytest.raises(RefusedError) as refusal:
        bench.start(episode_id='e2', time_limit_s=60.0)
    text = str(refusal.value)
    assert refusal.value.reason is Reason.NO_SPACE
    assert 'found 2.0 MiB free, expected at least 115.5 MiB: 1.0 MiB in reserve and ' in text
    assert '114.5 MiB for up to 60 s at the 1.9 MiB/s of the last episodes' in text
    assert '\n' not in text
