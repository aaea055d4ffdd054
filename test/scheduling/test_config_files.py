# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The scenario space that ships is one, and shows every key."""
from pathlib import Path

import pytest
import yaml

from active_collection.config import load
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.fleet.detectors import Judges

CONFIG = Path(__file__).parents[2] / 'config'


def test_the_example_scenario_space_is_one():
    space = load(CONFIG / 'scenario_space.yaml', ScenarioSpace)

    Judges(space)
    assert space.places


@pytest.mark.parametrize('part', ['tasks', 'environments', 'robots'])
def test_the_example_shows_every_key(part):
    given = yaml.safe_load((CONFIG / 'scenario_space.yaml').read_text())
    kind = ScenarioSpace.model_fields[part].annotation.__args__[1]

    shown = set().union(*(entry for entry in given[part].values()))

    assert shown == set(kind.model_fields)
