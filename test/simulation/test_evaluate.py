# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""`active-collection evaluate`, with policies whose success is known beforehand."""
from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from active_collection import config
from active_collection.bags.observation import ObservationSpec
from active_collection.cli.main import main
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble_files import save
from active_collection.uncertainty.mlp import MlpMembers

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec('metaworld') is None, reason='Meta-World is not installed')

ROOT = Path(__file__).parents[2]
SPEC = config.load(ROOT / 'config' / 'observation_metaworld.yaml', ObservationSpec)
SIZES = {'hand': 3, 'gripper': 1, 'objects': 14, 'goal': 3, 'task': 10}

#: Every goal lies straight ahead of where the hand starts.
SPACE = """
format: 1
environments: {tabletop: {}}
tasks:
  reach:
    factors:
      object_x: {low: -0.1, high: 0.1, unit: m}
      object_y: {low: 0.6, high: 0.67, unit: m}
      goal_x: {low: -0.01, high: 0.01, unit: m}
      goal_y: {low: 0.83, high: 0.89, unit: m}
      goal_z: {low: 0.15, high: 0.17, unit: m}
"""


def constant_policy(directory, name, actions, spec=SPEC):
    """Write an ensemble whose members each do one thing whatever they see."""
    members = MlpMembers(members=len(actions), inputs=sum(SIZES.values()), actions=4, hidden=(4,),
                         variance_floor=1e-4)
    with torch.no_grad():
        members.biases[-1][:, 0, :4] = torch.tensor(actions)
        members.biases[-1][:, 0, 4:] = -10.0
    description = EnsembleDescription(
        ensemble_id=name, created='2026-01-01T00:00:00Z', members=len(actions), observation=spec,
        sizes=SIZES, network={'hidden': [4], 'variance_floor': 1e-4})
    return save(directory, description, dict(members.state_dict()), weights='members.safetensors')


@pytest.fixture
def space(tmp_path):
    path = tmp_path / 'space.yaml'
    path.write_text(SPACE)
    return path


def evaluate(ensemble, space, *more):
    out = space.parent / 'evaluations' / 'result.json'
    status = main(['evaluate', '--ensemble', str(ensemble), '--space', str(space), '--out',
                   str(out), '--episodes', '3', '--max-steps', '60', '--hold-steps', '1',
                   '--seed', '4', '--round', '2', *more])
    return status, json.loads(out.read_text()) if out.exists() else None


def test_policy_that_goes_ahead_reaches_every_goal_and_one_that_goes_back_none(
        tmp_path, space, capsys):
    ahead = constant_policy(tmp_path, 'ahead', [[0.0, 1.0, 0.0, -1.0]] * 2)
    status, result = evaluate(ahead, space, '--processes', '1')
    assert status == 0
    assert result == {'ensemble_id': 'ahead', 'round': 2, 'seed': 4, 'tasks': {
        'reach': {'success': 3, 'episodes': 3, 'epistemic': pytest.approx(0.0, abs=1e-9)}}}
    assert 'reach    3/3' in capsys.readouterr().out

    back = constant_policy(tmp_path, 'back', [[0.0, -1.0, 0.0, -1.0]])
    _, result = evaluate(back, space, '--processes', '1')
    assert result['tasks']['reach']['success'] == 0


def test_members_that_disagree_are_uncertain_and_processes_change_nothing(tmp_path, space):
    torn = constant_policy(tmp_path, 'torn', [[1.0, 1.0, 1.0, 1.0], [-1.0, -1.0, -1.0, -1.0]])
    _, alone = evaluate(torn, space, '--processes', '1')
    _, together = evaluate(torn, space, '--processes', '2')
    assert alone['tasks']['reach']['epistemic'] == pytest.approx(1.0)
    assert alone == together


def test_error_of_a_worker_process_ends_the_command_with_one_line(tmp_path, space, capsys):
    """The goal lies beyond Meta-World's range, which only the worker knows."""
    space.write_text(SPACE.replace('high: 0.89', 'high: 5.0').replace('low: 0.83', 'low: 4.0'))
    ahead = constant_policy(tmp_path, 'ahead', [[0.0, 1.0, 0.0, -1.0]])
    status, result = evaluate(ahead, space, '--processes', '2', '--episodes', '1')
    captured = capsys.readouterr()
    assert (status, result) == (2, None)
    assert 'configuration.goal_y' in captured.err and '0.825 to 0.9 m' in captured.err
    assert 'Traceback' not in captured.err


@pytest.mark.parametrize(('arguments', 'named'), [
    (['--tasks', 'raech'], "did you mean 'reach'"),
    (['--episodes', '0'], '--episodes'),
    (['--seed', '-1'], '--seed'),
    (['--ensemble', '/nonexistent'], '/nonexistent'),
])
def test_strange_argument_is_refused_with_one_line(tmp_path, space, capsys, arguments, named):
    ahead = constant_policy(tmp_path, 'ahead', [[0.0, 1.0, 0.0, -1.0]])
    status, result = evaluate(ahead, space, *arguments)
    assert (status, result) == (2, None)
    line, = capsys.readouterr().err.strip().splitlines()
    assert named in line


def test_policy_that_needs_what_the_robot_does_not_sense_is_refused(tmp_path, space, capsys):
    force = SPEC.observation[0].model_copy(update={'field': 'wrist_force.wrench.force'})
    spec = SPEC.model_copy(update={'observation': (force, *SPEC.observation[1:])})
    feels = constant_policy(tmp_path, 'feels', [[0.0, 1.0, 0.0, -1.0]], spec)
    status, _ = evaluate(feels, space, '--processes', '1')
    assert status == 2
    assert "topic 'wrist_force'" in capsys.readouterr().err


@pytest.mark.slow
def test_killed_command_leaves_no_worker_behind(tmp_path, space):
    ahead = constant_policy(tmp_path, 'ahead', [[0.0, 1.0, 0.0, -1.0]])
    command = subprocess.Popen(
        [sys.executable, '-m', 'active_collection.cli.main', 'evaluate', '--ensemble', str(ahead),
         '--space', str(space), '--out', str(tmp_path / 'out.json'), '--episodes', '100000',
         '--processes', '2'], cwd='/', stderr=subprocess.DEVNULL)
    process = psutil.Process(command.pid)
    deadline = time.monotonic() + 60
    while len(workers := process.children(recursive=True)) < 3:
        assert time.monotonic() < deadline and command.poll() is None
        time.sleep(0.01)
    command.kill()
    command.wait()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive
