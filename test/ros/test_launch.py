# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The launch files describe nodes that exist, with configuration files that exist."""
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / 'launch').glob('*.launch.py'))


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_a_launch_file_describes_its_nodes(path):
    launch = pytest.importorskip('launch')
    pytest.importorskip('launch_ros')
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)

    description = module.generate_launch_description()

    assert isinstance(description, launch.LaunchDescription)
    assert description.entities


@pytest.mark.parametrize(
    'name', ['recorder', 'uncertainty', 'agent', 'scheduler', 'simulated_robot'])
def test_every_launched_node_has_a_module_an_executable_and_a_configuration(name):
    assert (ROOT / 'active_collection' / 'nodes' / f'{name}.py').is_file()
    assert (ROOT / 'config' / f'{name}.yaml').is_file()
    assert f' {name}' in (ROOT / 'CMakeLists.txt').read_text()
    assert any(f"'{name}'" in path.read_text() for path in FILES)
