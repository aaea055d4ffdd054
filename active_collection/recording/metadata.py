# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
The metadata.yaml of a rosbag2 directory, with the episode record in it.

Each release of `ros2 bag` writes one version and reads it and those before it; what a later one
has more it passes over, so that the record is there in each. See rosbag2_storage's `yaml.hpp`,
`metadata_io.cpp` in Humble.
"""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import TypeAlias

import yaml

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import read_metadata
from active_collection.episode import CUSTOM_DATA_KEY
from active_collection.episode import EpisodeRecord
from active_collection.files import write_whole
from active_collection.recording.messages import Topic
from active_collection.recording.qos import to_yaml as qos_to_yaml

#: What a release writes; those that are not named, and later ones, the newest.
VERSIONS = {'humble': 5, 'iron': 7}
NEWEST = 9
#: From here on policies have names, and are no text within the text.
_NAMED_POLICIES = 9
_ROS_DISTRO = 8
_TYPE_HASH = 7
#: Metadata records of an MCAP file: name to key/values.
Labels: TypeAlias = Mapping[str, Mapping[str, str]]
#: Tag: topics whose messages are in the bag without a definition with which to read them.
UNDEFINED = 'topics_without_definition'
_Dumper: Any = getattr(yaml, 'CSafeDumper', yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class FileSummary:
    """
    One file of a bag.

    :param name: file name in the bag's directory
    :param start_ns: time of its first message (ns); 0 without messages
    :param end_ns: time of its last (ns)
    """

    name: str
    start_ns: int
    end_ns: int
    messages: int


@dataclass(frozen=True, slots=True)
class TopicSummary:
    """
    A topic of a bag: what is in its whole chunks.

    :param encoding: how its messages are serialized
    """

    topic: Topic
    messages: int
    bytes: int
    encoding: str = 'cdr'


@dataclass(frozen=True, slots=True)
class BagSummary:
    """What a bag holds."""

    files: tuple[FileSummary, ...]
    topics: tuple[TopicSummary, ...]

    @property
    def messages(self) -> int:
        """Return the messages of all files."""
        return sum(file.messages for file in self.files)

    def tags(self) -> dict[str, str]:
        """Return what the record is to say of it."""
        undefined = [topic.topic.name for topic in self.topics
                     if topic.messages and not topic.topic.definition.encoding]
        return {UNDEFINED: ', '.join(undefined)} if undefined else {}


def information(summary: BagSummary, *, ros_distro: str,
                storage: str = 'mcap') -> dict[str, Any]:
    """Return what stands under rosbag2_bagfile_information, without custom data."""
    spans = [(f.start_ns, f.end_ns) for f in summary.files if f.messages]
    start_ns = min((start for start, _ in spans), default=0)
    end_ns = max((end for _, end in spans), default=0)
    version = version_of(ros_distro)
    whole = {
        'version': version,
        'storage_identifier': storage,
        'duration': {'nanoseconds': end_ns - start_ns},
        'starting_time': {'nanoseconds_since_epoch': start_ns},
        'message_count': summary.messages,
        'topics_with_message_count': [_topic(topic, version) for topic in summary.topics],
        'compression_format': '',
        'compression_mode': '',
        'relative_file_paths': [file.name for file in summary.files],
        'files': [_file(file) for file in summary.files],
        'custom_data': None,
        'ros_distro': ros_distro,
    }
    if version < _ROS_DISTRO:
        del whole['ros_distro']
    return whole


def version_of(ros_distro: str) -> int:
    """Return the version that a release of ROS 2 reads: 'jazzy', or empty where it is unknown."""
    return VERSIONS.get(ros_distro, NEWEST)


def has_numbered_policies(ros_distro: str) -> bool:
    """Tell whether a release of ROS 2 reads policies of QoS as numbers only."""
    return version_of(ros_distro) < _NAMED_POLICIES


def planned(name: str, *, ros_distro: str) -> dict[str, Any]:
    """Return what can be said of a bag before its first message."""
    first = FileSummary(f'{name}_0.mcap', 0, 0, 0)
    return information(BagSummary((first,), ()), ros_distro=ros_distro)


def to_yaml(bag_information: dict[str, Any]) -> str:
    """Return the information as rosbag2 embeds it in an MCAP file's metadata."""
    return str(yaml.dump(bag_information, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def device(robot: str) -> Labels:
    """Return the metadata record by which data platforms file a recording: whose it is."""
    return {'foxglove': {'deviceName': robot}} if robot else {}


def write_metadata(directory: Path, bag_information: dict[str, Any],
                   record: EpisodeRecord | None) -> None:
    """
    Write metadata.yaml at once, with the episode record in its custom data.

    :raises OSError: where the disk refuses; what was there before still stands
    """
    custom = {CUSTOM_DATA_KEY: record.to_json()} if record is not None else None
    whole = {'rosbag2_bagfile_information': {**bag_information, 'custom_data': custom}}
    write_whole(directory / METADATA, to_yaml(whole))


def replace_record(directory: Path, record: EpisodeRecord) -> None:
    """
    Put another record into a bag's metadata.yaml; nothing else of the bag is touched.

    :raises OSError: where the disk refuses; the old record stands
    :raises BagError: where metadata.yaml cannot be read
    """
    bag_information = read_metadata(directory / METADATA)
    custom = {**(bag_information.get('custom_data') or {}), CUSTOM_DATA_KEY: record.to_json()}
    bag_information['custom_data'] = custom
    write_whole(directory / METADATA,
                to_yaml({'rosbag2_bagfile_information': bag_information}))


def files_of(bag_information: dict[str, Any]) -> Sequence[str]:
    """Return the file names that metadata.yaml lists; as rosbag2, without their directories."""
    return [Path(name).name for name in bag_information.get('relative_file_paths') or ()]


def _topic(summary: TopicSummary, version: int) -> dict[str, Any]:
    definition, qos = summary.topic.definition, summary.topic.qos
    by_hash = {'type_description_hash': definition.type_hash} if version >= _TYPE_HASH else {}
    return {
        'topic_metadata': {
            'name': summary.topic.name,
            'type': definition.type,
            'serialization_format': summary.encoding,
            'offered_qos_profiles': (
                [profile.to_dict() for profile in qos] if version >= _NAMED_POLICIES
                else qos_to_yaml(qos, numbered=True)),
            **by_hash,
        },
        'message_count': summary.messages,
    }


def _file(file: FileSummary) -> dict[str, Any]:
    return {
        'path': file.name,
        'starting_time': {'nanoseconds_since_epoch': file.start_ns},
        'duration': {'nanoseconds': file.end_ns - file.start_ns},
        'message_count': file.messages,
    }
