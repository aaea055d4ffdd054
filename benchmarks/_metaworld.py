# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The simulated robot of Meta-World MT10 in the terms of the specification, without ROS."""
from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

import numpy as np
import torch
from _claims import ROOT

from active_collection.bags.observation import ObservationSpec
from active_collection.config import load
from active_collection.scenario import ScenarioSpace
from active_collection.uncertainty.dataset import DecodedEpisode

SIZES = {'hand': 3, 'gripper': 1, 'objects': 14, 'goal': 3, 'task': 10}


@dataclass(frozen=True)
class Acted:
    """
    An episode as it went.

    :param success: whether the task was done and stayed done
    :param observations: shape (N, D), before each step; `actions` what was done then, (N, A)
    """

    success: bool
    observations: np.ndarray
    actions: np.ndarray

    @property
    def steps(self):
        """Return the control steps that it took."""
        return len(self.actions)

    def since(self, start):
        """Return the episode from a step on."""
        return replace(self, observations=self.observations[start:],
                       actions=self.actions[start:])

    def decoded(self, episode_id, task):
        """Return it as something to learn from."""
        return DecodedEpisode(
            episode_id, task, torch.tensor(self.observations, dtype=torch.float32),
            torch.tensor(self.actions, dtype=torch.float32))


class MetaWorld:
    """
    Sets scenarios up and lets experts and policies act in them.

    :raises SimulationError: where Meta-World is not installed
    """

    def __init__(self):
        from active_collection.simulation.robot import SimulatedRobot

        self.space = load(ROOT / 'config' / 'metaworld_mt10.yaml', ScenarioSpace)
        self.spec = load(ROOT / 'config' / 'observation_metaworld.yaml', ObservationSpec)
        self.robot = SimulatedRobot()
        self._labels = self.spec.observation[-1].one_of

    def scenarios(self, task, count, seed):
        """Return held-out scenarios of a task."""
        from active_collection.simulation.held_out import held_out_scenarios

        return held_out_scenarios(self.space, task, episodes=count, seed=seed)

    def expert(self, values):
        """Return what the scripted expert does at this instant, whatever was observed."""
        del values
        return np.clip(self.robot.expert_action(), -1, 1)

    def act_out(self, scenario, policy, *, max_steps, hold_steps=1):
        """
        Let a policy act.

        :param policy: takes an observation vector, returns an action
        :param hold_steps: success in this many steps in a row counts
        """
        from active_collection.simulation.rollout import roll_out

        seen, done = [], []

        def act(observation):
            seen.append(self._values(observation, scenario))
            done.append(policy(seen[-1]))
            return done[-1]

        self.robot.set_up(scenario)
        rolled = roll_out(self.robot, act, max_steps=max_steps, hold_steps=hold_steps)
        return Acted(rolled.success, np.array(seen), np.array(done))

    def demonstrations(self, task, count, seed, *, max_steps, hold_steps=1):
        """Return up to `count` scenarios of a task with the expert's successes at them."""
        found = []
        for scenario in self.scenarios(task, 2 * count, seed):
            acted = self.act_out(
                scenario, self.expert, max_steps=max_steps, hold_steps=hold_steps)
            if acted.success:
                found.append((scenario, acted))
            if len(found) == count:
                break
        return found

    def _values(self, observation, scenario):
        """Return the observation vector, item by item of the specification (a test holds it)."""
        return np.concatenate([
            observation.hand_position, [observation.gripper_opening],
            observation.objects.ravel(), observation.goal,
            [float(scenario.task == task) for task in self._labels]])
