"""Find recorded episodes, and read the record that an episode's bag carries."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from active_collection.episode import CUSTOM_DATA_KEY
from active_collection.episode import EpisodeRecord
from active_collection.errors import BagError

METADATA = 'metadata.yaml'
#: Suffix of the directory of an episode that is still being recorded, or whose recorder died.
RECORDING_SUFFIX = '.recording'

_Loader: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)


def find_episodes(data_dir: Path | str) -> list[Path]:
    """
    Return the bag directory of every closed episode below a data directory, oldest first.

    :param data_dir: the directory that holds episodes/<date>/<episode_id>/; may lack it
    """
    found = Path(data_dir).glob(f'episodes/*/*/{METADATA}')
    return sorted((path.parent for path in found if path.parent.suffix != RECORDING_SUFFIX),
                  key=lambda path: (path.parent.name, path.name))


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
    return EpisodeRecord.from_json(str(text), where=str(path)) if text is not None else None


def read_metadata(path: Path) -> dict[str, Any]:
    """
    Return what stands under rosbag2_bagfile_information in a metadata.yaml.

    :raises BagError: where the file cannot be read or is not rosbag2 metadata
    """
    expected = 'rosbag2 metadata (rosbag2_bagfile_information)'
    try:
        data = yaml.load(path.read_text(encoding='utf-8'), Loader=_Loader)  # noqa: S506 - safe
    except (OSError, UnicodeDecodeError) as error:
        raise BagError(path, found=str(error), expected='a readable file') from error
    except (yaml.YAMLError, RecursionError) as error:
        raise BagError(path, found=str(error), expected='YAML') from error
    if not isinstance(data, dict):
        raise BagError(path, found=f'{type(data).__name__}', expected=expected)
    information = data.get('rosbag2_bagfile_information')
    if not isinstance(information, dict):
        raise BagError(path, found=f'keys {", ".join(map(str, data))}', expected=expected)
    return information
