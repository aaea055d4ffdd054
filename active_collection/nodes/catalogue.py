# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What each node is for and how others meet it; without ROS, for --help and the documentation."""
from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal

if TYPE_CHECKING:
    from active_collection.config import Model

TRIGGER = 'std_srvs/Trigger'


@dataclass(frozen=True)
class Endpoint:
    """
    A topic, service or action of a node.

    :param name: below the robot's namespace, or absolute
    :param type: package and name; of this package, the name alone
    :param role: what the node does with it
    :param qos: name of the profile, of a topic
    """

    name: str
    type: str
    role: Literal['publishes', 'subscribes', 'serves', 'calls']
    meaning: str = ''
    qos: Literal['', 'sensor', 'state', 'latched', 'episodes', 'heartbeat'] = ''


@dataclass(frozen=True)
class NodeDescription:
    """
    A node.

    :param place: where it runs: 'each robot'
    :param model: 'module:class' of its settings
    :param more: what else it subscribes to; empty for nothing
    :param example: parameters and remappings that it may be started with
    """

    place: str
    purpose: str
    model: str
    endpoints: tuple[Endpoint, ...]
    example: str
    more: str = ''

    def settings(self) -> type[Model]:
        """Return the settings model, whose fields are the node's parameters."""
        module, _, name = self.model.partition(':')
        model: type[Model] = getattr(importlib.import_module(module), name)
        return model


def _instance(node: str) -> tuple[Endpoint, ...]:
    """Return how processes that run the same node hear of each other."""
    name = f'{node}/_instance'
    return (Endpoint(name, 'NodeInstance', 'publishes', 'that it is there', 'latched'),
            Endpoint(name, 'NodeInstance', 'subscribes', 'whether another one is', 'latched'))


NODES = {
    'recorder': NodeDescription(
        place='each robot',
        purpose='Records episodes to MCAP bags: one bounded queue, one writer thread, data on the '
                'disk at a bounded age, salvage of what a killed recorder left. An episode with '
                'losses says so.',
        model='active_collection.recording.settings:RecorderSettings',
        endpoints=(
            Endpoint('recorder/start_episode', 'StartEpisode', 'serves',
                     'starts an episode; answers when every required topic is matched'),
            Endpoint('recorder/finish_episode', 'FinishEpisode', 'serves',
                     'closes it with an outcome'),
            Endpoint('recorder/amend_episode', 'AmendEpisode', 'serves',
                     "corrects a closed episode's record"),
            Endpoint('recorder/list_episodes', 'ListEpisodes', 'serves',
                     'closed episodes that lie on the disk, in pages, from a place on'),
            Endpoint('episodes', 'Episode', 'publishes',
                     'at the start, at the end, at each amendment', 'episodes'),
            Endpoint('recorder/status', 'RecorderStatus', 'publishes',
                     '1 Hz and at every change', 'latched'),
            Endpoint('/diagnostics', 'diagnostic_msgs/DiagnosticArray', 'publishes', '1 Hz',
                     'heartbeat'),
            Endpoint('uncertainty/estimate', 'UncertaintyEstimate', 'subscribes',
                     'its summary goes into the record', 'state'),
            Endpoint('uncertainty/high_uncertainty', 'HighUncertainty', 'subscribes',
                     'which parts of an episode are kept, with `policy_parts`', 'state'),
            *_instance('recorder')),
        more='It also subscribes to what `topics`, `regex` and `exclude` choose, serialized and '
             'with the QoS that the publishers offer, and to `actor`, who acts. It is a managed '
             'node: a lifecycle manager may configure and activate it where `auto_start` is '
             'false.',
        example='-r __ns:=/arm_1 -p data_directory:=/data -p "required_topics:=[joint_states]"'),
    'uncertainty': NodeDescription(
        place='each robot',
        purpose='Scores each observation with the newest ensemble, replaces it between two '
                'observations, and refuses a bad one.',
        model='active_collection.uncertainty.settings:UncertaintySettings',
        endpoints=(
            Endpoint('uncertainty/estimate', 'UncertaintyEstimate', 'publishes',
                     'one for each observation', 'state'),
            Endpoint('uncertainty/high_uncertainty', 'HighUncertainty', 'publishes',
                     'where it begins and ends; the recorder stores it, the agent can ask for '
                     'help', 'state'),
            Endpoint('/diagnostics', 'diagnostic_msgs/DiagnosticArray', 'publishes',
                     'every `diagnostics_period_s`', 'heartbeat'),
            Endpoint('uncertainty/load_ensemble', 'LoadEnsemble', 'serves',
                     'takes a newer ensemble at once'),
            Endpoint('recorder/status', 'RecorderStatus', 'subscribes',
                     'which episode the summary is of', 'latched'),
            *_instance('uncertainty')),
        more='It also subscribes to what the description of its ensemble asks for, aligned by '
             'time stamp.',
        example='-r __ns:=/arm_1 -p ensembles:=/data/ensembles'),
    'agent': NodeDescription(
        place='each robot',
        purpose="The robot's collection loop: ask, set up, record, act, judge, report, again. It "
                'survives the loss of the scheduler and of the recorder.',
        model='active_collection.collecting.agent_settings:AgentSettings',
        endpoints=(
            Endpoint('robot_status', 'RobotStatus', 'publishes', 'renews the lease', 'heartbeat'),
            Endpoint('scenario', 'Scenario', 'publishes', 'what the robot is working on',
                     'latched'),
            Endpoint('assignment', 'Assignment', 'publishes',
                     'what the scheduler gave it last, and why', 'latched'),
            Endpoint('actor', 'Actor', 'publishes', 'who acts: policy, person, script or nobody',
                     'latched'),
            Endpoint('set_up_scenario', 'SetUpScenario', 'calls', 'action: your robot serves it'),
            Endpoint('collect_episode', 'CollectEpisode', 'calls', 'action: your robot serves it'),
            Endpoint('agent/ready', TRIGGER, 'serves',
                     'the scene is set up, or a person has taken over'),
            Endpoint('agent/success', TRIGGER, 'serves',
                     'the attempt that waits for a judgement was a success'),
            Endpoint('agent/failure', TRIGGER, 'serves', 'it was none'),
            Endpoint('agent/discard', TRIGGER, 'serves', 'it does not count'),
            Endpoint('agent/tell', 'TellRobot', 'serves',
                     'one of these words about a named attempt: nothing happens where that is '
                     'over'),
            Endpoint('agent/pause', TRIGGER, 'serves', 'the robot asks for no more work'),
            Endpoint('agent/resume', TRIGGER, 'serves', 'it asks again'),
            Endpoint('recorder/start_episode', 'StartEpisode', 'calls'),
            Endpoint('recorder/finish_episode', 'FinishEpisode', 'calls'),
            Endpoint('recorder/status', 'RecorderStatus', 'subscribes',
                     'whether the recorder lives, and what it records', 'latched'),
            Endpoint('episodes', 'Episode', 'subscribes', 'what became of its episodes',
                     'episodes'),
            Endpoint('scheduler/request_assignment', 'RequestAssignment', 'calls',
                     'its own, that the scheduler serves it'),
            Endpoint('/scheduler/release_assignment', 'ReleaseAssignment', 'calls'),
            Endpoint('scheduler/lease', 'Lease', 'subscribes', 'whether its lease still stands',
                     'latched'),
            Endpoint('uncertainty/high_uncertainty', 'HighUncertainty', 'subscribes',
                     'counts where `on_high_uncertainty` is not `ignore`', 'state'),
            Endpoint('/diagnostics', 'diagnostic_msgs/DiagnosticArray', 'publishes',
                     'while there are two agents of this robot, or two schedulers',
                     'heartbeat'),
            *_instance('agent')),
        example='-r __ns:=/arm_1 -p "collectors:=[teleoperation]" -p operator_name:=ada'),
    'scheduler': NodeDescription(
        place='one a fleet',
        purpose='Leases scenarios to robots, learns from every finished episode exactly once, and '
                'keeps all of it in a ledger that survives its own death.',
        model='active_collection.scheduling.settings:SchedulerSettings',
        endpoints=(
            Endpoint('scheduler/request_assignment', 'RequestAssignment', 'serves',
                     'a lease, or a refusal with its reason'),
            Endpoint('scheduler/release_assignment', 'ReleaseAssignment', 'serves',
                     'hands a lease back'),
            Endpoint('scheduler/steer_scenario', 'SteerScenario', 'serves',
                     'pin, ban, boost, cap, preempt, clear, for a while or for good, with a name '
                     'and a reason'),
            Endpoint('scheduler/steer_robot', 'SteerRobot', 'serves',
                     'pause, resume or drain one robot or the fleet, with a deadline, a name and '
                     'a reason'),
            Endpoint('scheduler/repeat_episode', 'RepeatEpisode', 'serves',
                     "has a robot collect an episode's scenario once more, before anything else, "
                     'with a name and a reason'),
            Endpoint('scheduler/pause', TRIGGER, 'serves', 'no new leases; running ones go on'),
            Endpoint('scheduler/resume', TRIGGER, 'serves', 'leases again'),
            Endpoint('scheduler/drain', TRIGGER, 'serves',
                     'as pause; paused when the last lease has ended'),
            Endpoint('scheduler/state', 'SchedulerState', 'publishes', '1 Hz and at every change',
                     'latched'),
            Endpoint('/diagnostics', 'diagnostic_msgs/DiagnosticArray', 'publishes', '1 Hz',
                     'heartbeat'),
            Endpoint('<robot>/scheduler/request_assignment', 'RequestAssignment', 'serves',
                     'the same for the agent of a robot alone'),
            Endpoint('<robot>/scheduler/lease', 'Lease', 'publishes',
                     'to the agent of a robot alone, at every change and at least every 5 s',
                     'latched'),
            Endpoint('<robot>/episodes', 'Episode', 'subscribes', 'of every robot that appears',
                     'episodes'),
            Endpoint('<robot>/recorder/list_episodes', 'ListEpisodes', 'calls',
                     'for what the topic has not brought'),
            Endpoint('<robot>/robot_status', 'RobotStatus', 'subscribes',
                     'of every robot that appears', 'heartbeat'),
            *_instance('scheduler')),
        example='-p space:=scenario_space.yaml -p ledger:=/data/scheduler.sqlite3'),
    'simulated_robot': NodeDescription(
        place='for the demo, tests and trials',
        purpose="A robot of Meta-World's MT10 tasks: it serves the two actions that your own "
                "robot has to serve, and acts as Meta-World's scripted expert or as the policy "
                'says through `uncertainty/estimate`.',
        model='active_collection.simulation.settings:SimulatedRobotSettings',
        endpoints=(
            Endpoint('set_up_scenario', 'SetUpScenario', 'serves', 'action'),
            Endpoint('collect_episode', 'CollectEpisode', 'serves', 'action'),
            Endpoint('joint_states', 'sensor_msgs/JointState', 'publishes', qos='state'),
            Endpoint('end_effector_pose', 'geometry_msgs/PoseStamped', 'publishes', qos='state'),
            Endpoint('gripper_state', 'sensor_msgs/JointState', 'publishes', qos='state'),
            Endpoint('object_poses', 'geometry_msgs/PoseArray', 'publishes', qos='state'),
            Endpoint('goal_pose', 'geometry_msgs/PoseStamped', 'publishes', qos='state'),
            Endpoint('action', 'sensor_msgs/JointState', 'publishes', qos='state'),
            Endpoint('camera/image_raw', 'sensor_msgs/Image', 'publishes', 'with `camera`',
                     'sensor'),
            Endpoint('camera/camera_info', 'sensor_msgs/CameraInfo', 'publishes',
                     'with `camera`', 'sensor'),
            Endpoint('uncertainty/estimate', 'UncertaintyEstimate', 'subscribes',
                     "the policy's mean action", 'state'),
            Endpoint('scenario', 'Scenario', 'subscribes', 'which task the policy is on',
                     'latched')),
        example='-r __ns:=/robot_1 -p rate_hz:=80.0'),
}
