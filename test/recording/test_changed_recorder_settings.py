# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Settings that change while a recorder runs: from the next episode on, a few at once."""
from __future__ import annotations

import random

import pytest
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader

from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import StopReason
from active_collection.recording.qos import TRANSIENT_LOCAL
from active_collection.recording.qos import Qos
from active_collection.recording.recorder_state import State
from active_collection.recording.refusals import RefusedError

NOISE = random.Random(0).randbytes(900)


def change(bench, rates=None, **settings):
    recorder = bench.recorder
    recorder.change(recorder._settings.model_copy(update=settings), rates or {})


def finish(bench, record):
    return bench.recorder.finish(record.episode_id, outcome=Outcome.SUCCESS)


def compressions(path):
    found = set()
    for file in path.glob('*.mcap'):
        with file.open('rb') as stream:
            chunks = make_reader(stream).get_summary().chunk_indexes
            found |= {chunk.compression for chunk in chunks}
    return found


def count(path, topic):
    with Reader(path) as reader:
        return sum(1 for connection, *_ in reader.messages() if connection.topic == topic)


def test_the_open_episode_is_written_as_it_was_begun_and_the_next_one_otherwise(bench):
    bench.add_topic('/a')
    first = bench.start()
    bench.send('/a', count=5)
    change(bench, compression='zstd', split_bytes=2000, chunk_bytes=1024)
    bench.send('/a', NOISE, count=10)
    finish(bench, first)
    first_path = bench.last_path

    second = bench.start()
    bench.send('/a', NOISE, count=10)
    finish(bench, second)

    assert compressions(first_path) == {''} and len(list(first_path.glob('*.mcap'))) == 1
    assert compressions(bench.last_path) == {'zstd'}
    assert len(list(bench.last_path.glob('*.mcap'))) > 1


def test_a_shorter_longest_episode_is_that_of_the_next_one(bench):
    first = bench.start()
    change(bench, maximum_duration_s=5.0)
    bench.clock.pass_s(100)
    bench.recorder.tick()
    assert bench.recorder.open_episode_id == first.episode_id
    finish(bench, first)

    bench.start()
    bench.clock.pass_s(5)
    bench.recorder.tick()

    assert bench.events[-1].record.stop_reason is StopReason.TIME_LIMIT


def test_a_pre_roll_reaches_back_from_the_change_on(bench):
    bench.add_topic('/a')
    bench.send('/a', count=3)
    change(bench, pre_roll_s=10.0)
    bench.send('/a', count=4)

    finish(bench, bench.start())
    assert count(bench.last_path, '/a') == 4
    bench.send('/a', count=5)
    change(bench, pre_roll_s=0.0)
    change(bench, pre_roll_s=10.0)
    finish(bench, bench.start())

    with Reader(bench.last_path) as reader:
        assert reader.message_count == 0


def test_parts_and_what_the_record_says_of_them_change_together(bench):
    bench.add_topic('/a')
    first = bench.start(source=Source.POLICY)
    change(bench, policy_parts='uncertain', uncertain_before_s=0.0)
    bench.send('/a', count=5)
    first = finish(bench, first)
    assert count(bench.last_path, '/a') == 5

    second = bench.start(source=Source.POLICY)
    bench.send('/a', count=5)
    second = finish(bench, second)

    assert not any('parts' in key for key in first.tags)
    assert any('parts' in key for key in second.tags)
    with Reader(bench.last_path) as reader:
        assert reader.message_count == 0


def test_a_larger_reserve_holds_at_once(bench):
    bench.disk.bytes = 5 * 10**9
    record = bench.start()
    change(bench, disk_reserve_bytes=6 * 10**9)

    bench.recorder.tick()

    assert bench.events[-1].record.episode_id == record.episode_id
    assert bench.events[-1].record.stop_reason is StopReason.DISK_FULL
    with pytest.raises(RefusedError, match='reserve'):
        bench.start()
    change(bench, disk_reserve_bytes=0)
    bench.recorder.tick()
    assert bench.recorder.snapshot().state is State.IDLE
    bench.start()


def test_expected_rates_hold_at_once_for_topics_old_and_new(bench):
    bench.add_topic('/a')
    record = bench.start()
    change(bench, rates={'/a': 30.0, '/b': 10.0})
    bench.add_topic('/b')
    bench.send('/a', count=2)

    topics = {t.topic: t.expected_rate for t in finish(bench, record).topics}

    assert topics == {'/a': 30.0, '/b': 10.0}


def test_a_change_outlives_a_pause_of_the_recorder(bench):
    change(bench, rates={'/a': 30.0}, pre_roll_s=10.0)
    bench.recorder.suspend('inactive')
    bench.recorder.resume()
    bench.add_topic('/a')
    bench.send('/a', count=4)

    record = finish(bench, bench.start())

    assert (record.topics[0].received, record.topics[0].expected_rate) == (4, 30.0)


def test_a_forgotten_topic_leaves_nothing_and_is_no_loss_when_it_comes_back(make_bench):
    bench = make_bench(pre_roll_s=10.0)
    latched = Qos(durability=TRANSIENT_LOCAL)
    bench.add_topic('/a')
    bench.add_topic('/latched', latched)
    bench.send('/a', count=3)
    bench.send('/latched')

    assert bench.recorder.intake.forget(['/a', '/latched', '/never_there'])
    bench.send('/a', count=3)
    finish(bench, bench.start())
    with Reader(bench.last_path) as reader:
        assert reader.message_count == 0 and not reader.topics

    bench.counts['/a'] += 5  # sent while nobody listened
    bench.add_topic('/a')
    bench.add_topic('/latched', latched)
    bench.send('/a')
    record = finish(bench, bench.start())
    assert {t.topic: (t.received, t.lost) for t in record.topics} == {
        '/a': (1, 0), '/latched': (0, 0)}


def test_an_open_episode_keeps_its_topics(bench):
    bench.add_topic('/a')
    record = bench.start()

    assert not bench.recorder.intake.forget(['/a'])
    bench.send('/a', count=3)

    assert finish(bench, record).topics[0].written == 3
