# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""CVAT for images 1.1: the XML that CVAT exports and uploads as annotations."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.annotations import check
from active_collection.annotation.items import Item
from active_collection.annotation.reading import Reject
from active_collection.annotation.reading import by_file
from active_collection.annotation.reading import by_unit
from active_collection.annotation.reading import entry
from active_collection.annotation.reading import item_of
from active_collection.annotation.reading import refuse
from active_collection.annotation.reading import text_of
from active_collection.annotation.tabular import csv_text
from active_collection.annotation.xml_files import printable
from active_collection.annotation.xml_files import write_xml
from active_collection.errors import AnnotationError
from active_collection.files import write_whole

FILE = 'cvat.xml'
FRAMES = 'cvat_frames.csv'
#: What CVAT says of how a shape was made.
_SOURCES = {'manual', 'auto', 'semi-auto', 'file', 'consensus'}


class Cvat:
    """
    CVAT's own XML (docs.cvat.ai, CVAT for image), of an image task made of images/.

    A box becomes a rectangle, a class of the picture as a whole a tag. Image ids are CVAT's frame
    numbers: the place of the file name in alphabetic order, as CVAT itself sorts an upload.
    cvat_frames.csv says which message each frame is, and in which order to label: CVAT's own
    frame filter takes only steps. The annotator is written as the source and read back from it;
    'manual' and what else CVAT itself writes there is no annotator.
    """

    file = 'annotations.xml'

    def write(self, items: Sequence[Item], directory: Path, classes: Sequence[str],
              annotations: Sequence[Annotation] = ()) -> Path:
        """Write cvat.xml."""
        root = ElementTree.Element('annotations')
        ElementTree.SubElement(root, 'version').text = '1.1'
        task = ElementTree.SubElement(ElementTree.SubElement(root, 'meta'), 'task')
        ElementTree.SubElement(task, 'size').text = str(len(items))
        labels = ElementTree.SubElement(task, 'labels')
        for name in dict.fromkeys([*classes, *(a.label for a in annotations)]):
            label = ElementTree.SubElement(labels, 'label')
            ElementTree.SubElement(label, 'name').text = printable(name, 'CVAT')
        frames = {name: frame for frame, name in enumerate(sorted(i.file for i in items))}
        for item in items:
            image = ElementTree.SubElement(
                root, 'image', id=str(frames[item.file]), name=Path(item.file).name,
                width=str(item.width), height=str(item.height))
            for annotation in (a for a in annotations if a.unit_id == item.unit_id):
                _add(image, annotation)
        path = directory / FILE
        write_xml(path, root)
        write_whole(directory / FRAMES, _frame_map(items, frames))
        return path

    def read(self, path: Path, items: Sequence[Item], classes: Sequence[str],
             reject: Reject = refuse) -> list[Annotation]:
        """Read rectangles and tags; other shapes are an error, for they would be lost."""
        text = text_of(path)
        if '<!DOCTYPE' in text or '<!ENTITY' in text:
            raise AnnotationError(path, found='a DOCTYPE', expected='XML of CVAT, without one')
        try:
            root = ElementTree.fromstring(text)  # noqa: S314 - no DOCTYPE, hence no entities
        except (ElementTree.ParseError, ValueError) as error:
            raise AnnotationError(path, found=error, expected='XML') from error
        files, units = by_file(items), by_unit(items)
        found = []
        for image in root.iter('image'):
            name = image.get('name', '')
            for number, shape in enumerate(image):
                where = f'{path}: {name}: {shape.tag}[{number}]'
                with entry(where, 'box with xtl, ytl, xbr, ybr, or tag', reject):
                    item = item_of(name, files, where)
                    source = shape.get('source', '')
                    annotation = Annotation(item.unit_id, shape.get('label', ''),
                                            '' if source in _SOURCES else source,
                                            _box(shape, where))
                    found.append(check(annotation, units, where, classes))
        return found


def _frame_map(items: Sequence[Item], frames: Mapping[str, int]) -> str:
    columns = ['unit_id', 'order', 'bag', 'topic', 'receive_ns', 'sequence', 'stamp_ns', 'reason']
    rows = [[frames[item.file], Path(item.file).name, *(getattr(item, c) for c in columns)]
            for item in sorted(items, key=lambda i: frames[i.file])]
    return csv_text(['frame', 'file', *columns], rows)


def _add(image: ElementTree.Element, annotation: Annotation) -> None:
    common = {'label': printable(annotation.label, 'CVAT'),
              'source': printable(annotation.annotator, 'CVAT')}
    if annotation.box is None:
        ElementTree.SubElement(image, 'tag', common)
        return
    box = annotation.box
    ElementTree.SubElement(image, 'box', {
        **common, 'occluded': '0', 'xtl': repr(box.x), 'ytl': repr(box.y),
        'xbr': repr(box.x + box.width), 'ybr': repr(box.y + box.height), 'z_order': '0'})


def _box(shape: ElementTree.Element, where: str) -> Box | None:
    if shape.tag == 'tag':
        return None
    if shape.tag != 'box':
        raise AnnotationError(where, found=f'a {shape.tag}', expected='box or tag')
    left, top = float(shape.attrib['xtl']), float(shape.attrib['ytl'])
    return Box(left, top, float(shape.attrib['xbr']) - left, float(shape.attrib['ybr']) - top)
