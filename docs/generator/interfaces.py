# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The ROS interfaces as tables: every constant and field, from msg/, srv/ and action/."""
from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from generator.markdown import table

#: What stands between the parts of a file, and the parts' names.
PARTS = {'msg': ('',), 'srv': ('Request', 'Response'), 'action': ('Goal', 'Result', 'Feedback')}
_LINE = re.compile(
    r'(?P<type>[\w/\[\]<>=]+)\s+(?P<name>\w+)\s*(?:=\s*(?P<value>[^#]*?))?\s*'
    r'(?:#\s?(?P<comment>.*))?')
#: A field's unit as its comment has it: '[m/s]'.
_UNIT = re.compile(r'\s*\[([^\]\s]{1,12})\](?!\{)')


@dataclass
class Entry:
    """
    A constant or a field.

    :param value: of a constant; empty for a field
    """

    type: str
    name: str
    value: str
    comment: str


@dataclass
class Interface:
    """
    A file, as far as people read it.

    :param about: the comment in front of the first entry
    :param parts: name of the part to its entries
    """

    name: str
    about: str
    parts: dict[str, list[Entry]] = field(default_factory=dict)


def read(path: Path) -> Interface:
    """Read a file; a comment that stands alone below an entry goes on with that entry's."""
    about: list[str] = []
    sections: list[list[Entry]] = [[]]
    for line in path.read_text().splitlines():
        text = line.strip()
        if text == '---':
            sections.append([])
        elif text.startswith('#') and sections == [[]]:
            about.append(text.lstrip('# '))
        elif text.startswith('#') and sections[-1]:
            sections[-1][-1].comment += ' ' + text.lstrip('# ')
        elif text:
            found = _LINE.fullmatch(text)
            if found is None:
                raise ValueError(f'{path}: found {text!r}, expected a field or a constant')
            sections[-1].append(Entry(found['type'], found['name'], (found['value'] or '').strip(),
                                      (found['comment'] or '').strip()))
    names = PARTS[path.parent.name]
    if len(sections) != len(names):
        raise ValueError(f'{path}: found {len(sections)} parts, expected {len(names)}')
    return Interface(path.stem, ' '.join(about), dict(zip(names, sections, strict=True)))


def page(root: Path, kind: str) -> str:
    """
    Return a heading, the description and the tables of every interface of a kind.

    :param root: the repository
    :param kind: 'msg', 'srv' or 'action'
    """
    files = sorted((root / kind).glob(f'*.{kind}'))
    own = {path.stem for path in (root / 'msg').glob('*.msg')}
    return '\n\n'.join(_section(read(path), own) for path in files)


def _section(interface: Interface, own: set[str]) -> str:
    blocks = [f'### {interface.name}', interface.about]
    for name, entries in interface.parts.items():
        constants = [entry for entry in entries if entry.value]
        fields = [entry for entry in entries if not entry.value]
        title = f'{name.lower()} ' if name else ''
        if constants:
            blocks.append(table(
                [f'{title}constant', 'value', 'meaning'],
                [[f'`{c.name}`', c.value, c.comment] for c in constants]))
        if fields:
            blocks.append(table(
                [f'{title}field', 'type', 'unit', 'meaning'],
                [_row(entry, own) for entry in fields]))
        if not entries:
            blocks.append(f'{name}: empty.')
    return '\n\n'.join(filter(None, blocks))


def _row(entry: Entry, own: set[str]) -> list[str]:
    base = entry.type.partition('[')[0]
    kind = f'`{entry.type}`'
    if base in own:
        kind = f'[`{entry.type}`](#{base.lower()})'
    found = _UNIT.search(entry.comment)
    unit = found[1] if found else ''
    return [f'`{entry.name}`', kind, unit, _UNIT.sub('', entry.comment, count=1).strip()]
