# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Tools that need an environment of their own, run by their own Python."""
from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

#: What our own environment sets and theirs must not inherit.
_OURS = {'PYTHONPATH', 'LD_LIBRARY_PATH', 'VIRTUAL_ENV', 'PYTHONHOME'}


def inherited() -> dict[str, str]:
    """Return the environment variables that another environment may see."""
    return {name: value for name, value in os.environ.items() if name not in _OURS}


def python_with(module: str, variable: str, packages: str = '') -> str:
    """
    Return a Python that has a module: that of a variable, or this one; else skip the test.

    :param packages: what to install for it, where that has another name
    """
    python = os.environ.get(variable, '')
    if not python and importlib.util.find_spec(module) is None:
        pytest.skip(f'no {module}: set {variable} to a Python that has it '
                    f'(pip install {packages or module}, in an environment of its own)')
    return python or sys.executable


def answers(python: str, program: str, *arguments: object, home: Path) -> list[Any]:
    """Run a program and return what it printed: a JSON value a line that begins with 'said '."""
    done = subprocess.run(
        [python, '-c', program, *map(str, arguments)], capture_output=True, text=True,
        check=False, timeout=300, cwd=home,
        env={**inherited(), 'HOME': str(home), 'HF_HOME': str(home), 'HF_HUB_OFFLINE': '1'})
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith('said ')]
