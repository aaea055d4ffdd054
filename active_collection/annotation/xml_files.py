# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Write XML that every parser reads back."""
from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from active_collection.errors import AnnotationError
from active_collection.files import write_whole


def printable(text: str, where: str) -> str:
    """
    Return a text that XML can hold.

    :param where: what it is written for, for messages: 'CVAT'
    :raises AnnotationError: where it has a control character
    """
    if any(ord(c) < 32 or 0xD800 <= ord(c) <= 0xDFFF or ord(c) in {0xFFFE, 0xFFFF}
           for c in text):
        raise AnnotationError(where, found=f'{text!r}', expected='text without control '
                              'characters, which XML cannot hold')
    return text


def write_xml(path: Path, root: ElementTree.Element) -> None:
    """
    Write a document in UTF-8, whole or not at all.

    It has no declaration: Label Studio takes no interface that begins with one.

    :raises OSError: where it cannot be written
    """
    ElementTree.indent(root)
    write_whole(path, ElementTree.tostring(root, encoding='utf-8', xml_declaration=False))
