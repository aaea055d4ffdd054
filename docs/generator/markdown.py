# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Tables and links as Markdown."""
from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; what would be a column or a tag of HTML within a cell is escaped."""
    lines = [columns, ['---'] * len(columns), *rows]
    return '\n'.join('| ' + ' | '.join(map(_escaped, line)) + ' |' for line in lines)


def _escaped(cell: str) -> str:
    """Return a cell; what stands in backquotes needs no escape but that of the bar."""
    parts = cell.replace('|', '\\|').split('`')
    return '`'.join(part if number % 2 else part.replace('<', '\\<')
                    for number, part in enumerate(parts))


def cells(text: str) -> dict[str, list[str]]:
    """Return the rows of the tables in a text: first cell, without its backquotes, to the rest."""
    rows = {}
    for line in text.splitlines():
        if line.startswith('| ') and line.rstrip().endswith('|'):
            first, *rest = [cell.strip() for cell in line.strip().strip('|').split(' | ')]
            rows[first.strip('`')] = rest
    return rows
