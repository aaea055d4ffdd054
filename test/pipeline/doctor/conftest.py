# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A computer, a data directory and a robot with which all is well, for a test to spoil."""
from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from spoiling import EPISODE_NS
from spoiling import JOINTS
from spoiling import NOW_S
from spoiling import ROOT
from spoiling import SMALL_SPACE
from spoiling import endpoint

from active_collection.collecting.agent_settings import AgentSettings
from active_collection.config import parse
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.pipeline.doctor.kernel_clock import KernelClock
from active_collection.pipeline.doctor.sighting import Diagnostic
from active_collection.pipeline.doctor.sighting import Level
from active_collection.pipeline.doctor.sighting import NodeSeen
from active_collection.pipeline.doctor.sighting import ObservationsSeen
from active_collection.pipeline.doctor.sighting import SchedulerSeen
from active_collection.pipeline.doctor.sighting import Sighting
from active_collection.pipeline.doctor.sighting import Told
from active_collection.pipeline.doctor.sighting import TopicSeen
from active_collection.pipeline.doctor.subjects import DataDirectory
from active_collection.pipeline.doctor.subjects import Machine
from active_collection.pipeline.doctor.subjects import Robot
from active_collection.recording.definitions import Definition
from active_collection.recording.episode_recorder import EpisodeRecorder
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.open_episode import StartRequest
from active_collection.recording.qos import Qos
from active_collection.recording.recorder_state import Environment
from active_collection.recording.settings import RecorderSettings
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace


@pytest.fixture
def machine(tmp_path):
    """Give a computer with ROS 2 Kilted, whose /proc, /sys and /dev are files of the test."""
    root, prefix = tmp_path / 'root', tmp_path / 'opt'
    for path, text in {
            'proc/sys/net/core/rmem_max': '67108864\n',
            'proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n',
            'sys/class/net/eth0/flags': '0x1003\n', 'sys/class/net/lo/flags': '0x9\n'}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / 'dev' / 'shm').mkdir(parents=True)
    share = prefix / 'share'
    installed = share / 'ament_index' / 'resource_index' / 'rmw_typesupport'
    installed.mkdir(parents=True)
    for name in ('rmw_fastrtps_cpp', 'rmw_implementation'):
        (installed / name).write_text('')
    (share / 'active_collection' / 'config').mkdir(parents=True)
    shutil.copy(ROOT / 'package.xml', share / 'active_collection')
    profile = shutil.copy(
        ROOT / 'config' / 'fastdds.xml', share / 'active_collection' / 'config')
    return Machine(
        {'ROS_DISTRO': 'kilted', 'AMENT_PREFIX_PATH': f'/nowhere:{prefix}', 'ROS_DOMAIN_ID': '7',
         'FASTDDS_DEFAULT_PROFILES_FILE': str(profile)},
        root=root, now_s=lambda: NOW_S, kernel_clock=lambda: KernelClock(True, 0.002))


@pytest.fixture
def data(tmp_path):
    """Give a data directory in which nothing has been recorded yet, and a small reserve."""
    path = tmp_path / 'data'
    path.mkdir()
    return DataDirectory(
        path, RecorderSettings(data_directory=str(path), disk_reserve_bytes=2**20),
        ensembles=path / 'ensembles', robot='arm_1', now_s=lambda: NOW_S)


@pytest.fixture
def record(data):
    """Give a function that records an episode of so many bytes into the data directory."""
    clock = [EPISODE_NS]
    recorder = EpisodeRecorder(
        data.settings, robot='arm_1', publish=lambda event: None,
        environment=Environment(ros_ns=lambda: clock[0], monotonic=lambda: clock[0] / 1e9))

    def make(episode_id, *, size=10_000, seconds=10.0):
        recorder.intake.add_topic(Topic('/arm_1/a', Definition('std_msgs/msg/String'), (Qos(),)))
        recorder.start(StartRequest(Scenario.of('push', 'cell', {}), Source.SCRIPTED, episode_id))
        recorder.intake.receive(Message('/arm_1/a', clock[0], clock[0], 0, b'', bytes(size)))
        clock[0] += round(seconds * 1e9)
        recorder.finish(episode_id, outcome=Outcome.SUCCESS)
        return recorder.store.find(episode_id)

    yield make
    recorder.shut_down()


@pytest.fixture
def robot():
    """Give a robot with which all is well."""
    names = {'recorder': '/arm_1/recorder', 'uncertainty': '/arm_1/uncertainty',
             'agent': '/arm_1/agent', 'scheduler': '/scheduler'}
    joints = TopicSeen(name='/arm_1/joints', publishers=(endpoint('/arm_1/driver'),),
                       subscriptions=(endpoint('/arm_1/recorder'),))
    sighting = Sighting(
        robot='/arm_1', middleware='rmw_fastrtps_cpp', namespaces=('/', '/arm_1'),
        nodes={key: NodeSeen(name=name, count=1, parameters={'use_sim_time': False},
                             lifecycle='active' if key == 'recorder' else '')
               for key, name in names.items()},
        topics=(joints, TopicSeen(name='/arm_1/scenario', publishers=(
            endpoint('/arm_1/agent', durability='transient_local'),))),
        actions={'/arm_1/set_up_scenario': 'active_collection/action/SetUpScenario',
                 '/arm_1/collect_episode': 'active_collection/action/CollectEpisode'},
        listened_s=4.0, heard=(JOINTS,), required=('/arm_1/joints',), listed=('/arm_1/joints',),
        rates={'/arm_1/joints': 50.0},
        diagnostics=(Diagnostic(name='/arm_1/recorder: episodes', level=Level.OK),
                     Diagnostic(name='/arm_1/uncertainty', level=Level.OK)),
        told=Told(recorder=('IDLE', ''), agent=('IDLE', ''),
                  scheduler=SchedulerSeen(state='RUNNING')),
        observations=ObservationsSeen(
            ensemble='/data/ensembles/e1', latched=('/arm_1/scenario',), made=200))
    return Robot(sighting, RecorderSettings(), AgentSettings(),
                 parse(SMALL_SPACE, ScenarioSpace, where='space.yaml'), distro='kilted')


class Mounted:
    """A small file system in memory, mounted for a test."""

    def __init__(self, place, options):
        self.place = place
        place.mkdir()
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', str(place)],
                              capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f'no file system can be mounted here: {done.stderr.strip()}')

    def close(self):
        subprocess.run(['umount', '-l', str(self.place)], check=True)


@pytest.fixture
def mounted(tmp_path):
    made = []

    def mount(options):
        made.append(Mounted(tmp_path / f'mount_{len(made)}', options))
        return made[-1].place

    yield mount
    for each in made:
        each.close()
