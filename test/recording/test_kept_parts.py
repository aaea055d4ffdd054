# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Of an autonomous run, only what is near high uncertainty is kept, if so asked."""
from __future__ import annotations

import pytest
from rosbags.rosbag2 import Reader

from active_collection.bags.episodes import read_record
from active_collection.config import validate
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import ConfigError
from active_collection.recording.qos import TRANSIENT_LOCAL
from active_collection.recording.qos import Qos
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.verify import verify

EVENTS = '/uncertainty/high_uncertainty'


@pytest.fixture
def bench(make_bench):
    bench = make_bench(policy_parts='uncertain', uncertain_before_s=0.5, uncertain_after_s=0.2,
                       event_topics=frozenset({EVENTS}))
    bench.add_topic('/a')
    bench.add_topic('/latched', Qos(durability=TRANSIENT_LOCAL))
    bench.add_topic(EVENTS)
    return bench


def run(bench, seconds):
    """Publish at 100 Hz, each message its own number."""
    for _ in range(round(seconds * 100)):
        number = bench.counts.get('/a', 0)
        bench.send('/a', b'%06d' % number)
        bench.clock.pass_s(0.009)


def mark(bench, *, high):
    bench.send(EVENTS, b'begin' if high else b'end')
    bench.recorder.mark_uncertain(high=high)


def kept(path):
    with Reader(path) as reader:
        messages = [(c.topic, bytes(raw)) for c, _, raw in reader.messages()]
    numbers = [int(raw) for topic, raw in messages if topic == '/a']
    return numbers, [topic for topic, _ in messages if topic != '/a']


def test_keeps_high_uncertainty_with_its_margins_and_says_so(bench):
    bench.send('/latched')
    bench.start(source=Source.POLICY, episode_id='e1')
    for high in (True, False, True, False):
        run(bench, 2.0)
        mark(bench, high=high)
    run(bench, 2.0)
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)

    numbers, others = kept(bench.last_path)
    expected = [*range(150, 420), *range(550, 820)]
    assert len(set(numbers) ^ set(expected)) <= 8, (numbers[0], numbers[-1], len(numbers))
    assert numbers == sorted(numbers)
    assert others.count('/latched') == 1 and others.count(EVENTS) == 4
    assert record.tags['kept'] == 'high_uncertainty' and record.tags['kept_parts'] == '2'
    assert float(record.tags['kept_s']) == pytest.approx(5.4, abs=0.1)
    assert verify(bench.last_path) == [] and read_record(bench.last_path) == record
    [topic] = [t for t in record.topics if t.topic == '/a']
    assert topic.written == topic.received == len(numbers) and not record.has_losses
    assert topic.largest_gap < 0.1, 'what was not kept is no gap'
    assert topic.rate == pytest.approx(100, rel=0.05)


def test_parts_whose_margins_meet_are_one(bench):
    bench.start(source=Source.POLICY, episode_id='e1')
    mark(bench, high=True)
    run(bench, 1.0)
    mark(bench, high=False)
    run(bench, 0.4)
    mark(bench, high=True)
    run(bench, 1.0)
    record = bench.recorder.finish('e1', outcome=Outcome.FAILURE)
    assert kept(bench.last_path)[0] == list(range(240))
    assert record.tags['kept_parts'] == '1'


def test_a_run_without_high_uncertainty_keeps_what_is_latched(bench):
    bench.send('/latched')
    bench.start(source=Source.POLICY, episode_id='e1')
    assert bench.events[-1].record.tags['kept'] == 'high_uncertainty', 'salvage would say so too'
    run(bench, 1.0)
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert kept(bench.last_path) == ([], ['/latched'])
    assert (record.tags['kept_parts'], record.tags['kept_s']) == ('0', '0.000')


def test_uncertainty_that_is_high_already_counts_from_the_start(bench):
    mark(bench, high=True)
    bench.start(source=Source.POLICY, episode_id='e1')
    run(bench, 0.5)
    bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert kept(bench.last_path)[0] == list(range(50))


def test_demonstrations_are_kept_whole(bench):
    bench.start(source=Source.TELEOPERATION, episode_id='e1')
    run(bench, 1.0)
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert len(kept(bench.last_path)[0]) == 100 and 'kept' not in record.tags


def test_a_loss_in_a_part_that_is_not_kept_is_not_the_episodes(bench):
    bench.start(source=Source.POLICY, episode_id='e1')
    run(bench, 0.2)
    bench.send('/a', b'99', sequence=99)
    run(bench, 2.0)
    mark(bench, high=True)
    bench.send('/a', b'999', sequence=900)
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    [topic] = [t for t in record.topics if t.topic == '/a']
    assert 0 < topic.lost < 800


def test_the_margin_in_front_has_to_fit_the_queue():
    with pytest.raises(ConfigError, match='pre_roll_bytes'):
        validate({'policy_parts': 'uncertain', 'queue_bytes': 2**20}, RecorderSettings, where='x')
