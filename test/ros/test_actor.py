# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Who acted, from the real agent through the real recorder to what a policy learns from."""
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from active_collection.msg import Actor as ActorMsg
from active_collection.msg import HighUncertainty
from active_collection.msg import UncertaintyEstimate
from active_collection.msg import UncertaintySummary
from agent_setting import Setting
from fleet_peers import Rig
from fleet_peers import until
from sensor_msgs.msg import JointState

from active_collection.annotation.chosen import episodes_of
from active_collection.annotation.items import Item
from active_collection.annotation.lerobot import layout
from active_collection.annotation.lerobot.dataset import Settings
from active_collection.annotation.lerobot.dataset import write_dataset
from active_collection.bags.actors import ACTOR_TYPE
from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.bags.observation import ObservationSpec
from active_collection.bags.reader import open_bag
from active_collection.config import parse
from active_collection.episode import Actor
from active_collection.episode import Source
from active_collection.nodes import qos
from active_collection.uncertainty.decoding import read_demonstrations

SPACE = """
format: 1
tasks: {push: {collectors: [scripted, policy]}}
environments: {cell: {}}
"""
SPEC = parse("""
format: 1
reference: hand
observation: [{name: hand, field: 'hand.position'}]
action: {field: 'action.position', low: [-1], high: [1]}
""", ObservationSpec, where='spec')
#: What the arm is told, by who acts.
ACTIONS = {'scripted': 0.25, 'policy': -0.5, 'teleoperation': 0.75}


class MovingRig(Rig):
    """
    Tells where the hand is, and while an attempt lasts what it is told and how unsure it is.

    A script ends its attempts by itself: until an estimate has told the scheduler of an ensemble,
    each is a script's. What others do is held until the test lets go.
    """

    def __init__(self, robot):
        super().__init__(robot)
        self.acting = self.act.clear
        self.steps = Counter()
        self._goal = None
        self._hand, self._action = (
            self.create_publisher(JointState, name, qos.STATE) for name in ('hand', 'action'))
        self._estimate = self.create_publisher(
            UncertaintyEstimate, 'uncertainty/estimate', qos.STATE)
        self._uncertain = self.create_publisher(
            HighUncertainty, 'uncertainty/high_uncertainty', qos.STATE)
        self.create_timer(0.02, self._move)

    def warn(self):
        """Say that the policy does not know what to do."""
        self._uncertain.publish(HighUncertainty(state=HighUncertainty.BEGIN, measure='epistemic'))

    def _on_collect(self, handle):
        self._goal = handle.request
        try:
            return super()._on_collect(handle)
        finally:
            self._goal = None

    def _move(self):
        goal = self._goal
        self._hand.publish(self._joint(sum(self.steps.values())))
        if goal is not None:
            self._action.publish(self._joint(ACTIONS[goal.collector]))
            self._estimate.publish(UncertaintyEstimate(
                ensemble_id='e1', episode=UncertaintySummary(
                    episode_id=goal.episode_id, ensemble_id='e1', steps=1)))
            self.steps[goal.collector] += 1
            if goal.collector == 'scripted' and self.steps['scripted'] % 12 == 0:
                self.act.set()

    def _joint(self, value):
        message = JointState(name=['x'], position=[float(value)])
        message.header.stamp = self.get_clock().now().to_msg()
        return message


def source_of(episode):
    return read_record(episode).source


@pytest.fixture
def recorded(ros, tmp_path):
    """Return a data directory with scripted episodes and one that a person finished."""
    rig, data = MovingRig('arm1'), tmp_path / 'data'
    setting = Setting(tmp_path, space=SPACE, robot=rig)
    try:
        setting.start('recorder', namespace='arm1', data_directory=data, disk_reserve_bytes=0,
                      topics='[hand, action]')
        setting.start_scheduler(policy_share=1.0)
        setting.start_agent(collectors='[scripted, policy, teleoperation]',
                            on_high_uncertainty='hand_over')
        until(lambda: rig.steps['policy'] > 10)
        until(lambda: rig.warn() or rig.cancelled)
        until(lambda: setting.console.tell('arm1', 'ready').success)
        until(lambda: rig.steps['teleoperation'] > 10)
        rig.act.set()
        until(lambda: Source.POLICY in map(source_of, find_episodes(data)))
    finally:
        setting.close()
    return data


def test_who_acted_goes_from_the_agent_into_training_and_export(recorded, tmp_path):
    episodes = find_episodes(recorded)
    scripted = [path for path in episodes if source_of(path) is Source.SCRIPTED
                and read_record(path).is_demonstration]  # the end may have come within one
    helped, = (path for path in episodes if source_of(path) is Source.POLICY)
    record = read_record(helped)
    assert record.is_demonstration

    with open_bag(helped) as bag:
        assert bag.topics['/arm1/actor'].type == ACTOR_TYPE
        said = [message.decode() for message in bag.messages(['/arm1/actor'])]
    own = [Actor(message.actor) for message in said if message.episode_id == record.episode_id]
    assert own[:3] == [Actor.POLICY, Actor.NOBODY, Actor.PERSON]
    assert own[3:] in ([], [Actor.NOBODY])

    dataset = read_demonstrations(recorded, SPEC, cache=tmp_path / 'cache').dataset
    assert {episode.episode_id: set(dataset.actions[dataset.episode_of == place, 0].tolist())
            for place, episode in enumerate(dataset.episodes)} == {
        helped.name: {ACTIONS['teleoperation']},
        **{path.name: {ACTIONS['scripted']} for path in scripted}}
    everything = read_demonstrations(
        recorded, SPEC, cache=tmp_path / 'cache', imitate='all').dataset
    assert len(everything.actions) >= len(dataset.actions) + 10

    chosen = episodes_of([
        Item(f'u{order}', '', order, str(bag), '/arm1/camera', 0, 0, 0, 0, 0)
        for order, bag in enumerate((scripted[0], helped))])
    write_dataset(chosen, tmp_path / 'lerobot', Settings(SPEC, fps=50, cameras={}))
    rows = pq.read_table(tmp_path / 'lerobot' / layout.DATA.format(**layout.place(0)))
    assert rows['intervention'].to_pylist() == [
        action == ACTIONS['teleoperation'] for action in rows['action'].to_pylist()]
    assert 10 <= sum(rows['intervention'].to_pylist()) < rows.num_rows - 20


def test_the_numbers_of_actors_are_those_of_the_message():
    assert {name: getattr(ActorMsg, name) for name in Actor.__members__} == dict(
        Actor.__members__)
