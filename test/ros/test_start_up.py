# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What each node imports until it stands ready: what it does not use, it does not need."""
import json
import subprocess
import sys
from datetime import datetime
from datetime import timezone

import pytest

pytest.importorskip('rclpy')
import torch

from active_collection.bags.observation import ObservationSpec
from active_collection.config import parse
from active_collection.packages import GROUPS
from active_collection.uncertainty.building import build
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dataset import DecodedEpisode
from active_collection.uncertainty.settings import TrainingSettings

#: Makes the node class of a module, or a node that has nothing but a service of rclpy's, and tells
#: every module that is there then.
PROGRAM = """
import importlib, json, os, sys
import rclpy
from rclpy.node import Node
from std_srvs.srv import Trigger

name, *arguments = sys.argv[1:]
module = name.partition(' ')[0]
rclpy.init(args=['program', '--ros-args', '-r', f'__ns:=/{name.replace(" ", "_") or "bare"}',
                 *arguments])
if module:
    found = vars(importlib.import_module(f'active_collection.nodes.{module}.{module}'))
    make, = (kind for kind in found.values() if isinstance(kind, type)
             and issubclass(kind, Node) and kind.__module__.endswith(f'.{module}'))
    node = make()
else:
    node = Node('bare')
    node.create_service(Trigger, 'service', lambda request, response: response)
print('imported', json.dumps(sorted(sys.modules)), flush=True)
os._exit(0)  # threads and all
"""
SPACE = 'format: 1\ntasks: {push: {}}\nenvironments: {table: {}}\n'
SPEC = """
format: 1
reference: hand
observation:
  - {name: hand, field: 'hand.pose.position'}
  - {name: more, MORE}
action: {field: 'action.position', low: [-1], high: [1]}
"""
#: Of an ensemble: what else it sees, and how many numbers that is.
NUMBERS = "field: 'gripper.position'", 1
PICTURES = "image: 'camera/image', encoder: {kind: random_features}", 64
#: Node to the requirements that it imports, and the groups of them that bring these.
EXPECTED = {
    'recorder': ({'pydantic'}, {'base'}),
    'agent': ({'pydantic'}, {'base'}),
    'scheduler': ({'pydantic', 'scipy'}, {'base', 'scheduling'}),
    'uncertainty without ensemble': ({'pydantic'}, {'base'}),
    'uncertainty of numbers': ({'pydantic', 'torch', 'safetensors'}, {'base', 'uncertainty'}),
    'uncertainty of pictures': (
        {'pydantic', 'torch', 'safetensors', 'cv2'}, {'base', 'uncertainty', 'images'}),
}
#: Imported by rclpy itself.
BY_RCLPY = {'numpy', 'yaml'}


def ensemble(path, more, size):
    """Return the directory of a small ensemble that sees a position and one thing more."""
    spec = parse(SPEC.replace('MORE', more), ObservationSpec, where='spec.yaml')
    seen = torch.rand(4, 30, 3 + size, generator=torch.Generator().manual_seed(0))
    episodes = [DecodedEpisode(str(number), 'push', values, values[:, :1] - values[:, 1:2])
                for number, values in enumerate(seen)]
    return build(Dataset.of(episodes, spec, {'hand': 3, 'more': size}), spec,
                 TrainingSettings(members=2, hidden=(8,), steps=5), out=path,
                 now=datetime(2026, 1, 1, tzinfo=timezone.utc)).path


@pytest.fixture(scope='module')
def imported(tmp_path_factory):
    """Return the modules that each node, and one of rclpy's alone, imports until it is ready."""
    path = tmp_path_factory.mktemp('start_up')
    (path / 'space.yaml').write_text(SPACE)
    parameters = {
        '': [],
        'recorder': ['-p', f'data_directory:={path}/data'],
        'agent': [],
        'scheduler': ['-p', f'space:={path}/space.yaml', '-p', f'ledger:={path}/ledger.sqlite3'],
        'uncertainty without ensemble': ['-p', f'ensembles:={path}/none'],
        'uncertainty of numbers': ['-p', f'ensembles:={ensemble(path / "numbers", *NUMBERS)}'],
        'uncertainty of pictures': ['-p', f'ensembles:={ensemble(path / "pictures", *PICTURES)}'],
    }
    processes = {name: subprocess.Popen(
        [sys.executable, '-c', PROGRAM, name, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=path)
        for name, arguments in parameters.items()}
    said = {name: process.communicate(timeout=100) for name, process in processes.items()}
    modules = {}
    for name, (output, errors) in said.items():
        told = [line for line in output.splitlines() if line.startswith('imported ')]
        assert told, f'{name}: {errors}'
        modules[name] = set(json.loads(told[0].removeprefix('imported ')))
    return modules


def requirements(modules):
    return {name for members in GROUPS.values() for name in members if name in modules}


@pytest.mark.parametrize('node', EXPECTED)
def test_a_node_imports_what_it_uses_and_nothing_else(imported, node):
    expected, groups = EXPECTED[node]

    # pydantic_core comes with pydantic
    assert requirements(imported[node]) - BY_RCLPY - {'pydantic_core'} == expected
    assert expected <= {name for group in groups for name in GROUPS[group]}


def test_the_scheduler_does_not_wait_for_all_of_scipy(imported):
    assert 'scipy.special' in imported['scheduler']
    assert not {'scipy.stats', 'scipy.interpolate', 'scipy.integrate'} & imported['scheduler']


def test_rclpy_imports_what_no_node_is_charged_for(imported):
    assert requirements(imported['']) == BY_RCLPY
