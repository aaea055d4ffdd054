# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
HTML and SVG elements from Python values, escaped.

Charts are written here as SVG rather than with a plotting library: such a library inlined is
megabytes of script for a few hundred marks, and these need no script to be seen.
"""
from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup
from markupsafe import escape

from active_collection.errors import LONGEST_VALUE
from active_collection.report.numbers import THIN

#: Characters of a sentence; a single value has LONGEST_VALUE.
LONGEST_TEXT = 600
#: Number of series colours in page.css (`.c0` ...); later tasks share the last, neutral one.
SERIES = 10
#: Attributes that are not bounded: ours, or from `tip`, which has bounded each line.
LONG = {'d', 'data_tip'}


def printable(value: object, longest: int = LONGEST_VALUE) -> str:
    """Return a value as one bounded line without control, direction or surrogate characters."""
    line = ''.join(c if c.isprintable() or c == THIN else repr(c)[1:-1]
                   for c in str(value)[:longest + 1])
    return line if len(line) <= longest else f'{line[:longest]}…'


def text(value: object) -> Markup:
    """Return a value as one escaped, printable, bounded line; markup is left as it is."""
    return value if isinstance(value, Markup) else escape(printable(value, LONGEST_TEXT))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """
    Return an element.

    :param name: element name: 'circle'
    :param children: markup, or values that are escaped
    :param attributes: `class_` is class, an underscore is a hyphen, None is left out, a float has
        two decimals
    """
    parts = [f'<{name}']
    for key, value in attributes.items():
        if value is None:
            continue
        written = f'{value:.2f}'.rstrip('0').rstrip('.') if isinstance(value, float) else value
        safe = escape(written) if key in LONG else text(written)
        parts.append(f' {key.rstrip("_").replace("_", "-")}="{safe}"')
    inside = ''.join(text(child) for child in children)
    return Markup(f'{"".join(parts)}>{inside}</{name}>')  # noqa: S704 - parts are escaped


def join(parts: Iterable[Markup]) -> Markup:
    """Return elements one after the other."""
    return Markup('').join(parts)


def tip(*lines: str) -> str:
    """Return the lines of a tip that shows on hover: the first is its heading, empty ones go."""
    return '\n'.join(printable(line) for line in lines if line)


def series(index: int) -> str:
    """Return the class that colours the index-th task."""
    return f'c{min(index, SERIES - 1)}'


def path(points: Iterable[tuple[float, float]]) -> str:
    """Return the path data of a line through points."""
    return 'M' + 'L'.join(f'{x:.2f},{y:.2f}' for x, y in points)
