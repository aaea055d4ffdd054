# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What Foxglove shows of the picks: ROS messages of its own types, and one of ours."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import fields
from functools import cache
from typing import Any

from rosbags.typesys import Stores
from rosbags.typesys import get_types_from_msg
from rosbags.typesys import get_typestore

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.items import Item

_FOXGLOVE = 'foxglove_msgs/msg'
#: Foxglove's codes: a closed outline, a log message that informs.
_LINE_LOOP, _INFO = 2, 2
_ORANGE = (1.0, 0.6, 0.0, 1.0)
_WHITE, _SHADE, _NOTHING = (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.6), (0.0, 0.0, 0.0, 0.0)
_KINDS = {'str': 'string', 'int': 'int64', 'float': 'float64'}
_METADATA = 'foxglove_msgs/KeyValuePair[] metadata\n'
PICK = 'active_collection/msg/Pick'
#: Of a label, in pixels; its origin is its bottom left corner.
_FONT = 12.0
#: Type to definition (docs.foxglove.dev/docs/sdk/schemas, release 2.1). As ROS types, for rosbags
#: opens no MCAP file that holds any other.
DEFINITIONS = {
    f'{_FOXGLOVE}/Log': 'builtin_interfaces/Time timestamp\nuint8 level\nstring message\n'
                        'string name\nstring file\nuint32 line\n',
    f'{_FOXGLOVE}/Color': 'float64 r\nfloat64 g\nfloat64 b\nfloat64 a\n',
    f'{_FOXGLOVE}/Point2': 'float64 x\nfloat64 y\n',
    f'{_FOXGLOVE}/KeyValuePair': 'string key\nstring value\n',
    f'{_FOXGLOVE}/CircleAnnotation':
        'builtin_interfaces/Time timestamp\nfoxglove_msgs/Point2 position\nfloat64 diameter\n'
        'float64 thickness\nfoxglove_msgs/Color fill_color\nfoxglove_msgs/Color outline_color\n'
        f'{_METADATA}',
    f'{_FOXGLOVE}/PointsAnnotation':
        'builtin_interfaces/Time timestamp\nuint8 type\nfoxglove_msgs/Point2[] points\n'
        'foxglove_msgs/Color outline_color\nfoxglove_msgs/Color[] outline_colors\n'
        'foxglove_msgs/Color fill_color\nfloat64 thickness\n'
        f'{_METADATA}',
    f'{_FOXGLOVE}/TextAnnotation':
        'builtin_interfaces/Time timestamp\nfoxglove_msgs/Point2 position\nstring text\n'
        'float64 font_size\nfoxglove_msgs/Color text_color\n'
        'foxglove_msgs/Color background_color\n'
        f'{_METADATA}',
    f'{_FOXGLOVE}/ImageAnnotations':
        'builtin_interfaces/Time timestamp\nfoxglove_msgs/CircleAnnotation[] circles\n'
        'foxglove_msgs/PointsAnnotation[] points\n'
        'foxglove_msgs/TextAnnotation[] texts\n'
        f'{_METADATA}',
    PICK: 'builtin_interfaces/Time timestamp\n' + ''.join(
        f'{_KINDS[str(field.type)]} {field.name}\n' for field in fields(Item)),
}
#: What of an item Foxglove shows of a picture that is pointed at.
_SHOWN = ('unit_id', 'strategy', 'score', 'reason', 'scenario', 'episode_id', 'outcome')
LOG, ANNOTATIONS, PICKS = '/selection/events', '/selection/annotations', '/selection/picks'
#: Topic to type of what is added for each pick.
TOPICS = {LOG: f'{_FOXGLOVE}/Log', ANNOTATIONS: f'{_FOXGLOVE}/ImageAnnotations', PICKS: PICK}


def definition(name: str) -> str:
    """Return the whole definition of a type of TOPICS, as an MCAP schema of ros2msg holds it."""
    text, _ = _store().generate_msgdef(name, ros_version=2)
    return str(text)


def messages(item: Item, annotations: Sequence[Annotation]) -> dict[str, bytes]:
    """
    Return topic to serialised message (CDR) of a pick.

    :param annotations: what annotators said of it: their boxes are drawn
    """
    types, time = _store().types, _time(item.stamp_ns)
    said = f'#{item.order + 1} {item.strategy} {item.score:.4g}'
    boxes = [a for a in annotations if a.box is not None]
    whole = ', '.join(a.label for a in annotations if a.box is None)
    texts = [_text(time, 2.0, 0.0, f'{said} {whole}'.strip(), {})]
    texts += [_text(time, a.box.x, a.box.y, a.label, _who(a)) for a in boxes if a.box is not None]
    found = {
        LOG: types[TOPICS[LOG]](time, _INFO, f'{said}: {item.reason}', item.unit_id, item.bag, 0),
        ANNOTATIONS: types[TOPICS[ANNOTATIONS]](
            time, [], [_outline(time, a) for a in boxes], texts,
            _pairs({name: getattr(item, name) for name in _SHOWN})),
        PICKS: types[PICK](time, **asdict(item)),
    }
    return {topic: bytes(_store().serialize_cdr(message, TOPICS[topic]))
            for topic, message in found.items()}


@cache
def _store() -> Any:
    store = get_typestore(Stores.ROS2_HUMBLE)
    for name, text in DEFINITIONS.items():
        store.register(get_types_from_msg(text, name))
    return store


def _time(ns: int) -> Any:
    return _store().types['builtin_interfaces/msg/Time'](ns // 10**9, ns % 10**9)


def _colour(rgba: tuple[float, float, float, float]) -> Any:
    return _store().types[f'{_FOXGLOVE}/Color'](*rgba)


def _point(x: float, y: float) -> Any:
    return _store().types[f'{_FOXGLOVE}/Point2'](x, y)


def _pairs(values: Mapping[str, object]) -> list[Any]:
    pair = _store().types[f'{_FOXGLOVE}/KeyValuePair']
    return [pair(key, str(value)) for key, value in values.items() if str(value)]


def _who(annotation: Annotation) -> dict[str, object]:
    return {'label': annotation.label, 'annotator': annotation.annotator}


def _text(time: Any, x: float, y: float, text: str, said: Mapping[str, object]) -> Any:
    return _store().types[f'{_FOXGLOVE}/TextAnnotation'](
        time, _point(x, max(y, _FONT)), text, _FONT, _colour(_WHITE), _colour(_SHADE),
        _pairs(said))


def _outline(time: Any, annotation: Annotation) -> Any:
    box = annotation.box
    corners = [] if box is None else [
        _point(x, y) for x, y in (
            (box.x, box.y), (box.x + box.width, box.y),
            (box.x + box.width, box.y + box.height), (box.x, box.y + box.height))]
    return _store().types[f'{_FOXGLOVE}/PointsAnnotation'](
        time, _LINE_LOOP, corners, _colour(_ORANGE), [], _colour(_NOTHING), 2.0,
        _pairs(_who(annotation)))
