#!/usr/bin/env python3
# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Print what pip has to install, from setup.cfg: requirements.py [GROUP...] > requirements.txt

Without a group, what every node and the command line need; a group adds what its part needs. With
--constraints, print instead the versions tried with this machine's distribution, for pip's
--constraint: its own numpy, scipy and OpenCV stay, since ROS was compiled against them.
Standard library only: this runs before anything is installed.
"""
from __future__ import annotations

import argparse
import configparser
import re
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
SETUP = HERE.parent / 'setup.cfg'
PINS = HERE / 'pins.txt'
OS_RELEASE = Path('/etc/os-release')
#: A group that is made of others: active-collection[annotation,images].
_OTHERS = re.compile(r'active-collection\[(.*)\]$')
_WITHOUT = '# without '
#: Pins that only the project's own environment needs, or that no distribution has an opinion on:
#: which build of torch fits depends on the machine's GPU.
_OWN = re.compile(r'(ros-|colcon|catkin|cmake|pip$|setuptools$|wheel$|torch$)')

#: Whose pins fit the pinned numpy and perhaps no other.
_OF_NUMPY = ('opencv-python-headless', 'pyarrow', 'onnx', 'onnxruntime', 'scipy')


def declared() -> tuple[list[str], dict[str, list[str]]]:
    """Return what everybody needs, and what each group adds, as setup.cfg says it."""
    parser = configparser.ConfigParser()
    parser.read_string(SETUP.read_text())
    groups = {name: value.split('\n') for name, value in parser['options.extras_require'].items()}
    return (
        [line for line in parser['options']['install_requires'].split('\n') if line],
        {name: [line for line in lines if line] for name, lines in groups.items()})


def requirements(groups: Sequence[str]) -> list[str]:
    """
    Return the requirements of the base and of some groups, each once.

    :param groups: names of setup.cfg's extras
    :raises KeyError: where there is no such group
    """
    base, extras = declared()
    listed = dict.fromkeys(base)
    for group in groups:
        for line in extras[group]:
            others = _OTHERS.match(line)
            listed.update(dict.fromkeys(
                requirements(others.group(1).split(',')) if others else [line]))
    return list(listed)


def name_of(requirement: str) -> str:
    """Return the name of a requirement, as pip compares it: 'ray[default]>=2' is 'ray'."""
    return re.sub(r'[-_.]+', '-', re.split(r'[\[=<>~!; ]', requirement)[0]).lower()


def without_extras(requirement: str) -> str:
    """Return a requirement as pip takes it for a constraint: 'ray[default]==2' is 'ray==2'."""
    return re.sub(r'\[.*?\]', '', requirement)


def pins() -> list[str]:
    """Return the project's pins, as the environment installs them."""
    return [line for line, _ in _lines(PINS) if line]


def codename() -> str:
    """Return the name of this machine's distribution: 'jammy', 'noble'; empty where unknown."""
    try:
        found = re.search(r'^VERSION_CODENAME=(\w+)', OS_RELEASE.read_text(), re.MULTILINE)
    except OSError:
        return ''
    return found.group(1) if found else ''


def constraints(distribution: str, installed: Sequence[str] = ()) -> list[str]:
    """
    Return exact versions that go together on a distribution.

    :param distribution: its codename
    :param installed: what `installed_here` returns: where the distribution is unknown or brings
        another numpy, that one stays, and what takes it goes with it
    """
    path = HERE / 'constraints' / f'{distribution}.txt'
    own = [line for line, _ in _lines(path) if line] if path.is_file() else []
    if not own or (installed and installed[0] not in own):
        own = list(installed)
    left_out = {name_of(line) for line in own} | without(distribution)
    return own + [line for line in pins()
                  if name_of(line) not in left_out and not _OWN.match(name_of(line))]


def without(distribution: str) -> set[str]:
    """Return the names of the libraries of which no version fits a distribution."""
    path = HERE / 'constraints' / f'{distribution}.txt'
    if not path.is_file():
        return set()
    return {name_of(text[len(_WITHOUT):]) for _, text in _lines(path)
            if text.startswith(_WITHOUT)}


def _lines(path: Path) -> list[tuple[str, str]]:
    """Return each line of a file without and with its comment."""
    return [(line.split('#')[0].strip(), line.strip()) for line in path.read_text().splitlines()]


def installed_here() -> list[str]:
    """Return the numpy that this Python sees, first, and what goes with it; nothing without."""
    found: dict[str, str] = {}
    for name in ('numpy', 'scipy'):
        try:
            found[name] = f'=={version(name)}'
        except PackageNotFoundError:
            continue
    if 'numpy' not in found:
        return []
    if found['numpy'].startswith('==1.'):
        found['pyarrow'] = '<26'  # the next one refuses numpy 1, and does not say so to pip
    return [f'{name}{found.get(name, "")}' for name in ('numpy', *_OF_NUMPY)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('groups', nargs='*', metavar='GROUP', help=', '.join(declared()[1]))
    parser.add_argument('--constraints', action='store_true',
                        help='versions for this distribution instead')
    arguments = parser.parse_args()
    try:
        if arguments.constraints:
            lines = [without_extras(line) for line in constraints(codename(), installed_here())]
        else:
            lines = requirements(arguments.groups)
    except KeyError as error:
        print(f'requirements: found no group {error}, expected of {", ".join(declared()[1])}',
              file=sys.stderr)
        return 2
    print('\n'.join(lines))
    return 0


if __name__ == '__main__':
    sys.exit(main())
