# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What Foxglove shows of the picks: JSON messages of its own schemas, and one of ours."""
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.items import Item

_TIME = {'type': 'object', 'properties': {'sec': {'type': 'integer'}, 'nsec': {'type': 'integer'}}}
_NUMBER, _TEXT = {'type': 'number'}, {'type': 'string'}
_POINT = {'type': 'object', 'properties': {'x': _NUMBER, 'y': _NUMBER}}
_CHANNELS = dict.fromkeys('rgba', _NUMBER)
_COLOUR = {'type': 'object', 'properties': _CHANNELS}
#: Foxglove's codes: a closed outline, a log message that informs.
_LINE_LOOP, _INFO = 2, 2
_ORANGE = {'r': 1.0, 'g': 0.6, 'b': 0.0, 'a': 1.0}
_WHITE, _SHADE = {'r': 1.0, 'g': 1.0, 'b': 1.0, 'a': 1.0}, {'r': 0.0, 'g': 0.0, 'b': 0.0, 'a': 0.6}


def _schema(title: str, **properties: object) -> bytes:
    return json.dumps({'title': title, 'type': 'object', 'properties': properties}).encode()


def _list(**properties: object) -> dict[str, object]:
    return {'type': 'array', 'items': {'type': 'object', 'properties': properties}}


#: Name to JSON schema (docs.foxglove.dev/docs/visualization/message-schemas).
SCHEMAS = {
    'foxglove.Log': _schema(
        'foxglove.Log', timestamp=_TIME, level={'type': 'integer'}, message=_TEXT, name=_TEXT,
        file=_TEXT, line={'type': 'integer'}),
    'foxglove.ImageAnnotations': _schema(
        'foxglove.ImageAnnotations',
        circles=_list(timestamp=_TIME, position=_POINT, diameter=_NUMBER, thickness=_NUMBER,
                      fill_color=_COLOUR, outline_color=_COLOUR),
        points=_list(timestamp=_TIME, type={'type': 'integer'}, points=_list(x=_NUMBER, y=_NUMBER),
                     outline_color=_COLOUR, outline_colors=_list(**_CHANNELS),
                     fill_color=_COLOUR, thickness=_NUMBER),
        texts=_list(timestamp=_TIME, position=_POINT, text=_TEXT, font_size=_NUMBER,
                    text_color=_COLOUR, background_color=_COLOUR)),
    'active_collection.Pick': _schema(
        'active_collection.Pick', timestamp=_TIME,
        **{name: {'type': {'int': 'integer', 'float': 'number'}.get(str(kind), 'string')}
           for name, kind in Item.__annotations__.items()}),
}
LOG, ANNOTATIONS, PICKS = '/selection/events', '/selection/annotations', '/selection/picks'
#: Topic to schema of what is added for each pick.
TOPICS = {LOG: 'foxglove.Log', ANNOTATIONS: 'foxglove.ImageAnnotations',
          PICKS: 'active_collection.Pick'}


def messages(item: Item, annotations: Sequence[Annotation]) -> dict[str, bytes]:
    """
    Return topic to JSON message of a pick.

    :param annotations: what annotators said of it: their boxes are drawn
    """
    time = {'sec': item.stamp_ns // 10**9, 'nsec': item.stamp_ns % 10**9}
    said = f'#{item.order + 1} {item.strategy} {item.score:.4g}'
    log = {'timestamp': time, 'level': _INFO, 'message': f'{said}: {item.reason}',
           'name': item.unit_id, 'file': item.bag, 'line': 0}
    boxes = [a for a in annotations if a.box is not None]
    whole = ', '.join(a.label for a in annotations if a.box is None)
    texts = [_text(time, 2.0, 2.0, f'{said} {whole}'.strip())]
    texts += [_text(time, a.box.x, a.box.y, a.label) for a in boxes if a.box is not None]
    drawn = {'circles': [], 'points': [_outline(time, a) for a in boxes], 'texts': texts}
    found = {LOG: log, ANNOTATIONS: drawn, PICKS: {'timestamp': time, **asdict(item)}}
    return {topic: json.dumps(value).encode() for topic, value in found.items()}


def _text(time: dict[str, int], x: float, y: float, text: str) -> dict[str, Any]:
    return {'timestamp': time, 'position': {'x': x, 'y': y}, 'text': text, 'font_size': 12.0,
            'text_color': _WHITE, 'background_color': _SHADE}


def _outline(time: dict[str, int], annotation: Annotation) -> dict[str, Any]:
    box = annotation.box
    corners = [] if box is None else [
        {'x': x, 'y': y} for x, y in (
            (box.x, box.y), (box.x + box.width, box.y),
            (box.x + box.width, box.y + box.height), (box.x, box.y + box.height))]
    return {'timestamp': time, 'type': _LINE_LOOP, 'points': corners, 'outline_color': _ORANGE,
            'outline_colors': [], 'fill_color': {**_ORANGE, 'a': 0.0}, 'thickness': 2.0}
