# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Benchmarks are scripts: their directory is where they find each other."""
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'benchmarks'))


@pytest.fixture(scope='session')
def world():
    """Return the simulated robot, with MuJoCo imported as tests of its camera need it."""
    if importlib.util.find_spec('metaworld') is None:
        pytest.skip('Meta-World is not installed')
    from _metaworld import MetaWorld

    from active_collection.simulation.libraries import load_libraries

    load_libraries(draw=True)
    return MetaWorld()
