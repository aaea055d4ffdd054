# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
The command blocks of the documentation, each with how it is tested.

In front of each block stands a comment:

    <!-- test: run -->                runs it; the blocks of a page run in order, in one shell
    <!-- test: run slow -->           the same, and the page is tested by `make test-all` only
    <!-- test: run with WORLD -->     the same, in a directory that a function of worlds.py filled
    <!-- test: robot -->              runs it in test/ros, with real nodes, by `make test-all` only
    <!-- test: robot terminal -->     the same, in a terminal of its own that stays until Ctrl-C
    <!-- test: robot with NAME -->    the same, beside nodes that test_robot_pages.py starts
    <!-- test: robot after N -->      the same, once N episodes were recorded
    <!-- test: robot stopped -->      the same, after Ctrl-C in every terminal
    <!-- test: check -->              looks at each command: does it exist and take its arguments
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted({
    ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', ROOT / 'benchmarks' / 'README.md',
    *(ROOT / 'docs').rglob('*.md'), *(ROOT / 'examples').rglob('*.md')})
SHELLS = frozenset({'bash', 'sh', 'shell', 'console', 'zsh'})
_FENCE = re.compile(r'^ *```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^ *```\s*$',
                    re.DOTALL | re.MULTILINE)
_BEFORE = re.compile(r'<!-- test: (?P<how>[^>]*?) -->\s*\Z')
_HOW = re.compile(
    r'check|(?P<mode>run)(?P<slow> slow)?(?: with (?P<world>\w+))?'
    r'|robot(?P<terminal> terminal)?(?: with (?P<beside>\w+))?(?: after (?P<after>\d+))?'
    r'(?P<stopped> stopped)?')


class Wrong(Exception):
    """A command that would not work."""


@dataclass(frozen=True)
class Block:
    """
    A block of commands.

    :param line: of the page, from 1
    :param mode: 'run', 'robot' or 'check'
    :param world: name of what fills its directory, or runs beside it; empty for the page's
    :param after: episodes that it waits for
    """

    page: Path
    line: int
    text: str
    mode: str
    is_slow: bool
    world: str
    is_terminal: bool = False
    after: int = 0
    is_stopped: bool = False

    def __str__(self) -> str:
        return f'{self.page.relative_to(ROOT)}:{self.line}'


def blocks(page: Path) -> list[Block]:
    """
    Return the command blocks of a page.

    :raises ValueError: where one does not say how it is tested, or in words that nobody knows
    """
    text = page.read_text()
    found = []
    for fence in _FENCE.finditer(text):
        line = text.count('\n', 0, fence.start()) + 1
        where = f'{page.relative_to(ROOT)}:{line}'
        if fence['language'] in SHELLS - {'bash'}:
            raise ValueError(f'{where}: found {fence["language"]!r}, expected bash')
        if fence['language'] != 'bash':
            continue
        before = _BEFORE.search(text, 0, fence.start())
        if before is None:
            raise ValueError(f'{where}: found no comment, expected <!-- test: ... --> before it')
        how = _HOW.fullmatch(before['how'])
        if how is None:
            raise ValueError(f'{where}: found {before["how"]!r}, expected run, robot or check')
        found.append(Block(
            page, line, fence['text'], before['how'].split()[0], bool(how['slow']),
            how['world'] or how['beside'] or '', bool(how['terminal']), int(how['after'] or 0),
            bool(how['stopped'])))
    return found


def shares(package: str) -> list[Path]:
    """Return the directories whose content a package of this repository installs as its share."""
    if package == 'active_collection':
        return [ROOT, ROOT / 'deploy', ROOT / 'docs']
    found = [path.parent for path in ROOT.glob('examples/**/package.xml')
             if f'<name>{package}</name>' in path.read_text()]
    if not found:
        raise Wrong(f'package {package}: not of this repository')
    return found
