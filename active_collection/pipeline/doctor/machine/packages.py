# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the Python packages are those that are required, and whether each can be imported."""
from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from importlib.util import find_spec

from active_collection.packages import GROUPS
from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import Machine
from active_collection.recording.versions import versions

#: Groups whose packages are imported; those of the others are large and seldom there.
CORE = ('base', 'images', 'scheduling', 'uncertainty', 'selection', 'annotation', 'report')
#: A package whose compiled part is only loaded with this module of it.
COMPILED = {'scipy': 'scipy.special'}
#: Those whose versions matter most, or most often.
TOLD = ('numpy', 'torch', 'pyarrow', 'cv2', 'pydantic', 'rosbags')
#: How long all imports together may take (s).
LIMIT_S = 8.0
REQUIREMENT = re.compile(r'([A-Za-z0-9._-]+)(?:\[[^\]]*\])?(?:(>=|==)(.+))?')
#: Imports one module after another in a process of its own, which a clash of versions may end.
PROGRAM = """
import importlib, json, sys
sys.path = [entry for entry in sys.path if entry]
for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name)
        top = sys.modules[name.partition('.')[0]]
        told = str(getattr(module, '__version__', getattr(top, '__version__', ''))), ''
    except BaseException as error:
        told = '', f'{type(error).__name__}: {error}'
    print(json.dumps([name, *told]), flush=True)
"""


@dataclass(frozen=True)
class Package:
    """
    A package that is required.

    :param module: its import name
    :param requirement: as pip takes it
    :param groups: which parts of this software need it
    """

    module: str
    requirement: str
    groups: tuple[str, ...]

    @property
    def is_core(self) -> bool:
        """Tell whether it is imported to see whether it can be."""
        return any(group in CORE for group in self.groups)


class Packages:
    """The version of this software, and each package that it needs."""

    def __init__(self, groups: Mapping[str, Mapping[str, str]] = GROUPS) -> None:
        self._groups = groups

    def look(self, subject: Machine) -> Iterable[Finding]:
        """Return a finding for each package that will not do, and one for all others."""
        packages = list(_packages(self._groups))
        there = [package for package in packages if _is_there(package.module)]
        imported = _import([package for package in there if package.is_core])
        findings, good = [], []
        for package in there:
            said, problem = imported.get(package.module, ('', ''))
            found = _version(package) or said
            if problem:
                findings.append(wrong(
                    f'{package.module} {found} cannot be imported: {problem}',
                    expected=package.requirement,
                    remedy='make the environment again, with the constraints: '
                    f"docs/how-to/install.md; {sys.executable} -c 'import {package.module}'"))
            elif found and not is_met(package.requirement, found):
                findings.append(wrong(f'{package.module} {found}', expected=package.requirement,
                                      remedy=f"pip install --upgrade '{package.requirement}'"))
            else:
                good.append(f'{package.module} {found}'.rstrip())
        absent = [package for package in packages if package not in there]
        findings += [wrong(f'{package.module} is not installed', expected=package.requirement,
                           remedy=f"pip install '{package.requirement}'")
                     for package in absent if 'base' in package.groups]
        if findings:
            return findings
        own = versions(subject.prefixes)['active_collection']
        told = ', '.join(each for each in good if each.partition(' ')[0] in TOLD)
        text = (f'active_collection {own}, Python {platform.python_version()}; {len(good)} '
                f'packages as required ({told})')
        untried = [p.module for p in there if p.is_core and p.module not in imported]
        if untried:
            text += f'; not imported within {LIMIT_S:g} s: {", ".join(untried)}'
        parts = sorted({group for package in absent for group in package.groups})
        return [ok(f'{text}; not installed: {", ".join(parts)}' if parts else text)]


def is_met(requirement: str, found: str) -> bool:
    """
    Tell whether a version is one that a requirement takes.

    :param requirement: 'name', 'name>=1.2' or 'name==1.2'
    """
    match = REQUIREMENT.fullmatch(requirement)
    if match is None or not match[2]:
        return True
    there, wanted = _numbers(found), _numbers(match[3])
    length = max(len(there), len(wanted))
    there, wanted = (numbers + [0] * (length - len(numbers)) for numbers in (there, wanted))
    return there >= wanted if match[2] == '>=' else there == wanted


def _numbers(text: str) -> list[int]:
    """Return the numbers of a release, without what follows it: '2.13.0+cpu' is 2, 13, 0."""
    release = re.match(r'\d+(\.\d+)*', text)
    return [int(number) for number in release[0].split('.')] if release else []


def _packages(groups: Mapping[str, Mapping[str, str]]) -> Iterator[Package]:
    of: dict[tuple[str, str], list[str]] = {}
    for group, members in groups.items():
        for module, requirement in members.items():
            of.setdefault((module, requirement), []).append(group)
    for (module, requirement), named in of.items():
        yield Package(module, requirement, tuple(named))


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # the package that it is in is not there
        return False


def _version(package: Package) -> str:
    """Return the version that is installed; empty where another distribution brings the module."""
    match = REQUIREMENT.fullmatch(package.requirement)
    try:
        return version(match[1]) if match else ''
    except PackageNotFoundError:
        return ''


def _import(packages: Iterable[Package]) -> dict[str, tuple[str, str]]:
    """
    Return module to the version that it tells, and why it could not be imported.

    What a busy machine or a slow disk kept from being tried in time is left out.
    """
    names = {COMPILED.get(package.module, package.module): package.module for package in packages}
    ended = ''
    try:
        result = subprocess.run([sys.executable, '-c', PROGRAM, *names], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                timeout=LIMIT_S, check=False)
        output, ended = result.stdout, f'it ends Python with status {result.returncode}'
    except subprocess.TimeoutExpired as error:
        output = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or ''
    told = {names[name]: (said, problem) for name, said, problem in map(
        json.loads, output.splitlines())}
    untold = next((module for module in names.values() if module not in told), None)
    return {**told, untold: ('', ended)} if untold is not None and ended else told
