# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What came of a row, and the page that tells it."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from xml.etree import ElementTree

from environment.matrix.rows import SHOWN
from environment.matrix.rows import Row

_HEAD = """\
# Tested versions

What the package was tried with: made by `make test-matrix`, in fresh environments. Each row is
the import of every module that needs no ROS, the unit tests without ROS, and a walk through every
subcommand on bags made for it. A number in front of `/` is what went well of all; skipped tests
want a library or a program that is not there.
"""


@dataclass
class Result:
    """
    What came of a row.

    :param python: version; empty where there is none
    :param versions: library to version
    :param modules: module to why it cannot be imported; empty where it can
    :param tests: number of tests by what came of them: passed, failed, skipped
    :param failed: names of the tests that failed
    :param walk: subcommand to how it failed; empty where it did not
    :param lacking: what could not be had or run, and why
    """

    name: str
    python: str = ''
    versions: dict[str, str] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    tests: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    walk: dict[str, str] = field(default_factory=dict)
    lacking: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether all that could be run went well, and something was."""
        return bool(self.tests.get('passed') and self.walk and self.modules
                    and not self.problems())

    def problems(self) -> list[str]:
        """Return a line about each thing that went wrong."""
        return [*(f'import {name}: {why}' for name, why in self.modules.items() if why),
                *(f'test {name}' for name in self.failed),
                *(f'walk: {why}' for why in self.walk.values() if why)]

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + '\n')

    @classmethod
    def read(cls, path: Path) -> Result:
        """Read what `write` wrote."""
        return cls(**json.loads(path.read_text()))


def counted(junit: Path) -> tuple[dict[str, int], list[str]]:
    """Return the number of tests by what came of them, and the names of those that failed."""
    counts = {'passed': 0, 'failed': 0, 'skipped': 0}
    failed = []
    for case in ElementTree.parse(junit).iter('testcase'):
        if case.find('failure') is not None or case.find('error') is not None:
            counts['failed'] += 1
            failed.append(f'{case.get("classname", "")}::{case.get("name", "")}')
        elif case.find('skipped') is not None:
            counts['skipped'] += 1
        else:
            counts['passed'] += 1
    return counts, failed


def page(rows: Sequence[Row], results: Mapping[str, Result]) -> str:
    """Return the page of documentation: versions, results, and what could not be run."""
    names = ['Python', *(_plain(name) for name in SHOWN)]
    made = [_HEAD, '## Versions\n', _line(['', *names]), _line(['---'] * (len(names) + 1))]
    made += [_line([row.title, result.python, *(
        _cut(result.versions.get(name, 'none')) for name in SHOWN)])
        for row in rows if (result := results.get(row.name))]
    made += ['', '## Results\n', _line(['', 'Python', 'modules', 'tests', 'skipped',
                                        'subcommands']), _line(['---'] * 6)]
    made += [_line([row.title, row.python, *_counts(results[row.name])])
             for row in rows if row.name in results]
    untold = [f'- {row.title}, Python {row.python}: {why}' for row in rows
              for why in (results[row.name].lacking if row.name in results else ['was not run'])]
    made += ['', '## What could not be run\n', *(untold or ['Nothing.'])]
    wrong = [f'- {row.title}, Python {row.python}: {_escaped(why)}' for row in rows
             if row.name in results for why in results[row.name].problems()]
    if wrong:
        made += ['', '## What failed\n', *wrong]
    return '\n'.join(made) + '\n'


def _counts(result: Result) -> list[str]:
    if not result.tests:
        return ['not run'] * 4
    ran = result.tests['passed'] + result.tests['failed']
    return [_share(result.modules), f'{result.tests["passed"]}/{ran}',
            str(result.tests['skipped']), _share(result.walk)]


def _share(outcomes: Mapping[str, str]) -> str:
    return f'{sum(not why for why in outcomes.values())}/{len(outcomes)}'


def _line(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'


def _plain(name: str) -> str:
    return {'opencv-python-headless': 'OpenCV', 'pyyaml': 'PyYAML'}.get(name, name)


def _cut(version: str) -> str:
    return re.sub(r'\+.*', '', version)


def _escaped(text: str) -> str:
    return text.replace('|', '\\|').replace('<', '&lt;')
