# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""CVAT for images 1.1: the XML that CVAT exports and uploads as annotations."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.annotations import check
from active_collection.annotation.items import Item
from active_collection.annotation.reading import by_file
from active_collection.annotation.reading import by_unit
from active_collection.annotation.reading import item_of
from active_collection.annotation.reading import place
from active_collection.annotation.reading import text_of
from active_collection.errors import AnnotationError
from active_collection.files import write_whole

FILE = 'cvat.xml'


class Cvat:
    """
    CVAT's own XML (docs.cvat.ai, CVAT for image), of an image task made of images/.

    A box becomes a rectangle, a class of the picture as a whole a tag. Image ids are CVAT's frame
    numbers: the place of the file name in alphabetic order, as CVAT itself sorts an upload. The
    annotator is written as the source and read back from it.
    """

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
            ElementTree.SubElement(label, 'name').text = _printable(name)
        frames = {name: frame for frame, name in enumerate(sorted(i.file for i in items))}
        for item in items:
            image = ElementTree.SubElement(
                root, 'image', id=str(frames[item.file]), name=Path(item.file).name,
                width=str(item.width), height=str(item.height))
            for annotation in (a for a in annotations if a.unit_id == item.unit_id):
                _add(image, annotation)
        ElementTree.indent(root)
        path = directory / FILE
        write_whole(path, ElementTree.tostring(root, encoding='utf-8', xml_declaration=True))
        return path

    def read(self, path: Path, items: Sequence[Item],
             classes: Sequence[str]) -> list[Annotation]:
        """Read rectangles and tags; other shapes are an error, for they would be lost."""
        text = text_of(path)
        if '<!DOCTYPE' in text or '<!ENTITY' in text:
            raise AnnotationError(path, found='a DOCTYPE', expected='XML of CVAT, without one')
        try:
            root = ElementTree.fromstring(text)  # noqa: S314 - no DOCTYPE, hence no entities
        except (ElementTree.ParseError, ValueError) as error:
            raise AnnotationError(path, found=str(error), expected='XML') from error
        files, units = by_file(items), by_unit(items)
        found = []
        for image in root.iter('image'):
            name = image.get('name', '')
            for number, shape in enumerate(image):
                where = f'{path}: {name}: {shape.tag}[{number}]'
                with place(where, 'box with xtl, ytl, xbr, ybr, or tag'):
                    item = item_of(name, files, where)
                    annotation = Annotation(item.unit_id, shape.get('label', ''),
                                            shape.get('source', ''), _box(shape, where))
                found.append(check(annotation, units, where, classes))
        return found


def _add(image: ElementTree.Element, annotation: Annotation) -> None:
    common = {'label': _printable(annotation.label), 'source': _printable(annotation.annotator)}
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


def _printable(text: str) -> str:
    """
    Return a text that XML can hold.

    :raises AnnotationError: where it has a control character
    """
    if any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF or ord(c) in {0xFFFE, 0xFFFF}
           for c in text):
        raise AnnotationError('CVAT', found=f'{text!r}', expected='text without control '
                              'characters, which XML cannot hold')
    return text
