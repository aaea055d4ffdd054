# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is compared, from which starts, and how much of it is run."""
from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from active_collection.scheduling.choosing.acquisition import RULES

COMPARATOR = 'even spread'
DEFAULT = 'value'
NO_ATTEMPTS = 'value, no attempts'
MORE_ATTEMPTS = 'value, more attempts'
CORRECTIONS = 'corrections'
STARTS = ('even', 'skewed')
#: Demonstrations of a task: of each in the even start; of half of them in the skewed one.
FEW, MANY = 1, 20


@dataclass(frozen=True)
class Arm:
    """
    One way to collect.

    :param settings: the scheduler's, where they differ from its defaults
    :param tries: whether the robot offers its policy to be tried
    :param corrects: whether the policy begins each demonstration and the expert only takes over
    :param seeds: how many are asked for in a full run
    """

    name: str
    settings: dict[str, object] = field(default_factory=dict)
    tries: bool = True
    corrects: bool = False
    seeds: int = 5


def arms():
    """Return every arm by name, those that the targets are about first."""
    named = [
        Arm(COMPARATOR, {'rule': 'round_robin', 'configuration': 'random'}, tries=False, seeds=10),
        Arm(DEFAULT, seeds=10),
        Arm(NO_ATTEMPTS, tries=False, seeds=10),
        # As many attempts as demonstrations: what it is worth to know more of the policy.
        Arm(MORE_ATTEMPTS, {'policy_share': 0.5, 'parity_share': 0.5}),
        Arm('value, random configurations', {'configuration': 'random'}),
        Arm('round_robin, configurations of value',
            {'rule': 'round_robin', 'configuration': 'failure'}),
        *(Arm(name, {'rule': name}) for name in RULES.names()
          if name not in {'value', 'round_robin'}),
        Arm(CORRECTIONS, tries=False, corrects=True),
    ]
    return {arm.name: arm for arm in named}


@dataclass(frozen=True)
class Options:
    """
    How much of it is run; the same for all that is compared.

    :param tasks: of MT10; none: all
    :param batch: demonstrations between two retrainings
    :param budget: demonstrations at most, beyond those of the start
    :param densely: demonstrations up to which each policy is evaluated; then every second one
    :param held_out: configurations of each task that the policy is evaluated at
    :param enough: a unit ends when its last three evaluations are at least this on average
    :param steps: of a training, at most
    :param max_steps: control steps of an episode, at most
    :param hold_steps: control steps in a row that must be a success
    """

    tasks: tuple[str, ...] = ()
    batch: int = 10
    budget: int = 200
    densely: int = 60
    held_out: int = 15
    enough: float = 0.87
    steps: int = 2000
    max_steps: int = 150
    hold_steps: int = 5

    @property
    def digest(self):
        """Return what tells runs with other options apart; the budget may be raised later."""
        told = {k: v for k, v in asdict(self).items() if k not in {'budget', 'enough'}}
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]


def start_counts(tasks, start, seed):
    """Return the demonstrations of each task that there are before anything is chosen."""
    counts = dict.fromkeys(tasks, FEW)
    if start == 'skewed':
        order = np.random.default_rng([0x534B45, seed]).permutation(len(tasks))
        counts.update({tasks[k]: MANY for k in order[:len(tasks) // 2].tolist()})
    return counts
