# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""`ros2 bag` of the recorder's release, and of each later one, reads what was recorded."""
from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path

import pytest
import yaml
from rosbags.highlevel import AnyReader

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import read_record
from active_collection.bags.reader import open_bag
from active_collection.episode import Outcome
from active_collection.recording.definitions import Definition
from active_collection.recording.messages import Topic
from active_collection.recording.metadata import version_of
from active_collection.recording.qos import Qos
from active_collection.recording.salvage.episodes import salvage_abandoned
from active_collection.recording.verify import verify

sys.path.insert(0, str(Path(__file__).parent))
from ros2_bag_rules import READS
from ros2_bag_rules import Refused
from ros2_bag_rules import check

RELEASES = tuple(READS)
STRING = Definition(
    'std_msgs/msg/String', 'ros2msg', 'string data\n',
    'RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18')
LATCHED = Qos(durability='transient_local', depth=1, liveliness='manual_by_topic')


@pytest.fixture
def make_episode(make_bench):
    def make(release, **settings):
        bench = make_bench(ros_distro=release, **settings)
        for name, *qos in (('/a', Qos(reliability='best_effort'), Qos()), ('/map', LATCHED),
                           ('/silent', Qos())):
            bench.recorder.intake.add_topic(Topic(name, STRING, tuple(qos)))
        bench.start(episode_id='e1')
        bench.send('/map')
        bench.send('/a', count=50)
        return bench

    return make


def closed(bench):
    bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    return bench.last_path


@pytest.mark.parametrize('reading', RELEASES)
@pytest.mark.parametrize('recording', RELEASES)
def test_later_releases_read_it_and_earlier_ones_do_not(make_episode, recording, reading):
    path = closed(make_episode(recording, split_bytes=2000, chunk_bytes=1024))
    if READS[reading] >= READS[recording] or READS[recording] == 7:
        check(path, reading)
    else:
        with pytest.raises(Refused):
            check(path, reading)


@pytest.mark.parametrize('release', RELEASES)
def test_rosbags_and_our_reader_read_each_version(make_episode, release):
    path = closed(make_episode(release, split_bytes=2000, chunk_bytes=1024))
    information = yaml.safe_load((path / METADATA).read_text())['rosbag2_bagfile_information']
    assert information['version'] == READS[release] == version_of(release)
    assert read_record(path).outcome is Outcome.SUCCESS and verify(path) == []
    with AnyReader([path]) as reader:
        read = [connection.topic for connection, *_ in reader.messages()]
        qos = {c.topic: c.ext.offered_qos_profiles for c in reader.connections}
    with open_bag(path) as bag:
        assert len(list(bag.messages())) == len(read)
    assert read.count('/a') == 50
    assert [profile.reliability.name for profile in qos['/a']] == ['BEST_EFFORT', 'RELIABLE']


@pytest.mark.parametrize('release', RELEASES)
def test_an_amended_episode_is_read_as_before(make_episode, release):
    bench = make_episode(release)
    closed(bench)
    bench.recorder.amend('e1', outcome=Outcome.FAILURE, notes='fell: "over"\n- twice')
    check(bench.last_path, release)
    assert read_record(bench.last_path).outcome is Outcome.FAILURE


@pytest.mark.parametrize('release', RELEASES)
def test_a_salvaged_episode_has_the_version_of_its_release(make_episode, release):
    bench = make_episode(release)
    [recording] = bench.recorder.store.abandoned()
    closed(bench)
    whole = bench.last_path
    torn = recording.with_name('e2.recording')
    shutil.copytree(whole, torn)
    for file in torn.glob('*.mcap'):
        file.write_bytes(file.read_bytes()[:-200])
    [(_, salvaged)] = list(salvage_abandoned(bench.recorder.store, stop=threading.Event()))
    path = bench.recorder.store.data / salvaged.event.path
    assert path.name == 'e2'
    check(path, release)


@pytest.mark.parametrize(('release', 'change'), [
    ('jazzy', lambda bag: bag.pop('ros_distro')),
    ('jazzy', lambda bag: bag.pop('custom_data')),
    ('iron', lambda bag: bag.pop('files')),
    ('humble', lambda bag: bag['duration'].update(nanoseconds=-1)),
    ('humble', lambda bag: bag['relative_file_paths'].append('none.mcap')),
    ('iron', lambda bag: bag['topics_with_message_count'][0]['topic_metadata'].pop(
        'type_description_hash')),
    ('humble', lambda bag: bag['topics_with_message_count'][0]['topic_metadata'].update(
        offered_qos_profiles='- history: keep_last')),
])
def test_the_rules_refuse_what_a_release_refuses(make_episode, release, change):
    path = closed(make_episode(release))
    content = yaml.safe_load((path / METADATA).read_text())
    change(content['rosbag2_bagfile_information'])
    (path / METADATA).write_text(yaml.safe_dump(content))
    with pytest.raises(Refused):
        check(path, release)
