# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
What `ros2 bag` of each release requires of a directory, as it is not to be had everywhere.

Stated after rosbag2_storage's `yaml.hpp` (in Humble `metadata_io.cpp`), `qos.cpp` (in Humble and
Iron rosbag2_transport's) and rosbag2_storage_mcap of the branches humble, iron and jazzy. A key
that a release does not know is passed over; one that it asks for and a value of another kind are
what it refuses.
"""
from __future__ import annotations

from pathlib import Path

import yaml
from mcap.reader import make_reader

#: The newest version that each release knows; a later one is decoded by the same rules.
READS = {'humble': 5, 'iron': 7, 'jazzy': 9, 'kilted': 9}
_UNSIGNED = 1 << 64
_POLICIES = {'history': 3, 'reliability': 3, 'durability': 3, 'liveliness': 4}
_NAMES = {
    'history': {'system_default', 'keep_last', 'keep_all', 'unknown'},
    'reliability': {'system_default', 'reliable', 'best_effort', 'best_available', 'unknown'},
    'durability': {'system_default', 'transient_local', 'volatile', 'best_available', 'unknown'},
    'liveliness': {'system_default', 'automatic', 'manual_by_topic', 'best_available', 'unknown'},
}
_DURATIONS = ('deadline', 'lifespan', 'liveliness_lease_duration')


class Refused(Exception):
    """What `ros2 bag` ends with, at the place where it does."""


def check(directory: Path, release: str) -> None:
    """
    See that a release reads a bag: its info, and its messages with the QoS to play them.

    :raises Refused: where it does not
    """
    root = yaml.compose((directory / 'metadata.yaml').read_text())
    bag = _field(_Node(root, ''), 'rosbag2_bagfile_information')
    topics = _metadata(bag, release)
    files = [_text(node) for node in _sequence(_field(bag, 'relative_file_paths'))]
    if not files:
        raise Refused('relative_file_paths: empty')
    if _text(_field(bag, 'storage_identifier')) not in {'mcap', 'sqlite3'}:
        raise Refused('storage_identifier: no plugin')
    for name in files:
        if not (directory / name).is_file():
            raise Refused(f'{name}: not there')
        if name.endswith('.mcap'):
            _mcap(directory / name, topics, release)


def _metadata(bag: _Node, release: str) -> dict[str, str]:
    """Decode what a metadata.yaml says as a release does; return topic to type."""
    version, known = _integer(_field(bag, 'version')), READS[release]
    _text(_field(bag, 'storage_identifier'))
    _unsigned(_field(_field(bag, 'duration'), 'nanoseconds'))
    _unsigned(_field(_field(bag, 'starting_time'), 'nanoseconds_since_epoch'))
    _unsigned(_field(bag, 'message_count'))
    topics = {}
    for entry in _sequence(_field(bag, 'topics_with_message_count')):
        topic = _field(entry, 'topic_metadata')
        topics[_text(_field(topic, 'name'))] = _text(_field(topic, 'type'))
        _text(_field(topic, 'serialization_format'))
        profiles = _field(topic, 'offered_qos_profiles')
        if min(version, known) >= 9:
            for profile in _sequence(profiles):
                _profile(profile, release)
        elif version >= 4:
            _profiles_of(_text(profiles), release)
        if version >= 7 and known >= 7:
            _text(_field(topic, 'type_description_hash'))
        _unsigned(_field(entry, 'message_count'))
    if version >= 3:
        _text(_field(bag, 'compression_format'))
        _text(_field(bag, 'compression_mode'))
    if version >= 5:
        for file in _sequence(_field(bag, 'files')):
            _text(_field(file, 'path'))
            _unsigned(_field(_field(file, 'starting_time'), 'nanoseconds_since_epoch'))
            _unsigned(_field(_field(file, 'duration'), 'nanoseconds'))
            _unsigned(_field(file, 'message_count'))
    if version >= 6 and known >= 6:
        custom = _field(bag, 'custom_data')
        for key, value in custom.node.value if isinstance(custom.node, yaml.MappingNode) else ():
            _text(_Node(key, f'{custom.where}: key'))
            _text(_Node(value, f'{custom.where}: {key.value}'))
    if version >= 8 and known >= 8:
        _text(_field(bag, 'ros_distro'))
    return topics


def _mcap(path: Path, topics: dict[str, str], release: str) -> None:
    with path.open('rb') as file:
        reader = make_reader(file)
        if reader.get_header().profile != 'ros2':
            raise Refused(f'{path.name}: profile {reader.get_header().profile!r}')
        summary = reader.get_summary()
        if summary is None or summary.statistics is None:
            raise Refused(f'{path.name}: no summary')
        for channel in summary.channels.values():
            if channel.message_encoding != 'cdr':
                raise Refused(f'{channel.topic}: encoding {channel.message_encoding!r}')
            if topics.get(channel.topic) != summary.schemas[channel.schema_id].name:
                raise Refused(f'{channel.topic}: another type than in metadata.yaml')
            # What `play` offers is taken from here, not from metadata.yaml.
            _profiles_of(channel.metadata['offered_qos_profiles'], release)
        for record in reader.iter_metadata():
            if record.name == 'rosbag2':
                content = yaml.compose(record.metadata['serialized_metadata'])
                _metadata(_Node(content, f'{path.name}: rosbag2'), release)


def _profiles_of(text: str, release: str) -> None:
    if text:
        root = yaml.compose(text)
        for profile in _sequence(_Node(root, 'offered_qos_profiles')):
            _profile(profile, release)


def _profile(profile: _Node, release: str) -> None:
    history = _field(profile, 'history')
    # Before Jazzy always; then it goes by what the history looks like.
    numbered = READS[release] < 9 or _text(history).lstrip('-').isdigit()
    for policy, largest in _POLICIES.items():
        value = _field(profile, policy)
        if numbered and not 0 <= _integer(value) <= largest:
            raise Refused(f'{value.where}: {_text(value)}')
        if not numbered and _text(value) not in _NAMES[policy]:
            raise Refused(f'{value.where}: {_text(value)}')
    _integer(_field(profile, 'depth'))
    for name in _DURATIONS:
        _unsigned(_field(_field(profile, name), 'sec'))
        _unsigned(_field(_field(profile, name), 'nsec'))
    if _text(_field(profile, 'avoid_ros_namespace_conventions')) not in {'true', 'false'}:
        raise Refused('avoid_ros_namespace_conventions: no boolean')


class _Node:
    """A node of YAML and where it is."""

    def __init__(self, node: yaml.Node | None, where: str) -> None:
        self.node = node
        self.where = where


def _field(parent: _Node, name: str) -> _Node:
    where = f'{parent.where}.{name}'.lstrip('.')
    if not isinstance(parent.node, yaml.MappingNode):
        raise Refused(f'{parent.where}: no mapping')
    for key, value in parent.node.value:
        if key.value == name:
            return _Node(value, where)
    raise Refused(f'{where}: not there')


def _sequence(node: _Node) -> list[_Node]:
    if not isinstance(node.node, yaml.SequenceNode):
        raise Refused(f'{node.where}: no sequence')
    return [_Node(value, f'{node.where}[{i}]') for i, value in enumerate(node.node.value)]


def _text(node: _Node) -> str:
    if not isinstance(node.node, yaml.ScalarNode):
        raise Refused(f'{node.where}: no scalar')
    return str(node.node.value)


def _integer(node: _Node) -> int:
    try:
        return int(_text(node))
    except ValueError as error:
        raise Refused(f'{node.where}: {error}') from error


def _unsigned(node: _Node) -> None:
    if not 0 <= _integer(node) < _UNSIGNED:
        raise Refused(f'{node.where}: {_text(node)}')
