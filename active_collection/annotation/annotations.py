# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What annotators said of pictures, whatever the tool that they said it in."""
from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from unicodedata import category

from active_collection.annotation.items import Item
from active_collection.errors import AnnotationError
from active_collection.registry import unknown

#: Longest name of a class or an annotator.
_LONGEST = 200
#: A tool rounds coordinates: so far may a box reach over the picture's edge (pixels).
_SLACK = 1.0


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: its left and top edge in the picture, and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Annotation:
    """
    One class that one annotator saw, in a box or in the picture as a whole.

    :param annotator: who; empty where the tool does not say
    :param box: where; None for the picture as a whole
    """

    unit_id: str
    label: str
    annotator: str = ''
    box: Box | None = None


def check(annotation: Annotation, items: Mapping[str, Item], where: str,
          classes: Sequence[str] = ()) -> Annotation:
    """
    Return an annotation read from a file if it makes sense for the export.

    :param items: unit id to item
    :param where: file and place in it, for messages: 'coco.json: annotations[3]'
    :param classes: allowed labels; any where empty
    :raises AnnotationError: where unit, label or box does not
    :raises ConfigError: where the label is not one of the classes
    """
    item = items.get(annotation.unit_id)
    if item is None:
        raise AnnotationError(where, found=f'picture {annotation.unit_id!r}',
                              expected='one of this export (labels of another round?)')
    check_label(annotation.label, where)
    check_annotator(annotation.annotator, where)
    if classes and annotation.label not in classes:
        raise unknown(f'{where}: label', annotation.label, list(classes))
    if annotation.box is not None:
        _check_box(annotation.box, item, where)
    return annotation


def check_label(label: str, where: str) -> None:
    """
    Refuse what is no name of a class.

    :param where: file and place in it, or argument, for messages
    :raises AnnotationError: where it is empty, longer than 200 characters or has control
        characters
    """
    if not label or not _is_name(label):
        raise AnnotationError(where, found=f'label {label!r}', expected='a name of 1 to '
                              f'{_LONGEST} characters, none of them a control character')


def check_annotator(annotator: str, where: str) -> None:
    """
    Refuse what is no name of a person; an empty one is nobody's.

    :param where: file and place in it, or argument, for messages
    :raises AnnotationError: where it is longer than 200 characters or has control characters
    """
    if not _is_name(annotator):
        raise AnnotationError(where, found=f'annotator {annotator!r}', expected='a name of at '
                              f'most {_LONGEST} characters, none of them a control character')


def _is_name(text: str) -> bool:
    # 'Cs', half of a character: JSON can say it, and no file can hold it.
    return len(text) <= _LONGEST and not any(category(c) in {'Cc', 'Cs'} for c in text)


def _check_box(box: Box, item: Item, where: str) -> None:
    values = (box.x, box.y, box.width, box.height)
    inside = (all(map(math.isfinite, values)) and box.width > 0 and box.height > 0
              and box.x >= -_SLACK and box.y >= -_SLACK
              and box.x + box.width <= item.width + _SLACK
              and box.y + box.height <= item.height + _SLACK)
    if not inside:
        raise AnnotationError(
            f'{where}: box', found=f'x {box.x:g}, y {box.y:g}, width {box.width:g}, height '
            f'{box.height:g}', expected=f'one within {item.width} x {item.height} pixels')


def by(annotations: Sequence[Annotation], annotator: str) -> list[Annotation]:
    """Return annotations with an annotator where they name none."""
    return [a if a.annotator else replace(a, annotator=annotator) for a in annotations]


def without_repeats(annotations: Sequence[Annotation]) -> list[Annotation]:
    """Return annotations each once, in their first order: a tool may export one twice."""
    return list(dict.fromkeys(annotations))
