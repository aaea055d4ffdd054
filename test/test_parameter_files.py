# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The parameter files that ship hold every parameter, with the default that the code has."""
from pathlib import Path

import pytest
import yaml

from active_collection.collecting.agent_settings import AgentSettings
from active_collection.recording.settings import RecorderSettings
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.setting import settings_of
from active_collection.simulation.settings import SimulatedRobotSettings
from active_collection.uncertainty.settings import UncertaintySettings

CONFIG = Path(__file__).parents[1] / 'config'
MODELS = {
    'recorder': RecorderSettings, 'uncertainty': UncertaintySettings,
    'scheduler': SchedulerSettings, 'agent': AgentSettings,
    'simulated_robot': SimulatedRobotSettings}


def flat(values, prefix=''):
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}', value


@pytest.mark.parametrize('node', MODELS)
def test_every_parameter_stands_in_its_file_with_its_default(node):
    text = (CONFIG / f'{node}.yaml').read_text()
    given = dict(flat(yaml.safe_load(text)['/**']['ros__parameters']))
    known = {setting.name: setting for setting in settings_of(MODELS[node])}

    assert set(given) <= set(known)
    for name, setting in known.items():
        if name not in given:
            assert f'# {name}:' in text, name
        elif setting.is_list:  # [''] stands for an empty one, which has no type in ROS
            assert tuple(filter(None, given[name])) == setting.default, name
        else:
            assert given[name] == setting.default, name
