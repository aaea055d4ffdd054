# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Chosen moments become one MCAP file with the original messages and what was chosen and why."""
from __future__ import annotations

from dataclasses import fields
from dataclasses import replace

import pytest
from bag_factory import START_NS
from bag_factory import camera
from bag_factory import image
from bag_factory import joints
from bag_factory import scene
from bag_factory import write_bag
from bag_factory import write_bag1
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore

from active_collection.annotation import foxglove
from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.items import Item
from active_collection.annotation.moments import write_moments
from active_collection.bags.images import to_rgb
from active_collection.bags.reader import open_bag
from active_collection.errors import AnnotationError

SECOND = 10**9


def item(bag, number, order=0):
    ns = START_NS + number * SECOND // 10
    return Item(unit_id=f'u{number}', file='', order=order, bag=str(bag),
                topic='/camera/image_raw', receive_ns=ns + 10**6, sequence=0, stamp_ns=ns,
                width=32, height=24, score=0.5, reason='unlike the others', strategy='hybrid')


def bag_of(path, storage='mcap'):
    entries = [*camera(100), ('/tf_static', START_NS, joints(START_NS))]
    entries += [('/joint_states', START_NS + i * 20_000_000, joints(START_NS + i * 20_000_000))
                for i in range(500)]
    return write_bag(path, sorted(entries, key=lambda e: e[1]), storage=storage)


def read(path):
    with path.open('rb') as file:
        return [(channel.topic, schema, message)
                for schema, channel, message in make_reader(file).iter_messages()]


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_the_messages_around_each_moment_are_those_of_the_bag(tmp_path, storage):
    bag = bag_of(tmp_path / 'bag', storage)
    out = tmp_path / 'out' / 'moments.mcap'
    written = write_moments([item(bag, 20), item(bag, 80, 1)], out, window_s=0.5)
    found = [(topic, m.log_time, m.data) for topic, _, m in read(out)
             if not topic.startswith('/selection')]
    expected = []
    with open_bag(bag) as opened:
        for middle in (item(bag, 20).receive_ns, item(bag, 80).receive_ns):
            expected += [(m.topic, m.receive_ns, bytes(m.raw)) for m in opened.messages(
                start_ns=middle - SECOND // 2, stop_ns=middle + SECOND // 2 + 1)]
    assert [entry for entry in found if entry[0] != '/tf_static'] == expected
    assert (written.moments, written.messages) == (2, len(found))


def test_what_stands_for_the_whole_bag_is_there_from_each_moment_on(tmp_path):
    bag = bag_of(tmp_path / 'bag')
    write_moments([item(bag, 50)], tmp_path / 'm.mcap', window_s=0.5)
    static, = [m for topic, _, m in read(tmp_path / 'm.mcap') if topic == '/tf_static']
    assert static.log_time == item(bag, 50).receive_ns - SECOND // 2
    assert static.publish_time == START_NS


def test_moments_that_overlap_are_copied_once(tmp_path):
    bag = bag_of(tmp_path / 'bag')
    write_moments([item(bag, 50), item(bag, 53, 1)], tmp_path / 'm.mcap', window_s=0.5)
    times = [m.log_time for topic, _, m in read(tmp_path / 'm.mcap')
             if topic == '/camera/image_raw']
    assert len(times) == len(set(times)) == 14


def test_it_is_a_bag_that_opens_like_any_other(tmp_path):
    bag = bag_of(tmp_path / 'bag')
    write_moments([item(bag, 50)], tmp_path / 'm.mcap', window_s=0.05)
    with open_bag(tmp_path / 'm.mcap') as opened:
        message, = opened.messages(['/camera/image_raw'])
        assert (to_rgb(message.decode(), where='') == scene(50)).all()


def test_messages_of_ros_1_keep_their_encoding(tmp_path):
    bag = write_bag1(tmp_path / 'a.bag', [
        (topic, ns, image(scene(i), ros1=True)) for i, (topic, ns, _) in enumerate(camera(9))])
    write_moments([item(bag, 4)], tmp_path / 'm.mcap', window_s=0.15)
    with (tmp_path / 'm.mcap').open('rb') as file:
        summary = make_reader(file).get_summary()
    said = {c.topic: (c.message_encoding, summary.schemas[c.schema_id].name,
                      summary.schemas[c.schema_id].encoding) for c in summary.channels.values()}
    assert said['/camera/image_raw'] == ('ros1', 'sensor_msgs/Image', 'ros1msg')


def selection(path):
    """Return topic to message of what was added, as rosbags reads it without knowing its types."""
    with AnyReader([path], default_typestore=get_typestore(Stores.EMPTY)) as opened:
        own = [c for c in opened.connections if c.topic.startswith('/selection')]
        return {c.topic: opened.deserialize(raw, c.msgtype) for c, _, raw in opened.messages(own)}


def test_events_and_annotations_say_what_was_chosen_and_seen(tmp_path):
    bag = bag_of(tmp_path / 'bag')
    write_moments([item(bag, 50)], tmp_path / 'm.mcap', annotations=[
        Annotation('u50', 'mug', 'ann', Box(1, 2, 10, 5)), Annotation('u50', 'slip'),
        Annotation('other', 'cup', '', Box(0, 0, 1, 1))])
    said = selection(tmp_path / 'm.mcap')
    assert {topic: m.__msgtype__ for topic, m in said.items()} == foxglove.TOPICS
    log = said[foxglove.LOG]
    assert log.message == '#1 hybrid 0.5: unlike the others'
    assert (log.timestamp.sec, log.timestamp.nanosec) == (START_NS // SECOND + 5, 0)
    drawn = said[foxglove.ANNOTATIONS]
    outline, = drawn.points
    assert [(p.x, p.y) for p in outline.points] == [(1, 2), (11, 2), (11, 7), (1, 7)]
    assert [text.text for text in drawn.texts] == ['#1 hybrid 0.5 slip', 'mug']
    assert drawn.timestamp == log.timestamp
    assert {p.key: p.value for p in outline.metadata} == {'label': 'mug', 'annotator': 'ann'}
    shown = {p.key: p.value for p in drawn.metadata}
    assert (shown['unit_id'], shown['reason']) == ('u50', 'unlike the others')
    # A text's origin is its bottom left corner: above the picture nobody would see it.
    assert all(text.position.y >= text.font_size for text in drawn.texts)


def test_each_pick_maps_back_to_its_message(tmp_path):
    bag = bag_of(tmp_path / 'bag')
    chosen = item(bag, 50)
    write_moments([chosen], tmp_path / 'm.mcap')
    said = selection(tmp_path / 'm.mcap')[foxglove.PICKS]
    for field in fields(Item):
        assert getattr(said, field.name) == getattr(chosen, field.name)


def test_a_bag_that_is_gone_is_named_and_the_rest_written(tmp_path):
    bag = bag_of(tmp_path / 'bag')
    gone = replace(item(bag, 5, 1), bag='/none/bag')
    written = write_moments([item(bag, 50), gone], tmp_path / 'm.mcap')
    assert written.moments == 1
    assert '/none/bag' in written.missing[0]
    with pytest.raises(AnnotationError, match='/none/bag'):
        write_moments([gone], tmp_path / 'other.mcap')
    assert {p.name for p in tmp_path.iterdir()} == {'bag', 'm.mcap'}


def test_rosbags_opens_it(tmp_path):
    bag = bag_of(tmp_path / 'bag')
    write_moments([item(bag, 50)], tmp_path / 'm.mcap', window_s=0.05)
    with AnyReader([tmp_path / 'm.mcap'], default_typestore=get_typestore(Stores.EMPTY)) as read_:
        connections = [c for c in read_.connections if c.topic == '/camera/image_raw']
        (connection, stamp, raw), = read_.messages(connections)
        picture = read_.deserialize(raw, connection.msgtype)
    assert stamp == item(bag, 50).receive_ns
    assert (picture.data.reshape(24, 32, 3) == scene(50)).all()
