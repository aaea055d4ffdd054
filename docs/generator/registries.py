# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The extension points as tables: every registry, its entry point group and its members."""
from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from active_collection.registry import Registry

from generator.markdown import table

_MADE = re.compile(r'^(?P<name>\w+): Registry\[(?P<protocol>\w+)\] = Registry\(', re.MULTILINE)


@dataclass(frozen=True)
class Point:
    """
    An extension point.

    :param protocol: name of what a member must be
    :param module: file that has protocol and registry, below the repository
    """

    registry: Registry[object]
    protocol: str
    module: Path


def points(root: Path) -> Iterator[Point]:
    """Yield every registry of the package, in the order of their groups' names."""
    found = []
    for path in sorted((root / 'active_collection').rglob('*.py')):
        for made in _MADE.finditer(path.read_text()):
            relative = path.relative_to(root)
            name = '.'.join(relative.with_suffix('').parts).removesuffix('.__init__')
            registry = getattr(importlib.import_module(name), made['name'])
            found.append(Point(registry, made['protocol'], relative))
    yield from sorted(found, key=lambda point: point.registry.group)


def overview(root: Path) -> str:
    """Return one row an extension point."""
    return table(['entry point group', 'adds', 'protocol'], [
        [f'[`{p.registry.group}`](#{_anchor(p)})', p.registry.kind,
         f'[`{p.protocol}`](../../{p.module})'] for p in points(root)])


def page(root: Path) -> str:
    """Return a heading and the members of every extension point, each with its first sentence."""
    return '\n\n'.join(f'## {_title(p)}\n\n{_about(root, p)}\n\n{_members(root, p)}'
                       for p in points(root))


def _members(root: Path, point: Point) -> str:
    rows = []
    for name, target in point.registry.built_in.items():
        module, _, attribute = target.partition(':')
        rows.append([f'`{name}`', _summary(_source(root, module), attribute)])
    return table(['name', 'is'], rows)


def _about(root: Path, point: Point) -> str:
    return _summary(root / point.module, point.protocol)


def _title(point: Point) -> str:
    kind = point.registry.kind
    return (kind[:-1] + 'ies' if kind.endswith('y') else f'{kind}s').capitalize()


def _anchor(point: Point) -> str:
    return _title(point).lower().replace(' ', '-')


def _source(root: Path, module: str) -> Path:
    path = root.joinpath(*module.split('.'))
    return path.with_suffix('.py') if path.with_suffix('.py').is_file() else path / '__init__.py'


@cache
def _classes(path: Path) -> dict[str, str]:
    """Return the docstrings of a file's classes: nothing heavy or optional is imported."""
    return {node.name: ast.get_docstring(node) or '' for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.ClassDef)}


def _summary(path: Path, name: str) -> str:
    """Return the first paragraph of a class's docstring on one line."""
    return ' '.join(_classes(path)[name].split('\n\n')[0].split())
