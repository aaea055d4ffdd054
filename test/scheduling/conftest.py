# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the scheduling tests."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fleets import SPACE
from fleets import Fleet

from active_collection.config import parse
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.settings import SchedulerSettings


@pytest.fixture
def space():
    return parse(SPACE, ScenarioSpace, where='space.yaml')


@pytest.fixture
def fleet(space, tmp_path):
    """Return a maker of fleets; settings by keyword."""
    made = []

    def make(the_space=space, *, snapshot_events=1000, **settings):
        made.append(Fleet(the_space, tmp_path / f'{len(made)}.sqlite3',
                          SchedulerSettings(**settings), snapshot_events=snapshot_events))
        return made[-1]

    yield make
    for one in made:
        one.close()
