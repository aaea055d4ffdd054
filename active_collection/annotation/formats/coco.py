"""COCO: one JSON file of images, categories and, once labelled, annotations."""
from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from datetime import timezone
from pathlib import Path
from typing import Any

from active_collection.annotation.items import Item
from active_collection.files import write_whole

FILE = 'coco.json'


class Coco:
    """
    COCO object detection (Lin et al., 2014; cocodataset.org/#format-data).

    Each image carries, beside COCO's own keys, where it comes from and why it was chosen. Image
    ids are the order in which to label, from 1.
    """

    def write(self, items: Sequence[Item], directory: Path, classes: Sequence[str]) -> Path:
        """Write coco.json without annotations."""
        content = {
            'info': {'description': 'active_collection', 'version': '1.0'},
            'licenses': [],
            'images': [_image(item) for item in items],
            'categories': [{'id': number, 'name': name, 'supercategory': ''}
                           for number, name in enumerate(classes, 1)],
            'annotations': [],
        }
        path = directory / FILE
        write_whole(path, json.dumps(content, indent=1) + '\n')
        return path


def _image(item: Item) -> dict[str, Any]:
    taken = datetime.fromtimestamp(item.stamp_ns / 1e9, timezone.utc)
    return {
        'id': item.order + 1,
        'file_name': item.file,
        'width': item.width,
        'height': item.height,
        'date_captured': taken.strftime('%Y-%m-%d %H:%M:%S'),
        'unit_id': item.unit_id,
        'bag': item.bag,
        'topic': item.topic,
        'receive_ns': item.receive_ns,
        'sequence': item.sequence,
        'stamp_ns': item.stamp_ns,
        'score': item.score,
        'reason': item.reason,
        'scenario': item.scenario,
        'outcome': item.outcome,
    }
