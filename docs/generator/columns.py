# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
What files hold, as tables: names and types from the code or an example, meanings from the page.

Where the code describes a field, that is its meaning; elsewhere a writer puts it into the page,
and making the table anew keeps it. One that is missing is written as MISSING, which a test finds.
"""
from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import re
import sqlite3
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import closing
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated
from typing import Any
from typing import Literal
from typing import Union
from typing import get_args
from typing import get_origin
from typing import get_type_hints

import pyarrow.parquet as pq
from pydantic import BaseModel

from generator.markdown import cells
from generator.markdown import table

MISSING = 'not described yet'
_NAMES: dict[Any, str] = {
    bool: 'boolean', int: 'integer', float: 'number', str: 'text', list: 'list', dict: 'object',
    type(None): 'null'}
Row = tuple[str, str, str]


def keys(where: str, root: Path, before: str) -> str:
    """
    Return the table of what a file holds.

    :param where: 'module:name' of a pyarrow schema, a dataclass, a pydantic model or a mapping
        from names to classes; or a JSON, CSV or Parquet file below docs/reference/examples/, a
        JSON file perhaps with a key whose content it is of, 'items.json#items'; or an SQLite file
        with '#' and a table
    :param root: the repository
    :param before: the table that stood there
    """
    known = cells(before)
    example = root / 'docs' / 'reference' / 'examples' / where.partition('#')[0]
    rows = list(_of_example(example, where) if '/' in where else _of_code(where))
    is_typed = any(kind for _, kind, _ in rows)
    lines = []
    for name, kind, meaning in rows:
        old = known.get(name, [MISSING])[-1]
        lines.append([f'`{name}`', *([kind] if is_typed else []), meaning or old])
    return table(['name', *(['type'] if is_typed else []), 'meaning'], lines)


def _of_code(where: str) -> Iterator[Row]:
    module, _, name = where.partition(':')
    target: Any = importlib.import_module(module)
    for part in name.split('.'):
        target = getattr(target, part)
    if isinstance(target, dict):
        for key, value in target.items():
            yield key, '', _first_paragraph(value)
    elif dataclasses.is_dataclass(target):
        hints, said = get_type_hints(target), _parameters(target)
        for entry in dataclasses.fields(target):
            yield entry.name, _written(hints[entry.name]), said.get(entry.name, '')
    elif isinstance(target, type) and issubclass(target, BaseModel):
        said = _parameters(target)
        for key, info in target.model_fields.items():
            default = '' if info.is_required() else f', default {_default(info)}'
            yield key, _written(info.annotation) + default, info.description or said.get(key, '')
    elif isinstance(target, tuple):
        for key in target:
            yield str(key), '', ''
    else:
        for column in target:
            yield column.name, str(column.type), ''


def _first_paragraph(thing: Any) -> str:
    return ' '.join((inspect.getdoc(thing) or '').split('\n\n')[0].split())


def _parameters(kind: Any) -> dict[str, str]:
    """Return what the docstring of a class says of its parameters."""
    found = re.findall(r'^:param (\w+): (.*?)(?=^:|^\S|\Z)', inspect.getdoc(kind) or '',
                       re.DOTALL | re.MULTILINE)
    return {name: ' '.join(text.split()) for name, text in found}


def _of_example(path: Path, where: str) -> Iterator[Row]:
    inside = where.partition('#')[2]
    if path.suffix == '.sqlite3':
        with closing(sqlite3.connect(f'{path.as_uri()}?immutable=1', uri=True)) as database:
            for _, name, kind, *_ in database.execute(f'PRAGMA table_info({inside})'):
                yield name, kind.lower(), ''
        return
    if path.suffix == '.csv':
        for name in path.read_text().partition('\n')[0].split(','):
            yield name, '', ''
        return
    if path.suffix == '.parquet':
        for column in pq.read_schema(path):
            yield column.name, str(column.type), ''
        return
    content = json.loads(path.read_text())
    for part in filter(None, inside.split('.')):
        content = content[int(part)] if isinstance(content, list) else content[part]
    content = content[0] if isinstance(content, list) else content
    for name, value in content.items():
        yield name, _json_type(value), ''


def _json_type(value: Any) -> str:
    return _NAMES[type(value)]


def _written(kind: Any) -> str:
    """Return a type as people read it who know YAML and no Python."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _NAMES:
        return _NAMES[kind]
    if origin is Annotated:
        return _written(arguments[0])
    if origin is Literal:
        return ' or '.join(f'`{value}`' for value in arguments)
    if origin in {Union, UnionType}:
        return ' or '.join(_written(argument) for argument in arguments)
    if origin in {tuple, list}:
        return f'list of {_written(arguments[0])}'
    if origin in {dict, Mapping}:
        return f'mapping to {_written(arguments[1])}'
    if get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, Enum):
        return ' or '.join(f'`{member.value}`' for member in kind)
    return kind.__name__ if isinstance(kind, type) else 'any'


def _default(info: Any) -> str:
    value = info.get_default(call_default_factory=True)
    return f'`{json.dumps(value)}`'
