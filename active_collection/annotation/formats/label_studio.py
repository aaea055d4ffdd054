# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Label Studio: JSON tasks to import, with the scores to sort by, and its JSON export."""
from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.annotations import check
from active_collection.annotation.items import Item
from active_collection.annotation.reading import Reject
from active_collection.annotation.reading import by_unit
from active_collection.annotation.reading import entry
from active_collection.annotation.reading import json_of
from active_collection.annotation.reading import refuse
from active_collection.annotation.xml_files import printable
from active_collection.annotation.xml_files import write_xml
from active_collection.errors import AnnotationError
from active_collection.files import write_whole

FILE = 'label_studio.json'
INTERFACE = 'label_studio.xml'
#: What Label Studio calls the tags of our labelling interface.
_BOXES, _CLASSES, _IMAGE = 'boxes', 'classes', 'image'


class LabelStudio:
    """
    Label Studio tasks (labelstud.io/guide/tasks) and its JSON export.

    The data of a task holds the item; the strategy's score is the score of an empty prediction,
    so that tasks can be sorted by it. Pictures are served by Label Studio itself: started with
    LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT the
    export directory, and images/ in it added to the project as a local storage. Where classes
    are given, label_studio.xml is the labelling interface: <Image name="image">,
    <RectangleLabels name="boxes"> and <Choices name="classes">. Others that name rectangles or
    choices are read, too.
    """

    file = FILE

    def write(self, items: Sequence[Item], directory: Path, classes: Sequence[str],
              annotations: Sequence[Annotation] = ()) -> Path:
        """Write label_studio.json, and label_studio.xml of `classes`."""
        tasks = [_task(item, [a for a in annotations if a.unit_id == item.unit_id])
                 for item in items]
        path = directory / FILE
        write_whole(path, json.dumps(tasks, indent=1) + '\n')
        if classes:
            write_xml(directory / INTERFACE, _interface(classes))
        return path

    def read(self, path: Path, items: Sequence[Item], classes: Sequence[str],
             reject: Reject = refuse) -> list[Annotation]:
        """Read an export as JSON; cancelled annotations are left out."""
        content = json_of(path)
        units = by_unit(items)
        if not isinstance(content, list):
            raise AnnotationError(path, found=type(content).__name__, expected='a list of tasks')
        found = []
        for number, task in enumerate(content):
            where = f'{path}: [{number}]'
            pairs: list[tuple[str, dict[str, Any]]] = []
            with entry(where, 'a task of Label Studio with data.unit_id and annotations', reject):
                unit_id = str(task['data']['unit_id'])
                made = [one for one in task.get('annotations', [])
                        if not one.get('was_cancelled')]
                pairs = [pair for one in made for pair in _results(one)]
            for annotator, result in pairs:
                with entry(where, 'results of type rectanglelabels or choices', reject):
                    found += [check(a, units, where, classes)
                              for a in _annotations(unit_id, annotator, result, where)]
        return found


def _interface(classes: Sequence[str]) -> ElementTree.Element:
    view = ElementTree.Element('View')
    ElementTree.SubElement(view, 'Image', name=_IMAGE, value=f'${_IMAGE}')
    for kind, name, value in (('RectangleLabels', _BOXES, 'Label'),
                              ('Choices', _CLASSES, 'Choice')):
        control = ElementTree.SubElement(view, kind, name=name, toName=_IMAGE)
        if kind == 'Choices':
            control.set('choice', 'multiple')
        for label in classes:
            ElementTree.SubElement(control, value, value=printable(label, 'Label Studio'))
    return view


def _task(item: Item, annotations: Sequence[Annotation]) -> dict[str, Any]:
    people = list(dict.fromkeys(a.annotator for a in annotations))
    return {
        'id': item.order + 1,
        'data': {**asdict(item), 'image': f'/data/local-files/?d={item.file}'},
        'predictions': [{'model_version': item.strategy or 'selection', 'score': item.score,
                         'result': []}],
        'annotations': [
            {'completed_by': {'email': person},
             'result': [_result(a, item) for a in annotations if a.annotator == person]}
            for person in people],
    }


def _result(annotation: Annotation, item: Item) -> dict[str, Any]:
    common = {'to_name': _IMAGE, 'original_width': item.width, 'original_height': item.height}
    if annotation.box is None:
        return {**common, 'from_name': _CLASSES, 'type': 'choices',
                'value': {'choices': [annotation.label]}}
    box = annotation.box
    return {**common, 'from_name': _BOXES, 'type': 'rectanglelabels', 'value': {
        'x': 100.0 * box.x / item.width, 'y': 100.0 * box.y / item.height,
        'width': 100.0 * box.width / item.width, 'height': 100.0 * box.height / item.height,
        'rotation': 0, 'rectanglelabels': [annotation.label]}}


def _results(entry: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (annotator, result) of one annotation of a task."""
    by = entry.get('completed_by', '')
    annotator = str(by.get('email', by.get('id', ''))) if isinstance(by, dict) else str(by)
    for result in entry['result']:
        yield annotator, result


def _annotations(unit_id: str, annotator: str, result: dict[str, Any],
                 where: str) -> list[Annotation]:
    value = result['value']
    if result['type'] == 'choices':
        return [Annotation(unit_id, str(label), annotator) for label in value['choices']]
    if result['type'] != 'rectanglelabels':
        raise AnnotationError(where, found=f'a result of type {result["type"]!r}',
                              expected='rectanglelabels or choices')
    if value.get('rotation'):
        raise AnnotationError(where, found=f'a box turned by {value["rotation"]} degrees',
                              expected='upright boxes')
    width, height = float(result['original_width']), float(result['original_height'])
    box = Box(float(value['x']) / 100.0 * width, float(value['y']) / 100.0 * height,
              float(value['width']) / 100.0 * width, float(value['height']) / 100.0 * height)
    return [Annotation(unit_id, str(label), annotator, box)
            for label in value['rectanglelabels']]
