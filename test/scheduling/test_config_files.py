# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The configuration files that ship hold every parameter, with the default that the code has."""
from pathlib import Path

import pytest
import yaml

from active_collection.config import load
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.agent_settings import AgentSettings
from active_collection.scheduling.detectors import Judges
from active_collection.scheduling.settings import SchedulerSettings

CONFIG = Path(__file__).parents[2] / 'config'


@pytest.mark.parametrize(('name', 'model', 'left_out'), [
    ('scheduler', SchedulerSettings, {'space'}),
    ('agent', AgentSettings, {'capabilities'}),
])
def test_every_parameter_stands_in_its_file_with_its_default(name, model, left_out):
    text = (CONFIG / f'{name}.yaml').read_text()
    given = yaml.safe_load(text)['/**']['ros__parameters']

    assert set(model.model_fields) - set(given) == left_out
    assert model(**given) == model()
    assert all(f'# {key}:' in text for key in left_out)


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
