# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What an episode recorder does with episodes, without ROS."""
from __future__ import annotations

import gc
import math
import shutil
import struct
import time

import pytest
import yaml
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.episode import Outcome
from active_collection.episode import StopReason
from active_collection.episode import UncertaintySummary
from active_collection.recording.definitions import Definition
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.open_episode import OpenEpisode
from active_collection.recording.qos import TRANSIENT_LOCAL
from active_collection.recording.qos import Qos
from active_collection.recording.recorder_state import State
from active_collection.recording.refusals import Reason
from active_collection.recording.refusals import RefusedError

LATCHED = Qos(durability=TRANSIENT_LOCAL)


def messages_of(path):
    with Reader(path) as reader:
        return [(c.topic, t, bytes(raw)) for c, t, raw in reader.messages()]


def test_closed_episode_opens_in_rosbags_and_mcap_with_its_record(bench):
    bench.add_topic('/robot_1/joint_states')
    started = bench.start(episode_id='e1', operator='ann', notes='first', tags={'day': 'one'})
    bench.send('/robot_1/joint_states', count=500)
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS, notes='went well')

    path = bench.last_path
    assert path.name == 'e1' and path == find_episodes(bench.recorder.store.data)[0]
    assert read_record(path) == record
    assert (record.outcome, record.stop_reason) == (Outcome.SUCCESS, StopReason.FINISHED)
    assert record.notes == 'first\nwent well' and record.revision == started.revision + 1
    assert record.duration_s == pytest.approx(0.5)
    [topic] = record.topics
    assert (topic.received, topic.written, topic.dropped, topic.lost) == (500, 500, 0, 0)
    assert topic.rate == pytest.approx(1000, rel=0.01)
    assert topic.largest_gap == pytest.approx(0.001, rel=0.01)
    assert len(messages_of(path)) == 500
    with Reader(path) as reader:
        assert reader.message_count == 500
        [connection] = reader.connections
        assert connection.msgtype == 'std_msgs/msg/String'
        assert connection.ext.offered_qos_profiles[0].depth == 10
    with (path / 'e1_0.mcap').open('rb') as file:
        reader = make_reader(file, validate_crcs=True)
        assert sum(1 for _ in reader.iter_messages()) == 500
        summary = reader.get_summary()
        assert summary.statistics.message_count == 500
        assert reader.get_header().profile == 'ros2'
        assert summary.channels[1].metadata['topic_type_hash'].startswith('RIHS01_')
    metadata = yaml.safe_load((path / 'metadata.yaml').read_text())['rosbag2_bagfile_information']
    assert metadata['version'] == 9 and metadata['relative_file_paths'] == ['e1_0.mcap']


def test_messages_of_other_times_are_not_in_the_episode(bench):
    bench.add_topic('/a')
    bench.send('/a', b'before')
    bench.start(episode_id='e1')
    bench.send('/a', b'during')
    bench.recorder.finish('e1', outcome=Outcome.FAILURE)
    bench.send('/a', b'after')
    assert [raw for _, _, raw in messages_of(bench.last_path)] == [b'during']


def test_latched_messages_open_every_episode(bench):
    bench.add_topic('/tf_static', LATCHED)
    bench.add_topic('/robot_1/scenario', LATCHED)
    bench.send('/robot_1/scenario', b'old')
    bench.send('/robot_1/scenario', b'new')
    bench.send('/tf_static', b't1', publisher=b'x')
    bench.send('/tf_static', b't2', publisher=b'y')
    for episode in ('e1', 'e2'):
        bench.start(episode_id=episode)
        record = bench.recorder.finish(episode, outcome=Outcome.SUCCESS)
        stored = messages_of(bench.last_path)
        assert sorted(raw for _, _, raw in stored) == [b'new', b't1', b't2']
        assert {stamp for _, stamp, _ in stored} == {record.started_ns}


def test_latched_message_of_a_publisher_that_is_gone_yields_to_those_that_are_there(bench):
    bench.add_topic('/description', LATCHED)
    bench.send('/description', b'old', publisher=b'old')
    bench.recorder.intake.keep_latched('/description', set())
    bench.send('/description', b'new', publisher=b'new')
    bench.recorder.intake.keep_latched('/description', {b'new'})
    bench.start(episode_id='e1')
    bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert [raw for _, _, raw in messages_of(bench.last_path)] == [b'new']


def test_gaps_in_a_publishers_count_are_losses(bench):
    bench.add_topic('/a')
    bench.send('/a', sequence=5)
    bench.start(episode_id='e1')
    bench.send('/a', sequence=6)
    bench.send('/a', sequence=10)
    bench.send('/a', sequence=10)  # once more, from a subscription that takes over
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert (record.topics[0].received, record.topics[0].lost) == (2, 3)
    assert record.has_losses


def test_full_queue_drops_and_says_so(make_bench):
    bench = make_bench(queue_messages=100)
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    bench.send('/a', bytes(200_000), count=3000)
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    [topic] = record.topics
    assert topic.received == 3000 and topic.written + topic.dropped == 3000
    assert len(messages_of(bench.last_path)) == topic.written
    assert record.has_losses == (topic.dropped > 0)


def test_start_is_idempotent_by_id_and_refuses_a_second_episode(bench):
    first = bench.start(episode_id='e1')
    assert bench.start(episode_id='e1') == first
    with pytest.raises(RefusedError) as refusal:
        bench.start(episode_id='e2')
    assert refusal.value.reason is Reason.BUSY and 'e1' in str(refusal.value)
    bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    with pytest.raises(RefusedError) as refusal:
        bench.start(episode_id='e1')
    assert refusal.value.reason is Reason.DUPLICATE


@pytest.mark.parametrize('name', ['..', 'a/b', 'a\0b', 'x' * 65, '🤖', 'a b', '../../etc'])
def test_ids_that_cannot_be_directories_are_refused(bench, name):
    for call in (lambda: bench.start(episode_id=name),
                 lambda: bench.recorder.finish(name, outcome=Outcome.SUCCESS),
                 lambda: bench.recorder.amend(name, outcome=Outcome.SUCCESS)):
        with pytest.raises(RefusedError) as refusal:
            call()
        assert refusal.value.reason is Reason.INVALID
    assert bench.events == []


def test_made_ids_are_unique_and_safe_whatever_the_robot_is_called(bench):
    ids = set()
    for _ in range(3):
        record = bench.start()
        ids.add(record.episode_id)
        bench.recorder.finish(record.episode_id, outcome=Outcome.SUCCESS)
    assert len(ids) == 3 and all('robot_1' in i for i in ids)


def test_finish_repeats_its_answer_and_judges_an_episode_that_ended_by_itself(bench):
    bench.start(episode_id='e1', time_limit_s=2.0)
    bench.clock.pass_s(3)
    bench.recorder.tick()
    assert bench.events[-1].record.stop_reason is StopReason.TIME_LIMIT
    assert bench.events[-1].record.outcome is Outcome.UNKNOWN
    judged = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert judged.outcome is Outcome.SUCCESS and judged.stop_reason is StopReason.TIME_LIMIT
    assert bench.recorder.finish('e1', outcome=Outcome.FAILURE) == judged
    assert read_record(bench.last_path) == judged


def test_amend_corrects_the_record_and_leaves_the_data(bench):
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    bench.send('/a', count=3)
    with pytest.raises(RefusedError) as refusal:
        bench.recorder.amend('e1', outcome=Outcome.FAILURE)
    assert refusal.value.reason is Reason.STILL_RECORDING
    closed = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    data = (bench.last_path / 'e1_0.mcap').read_bytes()
    amended = bench.recorder.amend('e1', outcome=Outcome.DISCARDED, notes='bumped', author='ann')
    assert amended.outcome is Outcome.DISCARDED and amended.revision == closed.revision + 1
    assert amended.tags['amended_by'] == 'ann'
    assert read_record(bench.last_path) == amended
    assert (bench.last_path / 'e1_0.mcap').read_bytes() == data
    events = len(bench.events)
    assert bench.recorder.amend('e1', outcome=Outcome.DISCARDED, notes='bumped') == amended
    assert len(bench.events) == events
    assert messages_of(bench.last_path)


def test_confirming_an_outcome_is_a_judgement_and_is_published(bench):
    bench.start(episode_id='e1')
    closed = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    confirmed = bench.recorder.amend('e1', outcome=Outcome.SUCCESS, author='ann')
    assert confirmed.revision == closed.revision + 1 == bench.events[-1].record.revision
    assert confirmed.tags['judged_by'] == 'ann'
    assert bench.recorder.amend('e1', outcome=Outcome.SUCCESS, author='ann') == confirmed
    noted = bench.recorder.amend('e1', notes='slow', author='bob', tags={'light': 'dim'})
    assert (noted.tags['judged_by'], noted.tags['amended_by'], noted.tags['light']) == (
        'ann', 'bob', 'dim')


def test_finish_takes_tags_and_may_leave_the_judgement_to_a_person(bench):
    bench.start(episode_id='e1', tags={'light': 'bright', 'mug': 'red'})
    ended = bench.recorder.finish('e1', outcome=Outcome.UNKNOWN, tags={'light': 'dim'})
    assert ended.tags == {'light': 'dim', 'mug': 'red'} and ended.outcome is Outcome.UNKNOWN
    assert bench.recorder.finish('e1', outcome=Outcome.UNKNOWN) == ended
    assert read_record(bench.last_path) == ended
    assert bench.recorder.amend('e1', outcome=Outcome.FAILURE).outcome is Outcome.FAILURE


def test_learned_rate_and_clock_skew_are_in_the_record(bench):
    stamped = Definition('a/msg/Stamped', 'ros2msg', 'std_msgs/Header header\n')
    bench.recorder.intake.add_topic(Topic('/stamped', stamped, (Qos(),)))
    bench.add_topic('/text')
    bench.add_topic('/actor', LATCHED)
    bench.start(episode_id='e1')
    for index in range(100):
        stamp = bench.clock.ns - 250_000_000
        data = b'\0\1\0\0' + struct.pack('<iI', *divmod(stamp, 10**9)) + bytes(20)
        bench.send('/stamped', data)
        bench.send('/text')
        bench.send('/actor')
        bench.clock.pass_s(0.037 + (2.0 if index == 50 else 0.0))
    topics = {t.topic: t for t in bench.recorder.finish('e1', outcome=Outcome.SUCCESS).topics}
    assert topics['/stamped'].clock_skew == pytest.approx(0.25)
    assert topics['/stamped'].expected_rate == pytest.approx(25)
    assert topics['/stamped'].largest_gap == pytest.approx(2.04)
    assert math.isnan(topics['/text'].clock_skew)
    assert topics['/text'].expected_rate == pytest.approx(25)
    assert topics['/actor'].expected_rate == 0, 'a state that holds is never late'
    assert topics['/stamped'] in read_record(bench.last_path).topics


def test_suspended_recorder_refuses_and_forgets_what_came_before(bench):
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    bench.send('/a', count=3)
    bench.recorder.suspend('inactive')
    closed = bench.events[-1].record
    assert (closed.outcome, closed.notes) == (Outcome.ABORTED, 'recorder inactive')
    with pytest.raises(RefusedError, match='inactive') as refusal:
        bench.start(episode_id='e2')
    assert refusal.value.reason is Reason.UNAVAILABLE
    assert bench.recorder.snapshot().state is State.INACTIVE
    bench.recorder.resume()
    bench.add_topic('/a')
    bench.start(episode_id='e2')
    bench.send('/a', sequence=500)
    assert not bench.recorder.finish('e2', outcome=Outcome.SUCCESS).has_losses


def test_unknown_episodes_are_refused(bench):
    for call in (bench.recorder.finish, bench.recorder.amend):
        with pytest.raises(RefusedError) as refusal:
            call('never', outcome=Outcome.SUCCESS)
        assert refusal.value.reason is Reason.UNKNOWN_EPISODE


def test_missing_topics_are_refused_or_marked(bench):
    with pytest.raises(RefusedError) as refusal:
        bench.start(episode_id='e1', missing_topics=('/camera',))
    assert refusal.value.reason is Reason.MISSING_TOPICS and '/camera' in str(refusal.value)
    record = bench.start(
        episode_id='e1', missing_topics=('/camera',), allow_missing_topics=True)
    assert record.missing_topics == ('/camera',)
    assert '/camera' in bench.recorder.snapshot().message


def test_low_disk_refuses_and_closes(make_bench):
    bench = make_bench(disk_reserve_bytes=1000)
    bench.add_topic('/a')
    bench.disk.bytes = 999
    bench.recorder.tick()
    assert bench.recorder.snapshot().state is State.BLOCKED
    with pytest.raises(RefusedError) as refusal:
        bench.start(episode_id='e1')
    assert refusal.value.reason is Reason.NO_SPACE
    bench.disk.bytes = 10**9
    bench.recorder.tick()
    assert bench.recorder.snapshot().state is State.IDLE
    bench.start(episode_id='e1')
    bench.send('/a', count=10)
    bench.disk.bytes = 999
    bench.recorder.tick()
    record = bench.events[-1].record
    assert (record.stop_reason, record.outcome) == (StopReason.DISK_FULL, Outcome.ABORTED)
    assert len(messages_of(bench.last_path)) == 10


def test_directory_removed_while_recording_ends_the_episode_and_not_the_recorder(bench):
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    bench.send('/a')
    shutil.rmtree(bench.recorder.store.root)
    bench.recorder.tick()
    record = bench.events[-1].record
    assert record.stop_reason is StopReason.WRITE_ERROR and record.notes
    assert bench.recorder.finish('e1', outcome=Outcome.SUCCESS) == record
    bench.start(episode_id='e2')
    bench.send('/a')
    bench.recorder.finish('e2', outcome=Outcome.SUCCESS)
    assert len(messages_of(bench.last_path)) == 1


def test_shut_down_closes_the_episode_as_aborted(bench):
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    bench.send('/a', count=7)
    bench.recorder.shut_down()
    record = read_record(bench.last_path)
    assert (record.outcome, record.stop_reason) == (
        Outcome.ABORTED, StopReason.RECORDER_SHUTDOWN)
    assert len(messages_of(bench.last_path)) == 7
    with pytest.raises(RefusedError) as refusal:
        bench.start(episode_id='e2')
    assert refusal.value.reason is Reason.UNAVAILABLE


def test_newest_uncertainty_summary_of_the_open_episode_is_in_its_record(bench):
    bench.start(episode_id='e1')
    bench.recorder.summarise(UncertaintySummary(episode_id='e1', ensemble_id='m', steps=1))
    bench.recorder.summarise(UncertaintySummary(
        episode_id='e1', ensemble_id='m', steps=2, epistemic_mean=0.5))
    bench.recorder.summarise(UncertaintySummary(episode_id='e0', ensemble_id='m', steps=9))
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert record.uncertainty.steps == 2
    assert read_record(bench.last_path).uncertainty.epistemic_mean == 0.5


def test_topic_that_appears_while_recording_is_recorded(bench):
    bench.start(episode_id='e1')
    bench.add_topic('/late')
    bench.send('/late', count=3)
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert record.topics[0].written == 3


def test_messages_that_were_held_back_keep_their_publishers_order(bench):
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    began_ns = bench.clock.ns
    bench.clock.pass_s(10)
    for sequence, arrived in enumerate((0, 5, 1, 2, 9), 1):
        bench.recorder.intake.receive(Message(
            '/a', began_ns + arrived * 10**9, began_ns, sequence, b'p', b'%d' % sequence))
    bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert [raw for _, _, raw in messages_of(bench.last_path)] == [b'1', b'2', b'3', b'4', b'5']


def test_pre_roll_puts_the_last_seconds_into_the_episode(make_bench):
    bench = make_bench(pre_roll_s=0.5)
    bench.add_topic('/a')
    bench.add_topic('/description', LATCHED)
    bench.send('/description', b'latched')
    for index in range(1000):
        bench.send('/a', b'%d' % index)
    record = bench.start(episode_id='e1')
    bench.send('/a', b'during')
    closed = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    stored = messages_of(bench.last_path)
    assert stored[0][2] == b'latched' and stored[-1][2] == b'during'
    assert [raw for _, _, raw in stored[1:-1]] == [b'%d' % i for i in range(500, 1000)]
    assert closed.started_ns == record.started_ns == stored[0][1] == stored[1][1]
    # and the next episode does not begin with what is in this one
    bench.start(episode_id='e2')
    bench.recorder.finish('e2', outcome=Outcome.SUCCESS)
    assert [raw for _, _, raw in messages_of(bench.last_path)] == [b'latched']


def test_pre_roll_is_bounded_in_bytes(make_bench):
    bench = make_bench(pre_roll_s=10, pre_roll_bytes=100_000)
    bench.add_topic('/a')
    bench.send('/a', bytes(10_000), count=50)
    bench.start(episode_id='e1')
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert record.topics[0].written == 9


def test_latched_message_within_the_pre_roll_is_there_once(make_bench):
    bench = make_bench(pre_roll_s=1)
    bench.add_topic('/description', LATCHED)
    bench.send('/description', b'1')
    bench.send('/description', b'2')
    bench.start(episode_id='e1')
    bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert [raw for _, _, raw in messages_of(bench.last_path)] == [b'1', b'2']


def test_split_by_size_repeats_latched_messages_and_keeps_every_message(make_bench):
    bench = make_bench(split_bytes=50_000, chunk_bytes=10_000)
    bench.add_topic('/a')
    bench.add_topic('/tf_static', LATCHED)
    bench.send('/tf_static', b'static')
    bench.start(episode_id='e1')
    bench.send('/a', bytes(1000), count=200)
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    files = sorted(bench.last_path.glob('*.mcap'))
    assert len(files) >= 4
    for file in files:
        with file.open('rb') as opened:
            topics = [c.topic for _, c, _ in make_reader(opened).iter_messages()]
            assert topics.count('/tf_static') == 1
    assert sum(1 for t, _, _ in messages_of(bench.last_path) if t == '/a') == 200
    by_topic = {t.topic: t for t in record.topics}
    assert by_topic['/a'].written == 200 and by_topic['/tf_static'].written == 1


@pytest.mark.parametrize('compression', ['none', 'zstd'])
def test_latched_messages_as_large_as_a_file_begin_few_files(make_bench, compression):
    bench = make_bench(split_bytes=2_000_000, compression=compression)
    bench.add_topic('/a')
    bench.add_topic('/map', LATCHED)
    bench.send('/map', bytes(2_000_000))
    bench.start(episode_id='e1')
    bench.send('/a', bytes(100), count=100)
    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    files = list(bench.last_path.glob('*.mcap'))
    assert len(files) <= 2
    assert sum(file.stat().st_size for file in files) < 5_000_000
    assert {t.topic: t.written for t in record.topics} == {'/a': 100, '/map': 1}


def test_latched_messages_that_fill_every_file_are_warned_of(make_bench):
    bench = make_bench(split_bytes=100_000)
    bench.add_topic('/a')
    bench.add_topic('/map', LATCHED)
    bench.send('/map', bytes(150_000))
    bench.start(episode_id='e1')
    assert not bench.recorder.snapshot().is_amiss
    bench.send('/a', bytes(10_000), count=50)
    deadline = time.monotonic() + 60
    while not bench.recorder.snapshot().is_amiss and time.monotonic() < deadline:
        time.sleep(0.01)
    message = bench.recorder.snapshot().message
    assert 'latched messages fill 150' in message and 'split_bytes is 100000' in message
    bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert len(list(bench.last_path.glob('*.mcap'))) == 6


@pytest.mark.parametrize('compression', ['zstd', 'lz4'])
def test_compression_is_a_topics_own(make_bench, compression):
    bench = make_bench(compression=compression, topic_compression=('/jpeg=none',))
    bench.add_topic('/jpeg')
    bench.add_topic('/text')
    bench.start(episode_id='e1')
    for _ in range(20):
        bench.send('/jpeg', bytes(10_000))
        bench.send('/text', bytes(10_000))
    bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert len(messages_of(bench.last_path)) == 40
    with (bench.last_path / 'e1_0.mcap').open('rb') as file:
        chunks = make_reader(file).get_summary().chunk_indexes
        assert {chunk.compression for chunk in chunks} == {'', compression}


def test_nothing_of_a_closed_episode_waits_for_the_garbage_collector(bench):
    bench.add_topic('/robot_1/joint_states')
    gc.disable()
    try:
        for number in range(5):
            bench.start(episode_id=f'e{number}')
            bench.send('/robot_1/joint_states', count=10)
            bench.recorder.finish(f'e{number}', outcome=Outcome.SUCCESS)

        alive = [thing for thing in gc.get_objects() if isinstance(thing, OpenEpisode)]
    finally:
        gc.enable()

    assert alive == []
