# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Ensembles for the uncertainty node, and the node with what surrounds it."""
from __future__ import annotations

import sys
from datetime import datetime
from datetime import timezone
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from uncertainty_peers import SPEC
from uncertainty_peers import spinning_robot
from uncertainty_peers import starter

from active_collection.bags.observation import ObservationSpec
from active_collection.config import parse
from active_collection.uncertainty.building import build
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dataset import DecodedEpisode
from active_collection.uncertainty.settings import TrainingSettings


@pytest.fixture
def robot(ros, request):
    """Give what surrounds the node."""
    with spinning_robot(request.node.name) as node:
        yield node


@pytest.fixture
def start(robot):
    """Give a starter of uncertainty nodes in the robot's namespace."""
    return starter(robot)


@pytest.fixture(scope='module')
def ensembles(tmp_path_factory):
    """Two ensembles of one specification; the second is the newer one."""
    torch.set_num_threads(1)
    spec = parse(SPEC, ObservationSpec, where='spec.yaml')
    generator = torch.Generator().manual_seed(0)
    episodes = []
    for number in range(4):
        seen = torch.rand(30, 7, generator=generator)
        episodes.append(DecodedEpisode(str(number), 'push', seen, seen[:, :2] - seen[:, 2:4]))
    dataset = Dataset.of(episodes, spec, {'hand': 3, 'joints': 2, 'task': 2})
    out = tmp_path_factory.mktemp('ensembles')
    return [build(dataset, spec, TrainingSettings(members=3, hidden=(16,), steps=20, seed=day),
                  out=out, now=datetime(2026, 1, day, tzinfo=timezone.utc)).path
            for day in (1, 2)]
