# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the directory holds in which a page's blocks run, by name; and how they are run."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from blocks import ROOT
from blocks import Block

EXAMPLES = ROOT / 'docs' / 'reference' / 'examples' / 'data'


def data(home: Path) -> None:
    """A data directory with all that a fleet and an annotation round write, as /data would be."""
    shutil.copytree(EXAMPLES, home / 'data')


def bags(home: Path) -> None:
    """Recorded bags, and nothing else."""
    shutil.copytree(EXAMPLES / 'episodes', home / 'bags', ignore=shutil.ignore_patterns('torn*'))


def data_and_configuration(home: Path) -> None:
    """A data directory, and what its owner wrote for the fleet beside it."""
    data(home)
    for name in ('scenario_space', 'observation', 'training'):
        (home / 'data' / f'{name}.yaml').rename(home / f'{name}.yaml')


def write_program(path: Path, command: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)


def demo(home: Path) -> None:
    """A checkout in which `make demo` has run."""
    shutil.copytree(EXAMPLES, home / 'active_collection' / 'demo' / '001')
    environment = home / 'active_collection' / 'environment'
    environment.mkdir()
    write_program(environment / 'run', '')  # the blocks run in the environment already


WORLDS = {world.__name__: world for world in (data, bags, data_and_configuration, demo)}


def settle(home: Path) -> dict[str, str]:
    """
    Make a directory the home of a user of the documentation.

    `~/ws/src/active_collection` is this repository.

    :returns: the environment of that user's shell
    """
    (home / 'ws' / 'src').mkdir(parents=True)
    (home / 'ws' / 'src' / 'active_collection').symlink_to(ROOT)
    programs = home / '.programs'
    programs.mkdir()
    for name in ('python', 'python3'):
        write_program(programs / name, sys.executable)
    if shutil.which('active-collection') is None:  # not built: a checkout without ROS
        write_program(programs / 'active-collection', f'env PYTHONPATH={ROOT} {sys.executable} '
                       '-m active_collection.cli.main')
    return {**os.environ, 'HOME': str(home), 'PATH': f'{programs}:{os.environ["PATH"]}',
            'OMP_NUM_THREADS': '1', 'COLUMNS': '120'}


def run(blocks: list[Block], home: Path, *, timeout_s: float) -> None:
    """
    Run blocks in order in one shell, which starts at home.

    :param home: a directory for `settle`
    :raises AssertionError: with the block that failed and what was said
    """
    script = '\n'.join(f'echo "BLOCK {block}" >&2\n{block.text}' for block in blocks)
    done = subprocess.run(
        ['bash', '-euo', 'pipefail', '-c', script], cwd=home, stdin=subprocess.DEVNULL,
        env=settle(home), capture_output=True, text=True, timeout=timeout_s)
    assert done.returncode == 0, f'{done.stdout}\n{done.stderr}'
