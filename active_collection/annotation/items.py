# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is exported for annotation: pictures that each map back to one message of one bag."""
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path

from active_collection.errors import AnnotationError
from active_collection.files import read_json
from active_collection.files import write_whole

ITEMS = 'items.json'
IMAGES = 'images'
FORMAT = 1


@dataclass(frozen=True)
class Item:
    """
    A picture to annotate. (bag, topic, receive_ns, sequence) is the message that it came from.

    :param unit_id: unique, safe as a file name
    :param file: picture below the export directory, with forward slashes: 'images/x.jpg'
    :param order: place in the order in which to label, from 0
    :param bag: path of the bag
    :param receive_ns: when the message was recorded (ns)
    :param sequence: number among the topic's messages of that receive_ns
    :param stamp_ns: when the picture was taken (ns)
    :param score: what made the strategy choose it
    :param scenario: canonical JSON; empty where the bag is no episode, as all after it
    """

    unit_id: str
    file: str
    order: int
    bag: str
    topic: str
    receive_ns: int
    sequence: int
    stamp_ns: int
    width: int
    height: int
    score: float = 0.0
    reason: str = ''
    strategy: str = ''
    scenario: str = ''
    episode_id: str = ''
    task: str = ''
    environment: str = ''
    outcome: str = ''


def write_items(directory: Path, items: Sequence[Item], classes: Sequence[str]) -> Path:
    """Write the map from pictures to messages that every export carries."""
    path = directory / ITEMS
    content = {'format': FORMAT, 'classes': list(classes), 'items': [asdict(i) for i in items]}
    write_whole(path, json.dumps(content, indent=1) + '\n')
    return path


def read_items(directory: Path) -> tuple[list[Item], list[str]]:
    """
    Return the items of an export and its classes.

    :raises AnnotationError: where there is no export, or its map cannot be understood
    """
    path = directory / ITEMS
    try:
        content = read_json(path)
        if content['format'] != FORMAT:
            raise ValueError(f'format {content["format"]}')
        items = [Item(**item) for item in content['items']]
        return items, [str(name) for name in content['classes']]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AnnotationError(path, found=error,
                              expected='an export (`active-collection export` makes one)'
                              ) from error
