# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Find recorded episodes, and read the record that an episode's bag carries."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from active_collection.episode import CUSTOM_DATA_KEY
from active_collection.episode import EpisodeRecord
from active_collection.errors import BagError

METADATA = 'metadata.yaml'
#: Beside the files of an episode in a central store: their checksums.
MANIFEST = 'manifest.sha256'
#: Suffix of the directory of an episode that is still being recorded, or whose recorder died.
RECORDING_SUFFIX = '.recording'

_DATE = re.compile(r'\d{4}-\d\d-\d\d')
_Loader: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)


def find_episodes(data_dir: Path | str) -> list[Path]:
    """
    Return the bag directory of every closed episode below a data directory, oldest first.

    :param data_dir: the directory that holds episodes/<date>/<episode_id>/, or the copies of a
        central store, episodes/<robot>/<date>/<episode_id>/; may lack them
    """
    found = (path for day in days_of(Path(data_dir) / 'episodes') for path in _listed(day)
             if path.suffix != RECORDING_SUFFIX and (path / METADATA).exists())
    return sorted(found, key=lambda path: (path.parent.name, path.name))


def days_of(episodes: Path) -> list[Path]:
    """
    Return the directories of days among episodes, in no order.

    A recorder makes <date>/, a central store <robot>/<date>/ (and <date>/ in former times).

    :param episodes: the directory of the episodes, or the root of a store; may lack
    """
    days = []
    for top in _listed(episodes):
        days.append(top)
        if not _is_date(top.name):
            days += [path for path in _listed(top) if _is_date(path.name)]
    return days


def _is_date(name: str) -> bool:
    return _DATE.fullmatch(name) is not None


def _listed(directory: Path) -> list[Path]:
    """Return what is in a directory; nothing where it is none that can be read."""
    try:
        return list(directory.iterdir())
    except OSError:
        return []


def read_record(bag: Path | str) -> EpisodeRecord | None:
    """
    Return the episode record of a bag, or None where it was not recorded as an episode.

    :param bag: a rosbag2 directory, or a file in one that its metadata.yaml lists
    :raises BagError: where metadata.yaml is there and cannot be read
    :raises ConfigError: where it holds a record that cannot be understood
    """
    bag = Path(bag)
    path = (bag if bag.is_dir() else bag.parent) / METADATA
    if not path.is_file():
        return None
    information = read_metadata(path)
    if not bag.is_dir():
        files = information.get('relative_file_paths') or []
        if bag.name not in {Path(str(file)).name for file in files}:
            return None
    custom = information.get('custom_data') or {}
    text = custom.get(CUSTOM_DATA_KEY) if isinstance(custom, dict) else None
    if text is None:
        return None
    if not isinstance(text, str):
        raise BagError(f'{path}: {CUSTOM_DATA_KEY}', found=type(text).__name__, expected='text')
    return EpisodeRecord.from_json(text, where=str(path))


def read_metadata(path: Path) -> dict[str, Any]:
    """
    Return what stands under rosbag2_bagfile_information in a metadata.yaml.

    :raises BagError: where the file cannot be read or is not rosbag2 metadata, or files, topics
        and counts are not what rosbag2 writes
    """
    expected = 'rosbag2 metadata (rosbag2_bagfile_information)'
    try:
        data = yaml.load(path.read_text(encoding='utf-8'), Loader=_Loader)  # noqa: S506 - safe
    except (OSError, UnicodeDecodeError) as error:
        raise BagError(path, found=error, expected='a readable file') from error
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError,
            KeyError) as error:  # the last four come of values that are not what their tag says
        raise BagError(path, found=error, expected='YAML') from error
    if not isinstance(data, dict):
        raise BagError(path, found=f'{type(data).__name__}', expected=expected)
    information = data.get('rosbag2_bagfile_information')
    if not isinstance(information, dict):
        raise BagError(path, found='no such mapping', expected=expected)
    for key, kind in (('relative_file_paths', str), ('topics_with_message_count', dict),
                      ('files', dict)):
        entries = information.get(key)
        if entries is None:
            continue
        if not (isinstance(entries, list) and all(isinstance(entry, kind) for entry in entries)):
            raise BagError(f'{path}: {key}', found=type(entries).__name__,
                           expected=f'a list of {kind.__name__}')
        if key == 'relative_file_paths' and any('\0' in entry for entry in entries):
            raise BagError(f'{path}: {key}', found='a NUL', expected='names of files')
        if key == 'topics_with_message_count' and not all(map(_is_topic, entries)):
            raise BagError(f'{path}: {key}', found='another form', expected='for each topic '
                           'message_count and, in topic_metadata, name and type')
    return information


def _is_topic(entry: dict[str, Any]) -> bool:
    """Tell whether an entry of topics_with_message_count has what readers rely on."""
    about, count = entry.get('topic_metadata'), entry.get('message_count')
    return (isinstance(about, dict) and isinstance(about.get('name'), str)
            and isinstance(about.get('type'), str) and isinstance(count, int) and count >= 0)
