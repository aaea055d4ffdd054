# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Try the package with the libraries that its users have: `make test-matrix ARGS="jammy oldest"`.

Environments, logs and results lie in .build/matrix/; a second run makes again only what changed.
Exit status 1 where something failed that could be run. Standard library only, and uv.
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from environment.make import EnvironmentMakingError
from environment.matrix.making import ROOT
from environment.matrix.making import Maker
from environment.matrix.making import UnmadeError
from environment.matrix.results import Result
from environment.matrix.results import counted
from environment.matrix.results import page
from environment.matrix.rows import ROWS
from environment.matrix.rows import Row

HERE = Path(__file__).resolve().parent
WORK = ROOT / '.build' / 'matrix'
PAGE = ROOT / 'docs' / 'reference' / 'tested-versions.md'
#: A row that takes longer hangs (s).
_LIMIT_S = 3600


def tried(row: Row, maker: Maker, *, fresh: bool, tests: str) -> Result:
    """Return what comes of a row."""
    result = Result(row.name)
    home = maker.work / row.name
    try:
        python, result.lacking = maker.make(row, fresh=fresh)
    except UnmadeError as error:
        result.lacking = [f'all: {error}']
        return result
    result.versions = maker.versions(python)
    result.python = said(python, '-c', 'import platform; print(platform.python_version())')
    for name, script in (('modules', 'imports.py'), ('walk', 'walk.py')):
        out = home / f'{name}.json'
        out.unlink(missing_ok=True)
        logged(home / f'{name}.log', python, HERE / script, out)
        if out.is_file():
            setattr(result, name, json.loads(out.read_text()))
        else:
            setattr(result, name, {name: last_line(home / f'{name}.log')})
    junit = home / 'tests.xml'
    junit.unlink(missing_ok=True)
    logged(home / 'tests.log', python, '-m', 'pytest', 'test', '--ignore', 'test/ros', '-v',
           '-m', 'not slow', '-p', 'no:cacheprovider', '--timeout', '600',
           '--continue-on-collection-errors', f'--junitxml={junit}', f'--basetemp={home / "tmp"}',
           *tests.split())
    if junit.is_file():
        result.tests, result.failed = counted(junit)
    else:
        result.failed = [last_line(home / 'tests.log')]
    return result


def said(python: Path, *arguments: str) -> str:
    """Return what a Python prints."""
    return subprocess.run([python, *arguments], capture_output=True, text=True,
                          check=False).stdout.strip()


def logged(log: Path, *command: str | Path) -> None:
    """Run a command to its end, what it prints to a file."""
    # Only the package that is installed in the environment counts, and no ROS of this machine.
    environment = {name: value for name, value in os.environ.items()
                   if name not in {'PYTHONPATH', 'AMENT_PREFIX_PATH', 'VIRTUAL_ENV'}}
    with log.open('w') as file:
        try:
            subprocess.run(list(map(str, command)), stdout=file, stderr=subprocess.STDOUT,
                           stdin=subprocess.DEVNULL, cwd=ROOT, env=environment, check=False,
                           timeout=_LIMIT_S)
        except subprocess.TimeoutExpired:
            file.write(f'\nended after {_LIMIT_S} s\n')


def last_line(log: Path) -> str:
    """Return the last line of a file that says something."""
    lines = [line.strip() for line in log.read_text(errors='replace').splitlines()]
    return next((line for line in reversed(lines) if line), 'nothing was said')


def main() -> int:
    parser = argparse.ArgumentParser(
        prog='make test-matrix', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    known = {row.name: row for row in ROWS}
    parser.add_argument('rows', nargs='*', metavar='ROW', help=f'default: {", ".join(known)}')
    parser.add_argument('--fresh', action='store_true', help='make the environments again')
    parser.add_argument('--tests', default='', metavar='OPTIONS', help="for pytest: '-k pictures'")
    arguments = parser.parse_args()
    if unknown := set(arguments.rows) - set(known):
        parser.error(f'found {", ".join(sorted(unknown))}, expected of {", ".join(known)}')
    try:
        maker = Maker(WORK)
    except (UnmadeError, EnvironmentMakingError) as error:
        print(f'test-matrix: {error}', file=sys.stderr)
        return 2
    status = 0
    for name in arguments.rows or known:
        print(f'{name} ...', flush=True)
        result = tried(known[name], maker, fresh=arguments.fresh, tests=arguments.tests)
        result.write(WORK / f'{name}.json')
        ran = bool(result.python)
        status |= ran and not result.is_good
        print('\n'.join([f'{name}: {"good" if result.is_good else "failed" if ran else "not run"}'
                         f' {result.tests}', *result.lacking, *result.problems()]), flush=True)
    if not arguments.tests:  # a part of the tests is no result to show
        PAGE.write_text(page(ROWS, {name: Result.read(WORK / f'{name}.json') for name in known
                                    if (WORK / f'{name}.json').is_file()}))
    return status


if __name__ == '__main__':
    sys.exit(main())
