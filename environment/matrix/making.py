# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Make the environment of a row with uv, once as long as nothing changes that it is made from."""
from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from environment import make
from environment import requirements
from environment.matrix.rows import GROUPS
from environment.matrix.rows import MORE_TESTS
from environment.matrix.rows import SIMULATION
from environment.matrix.rows import TESTS
from environment.matrix.rows import Row

ROOT = Path(__file__).resolve().parents[2]
UV = 'uv==0.13.9'
#: PyYAML 5.4.1 has no wheel for Python 3.10, and is not written for a newer Cython.
BUILD_CONSTRAINTS = 'cython<3\n'
#: Where an interpreter can lie beside PATH.
_PLACES = (('~/.pyenv/versions', '{0}.*/bin/python3'), ('/usr/bin', 'python{0}'),
           ('/usr/local/bin', 'python{0}'), ('/opt/python', 'cp{1}-cp{1}/bin/python3'))


class UnmadeError(Exception):
    """An environment cannot be made; the message says why."""


def said_last(result: subprocess.CompletedProcess[str]) -> str:
    """Return the line of a failed command that tells most, of those that uv prints."""
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith(('cause:', 'error:', '×', '╰'))]
    return (told or lines or [f'exit status {result.returncode}'])[-1][:300]


class Maker:
    """
    Makes environments below one directory.

    :param work: directory of environments, caches and results
    """

    def __init__(self, work: Path) -> None:
        self.work = work
        work.mkdir(parents=True, exist_ok=True)
        (work / 'COLCON_IGNORE').touch()
        (work / 'build-constraints.txt').write_text(BUILD_CONSTRAINTS)
        self._uv = self._find_uv()
        self.wheel = self._build()

    def _find_uv(self) -> str:
        """Return uv: that of PATH, or one installed here."""
        if found := shutil.which('uv'):
            return found
        home = self.work / 'uv'
        with (self.work / 'uv.lock').open('w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # rows may be tried in several processes at once
            if not (home / 'bin' / 'uv').is_file():
                make.run(sys.executable, '-m', 'venv', home)
                make.run(home / 'bin' / 'python', '-m', 'pip', 'install', '-qq', UV)
        return str(home / 'bin' / 'uv')

    def uv(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run uv, its cache beside the environments so that they share files."""
        environment = os.environ | {'UV_CACHE_DIR': str(self.work / 'cache'),
                                    'UV_PYTHON_INSTALL_DIR': str(self.work / 'pythons')}
        return subprocess.run([self._uv, *map(str, arguments)], capture_output=True, text=True,
                              env=environment, check=False)

    def _build(self) -> Path:
        """Return the package's wheel, built from its sdist, as an index would have it."""
        # Of this process alone: another may be building its own.
        self._dist = TemporaryDirectory(dir=self.work, prefix='dist-')
        out = Path(self._dist.name)
        built = self.uv('build', '--quiet', '--out-dir', out, ROOT)
        if built.returncode:
            raise UnmadeError(f'sdist and wheel: {said_last(built)}')
        return next(out.glob('*.whl'))

    def interpreter(self, version: str) -> Path:
        """
        Return a Python of a version, fetched where this machine has none.

        :param version: 'major.minor'
        :raises UnmadeError: where there is none and none can be fetched
        """
        digits = version.replace('.', '')
        candidates = [found for name in (f'python{version}', 'python3')
                      if (found := shutil.which(name))]
        for root, pattern in _PLACES:
            candidates += map(str, sorted(
                Path(root).expanduser().glob(pattern.format(version, digits)), reverse=True))
        for candidate in candidates:
            answer = subprocess.run(
                [candidate, '-c', 'import sys; print("%d.%d" % sys.version_info[:2])'],
                capture_output=True, text=True, check=False)
            if answer.returncode == 0 and answer.stdout.strip() == version:
                return Path(candidate)
        fetched = self.uv('python', 'install', version)
        where = self.uv('python', 'find', version)
        if where.returncode:
            raise UnmadeError(f'no Python {version} here, and uv: {said_last(fetched)}')
        return Path(where.stdout.strip())

    def make(self, row: Row, *, fresh: bool = False) -> tuple[Path, list[str]]:
        """
        Return the Python of a row's environment with this package, and what it lacks.

        :param fresh: make it again, with the newest of what is free
        :raises UnmadeError: where it cannot be made
        """
        target = self.work / row.name
        python, stamp = target / 'bin' / 'python', target / 'fingerprint'
        interpreter = self.interpreter(row.python)
        wanted, constraints = wanted_by(row), constraints_of(row)
        identity = fingerprint(row, wanted, constraints, Path(__file__).read_text())
        lacking = target / 'lacking.txt'
        if fresh or not stamp.is_file() or stamp.read_text() != identity:
            shutil.rmtree(target, ignore_errors=True)
            if (made := self.uv('venv', '--python', interpreter, target)).returncode:
                raise UnmadeError(said_last(made))
            lacking.write_text('\n'.join(self._install(row, target, wanted, constraints)))
            stamp.write_text(identity)
        ours = self.uv('pip', 'install', '--python', python, '--no-deps', '--reinstall',
                       self.wheel)
        if ours.returncode:
            raise UnmadeError(f'{self.wheel.name}: {said_last(ours)}')
        return python, lacking.read_text().splitlines()

    def _install(self, row: Row, target: Path, wanted: Sequence[str],
                 constraints: Sequence[str]) -> list[str]:
        listed, held = target / 'requirements.txt', target / 'constraints.txt'
        held.write_text('\n'.join(constraints) + '\n')
        lacking = []
        options: list[str | Path] = [
            'pip', 'install', '--python', target / 'bin' / 'python', '--constraint', held,
            '--build-constraint', self.work / 'build-constraints.txt', '--index-strategy',
            'unsafe-best-match', *make.torch_options(), *_find_links()]
        if row.oldest:
            options += ['--resolution', 'lowest-direct']
        listed.write_text('\n'.join(wanted) + '\n')
        result = self.uv(*options, '--requirement', listed)
        if result.returncode:  # perhaps for torch alone, which has no build for every Python
            lacking.append(f'torch: {said_last(result)}')
            without = [line for line in wanted if requirements.name_of(line) != 'torch']
            listed.write_text('\n'.join(without) + '\n')
            result = self.uv(*options, '--requirement', listed)
        if result.returncode:
            raise UnmadeError(said_last(result))
        return lacking

    def versions(self, python: Path) -> dict[str, str]:
        """Return what is installed, name to version."""
        lines = self.uv('pip', 'freeze', '--python', python).stdout.splitlines()
        return dict(line.split('==', 1) for line in lines if '==' in line)


def _find_links() -> list[str]:
    """Return what pip is told of wheels on this machine, which uv does not read."""
    places = os.environ.get('PIP_FIND_LINKS', '').split()
    return [part for place in places for part in ('--find-links', place)]


def wanted_by(row: Row) -> list[str]:
    """Return the requirements of a row."""
    left_out = requirements.without(row.distribution)
    if row.oldest:
        return [*requirements.requirements(GROUPS), *TESTS]
    lines = [*requirements.requirements([*GROUPS, SIMULATION]), *TESTS, *MORE_TESTS]
    return [line for line in lines if requirements.name_of(line) not in left_out]


def constraints_of(row: Row) -> list[str]:
    """Return the exact versions that a row holds; of a distribution all that it has tried."""
    if row.oldest:  # of what we need, not of what tests it
        tests = set(map(requirements.name_of, TESTS))
        return [requirements.without_extras(pin) for pin in requirements.pins()
                if requirements.name_of(pin) in tests]
    if not row.distribution:
        return []
    return [requirements.without_extras(line)
            for line in requirements.constraints(row.distribution)]


def fingerprint(row: Row, wanted: Sequence[str], constraints: Sequence[str], maker: str) -> str:
    """Return the identity of an environment: another one needs another environment."""
    parts = [repr(row), *wanted, *constraints, maker]
    return hashlib.sha256('\n'.join(parts).encode()).hexdigest()
