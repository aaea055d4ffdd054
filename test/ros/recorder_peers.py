# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What surrounds a recorder: recorders in processes of their own, and a client of theirs."""
from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from active_collection.msg import Episode
from active_collection.msg import RecorderStatus
from active_collection.msg import Scenario
from active_collection.srv import AmendEpisode
from active_collection.srv import FinishEpisode
from active_collection.srv import StartEpisode
from ament_index_python.packages import get_package_prefix
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from lifecycle_msgs.srv import GetState
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy
from rclpy.qos import QoSProfile
from rosbags.rosbag2 import Reader
from spinner import Spinner

from active_collection.nodes import qos

DEADLINE_S = 60.0
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
TRANSITIONS = {
    'configure': Transition.TRANSITION_CONFIGURE, 'activate': Transition.TRANSITION_ACTIVATE,
    'deactivate': Transition.TRANSITION_DEACTIVATE, 'cleanup': Transition.TRANSITION_CLEANUP,
    'shutdown': Transition.TRANSITION_ACTIVE_SHUTDOWN}


class Peer(Node):
    """A client of a recorder's services that hears what it publishes."""

    def __init__(self, namespace):
        super().__init__('peer', namespace=namespace)
        self.episodes, self.statuses, self.diagnostics = [], [], []
        self.create_subscription(Episode, 'episodes', self.episodes.append, qos.EPISODES)
        self.create_subscription(
            RecorderStatus, 'recorder/status', self.statuses.append, qos.LATCHED)
        self.create_subscription(DiagnosticArray, '/diagnostics', self.diagnostics.append, 10)
        self.clients_ = {
            kind: self.create_client(kind, f'recorder/{name}') for kind, name in (
                (StartEpisode, 'start_episode'), (FinishEpisode, 'finish_episode'),
                (AmendEpisode, 'amend_episode'), (ChangeState, 'change_state'),
                (GetState, 'get_state'))}

    def call(self, kind, **fields):
        assert self.clients_[kind].wait_for_service(DEADLINE_S), 'no recorder'
        done = threading.Event()
        future = self.clients_[kind].call_async(kind.Request(**fields))
        future.add_done_callback(lambda _: done.set())
        assert done.wait(DEADLINE_S), f'no answer from {kind.__name__}'
        return future.result()

    def start(self, episode_id='', **fields):
        return self.call(StartEpisode, **{
            'episode_id': episode_id, 'source': 'scripted',
            'scenario': Scenario(task='pick', environment='lab'), **fields})

    def finish(self, episode_id, outcome=Episode.SUCCESS, **fields):
        return self.call(FinishEpisode, episode_id=episode_id, outcome=outcome, **fields)

    def change_state(self, transition):
        """Ask for a transition, and tell whether it succeeded."""
        return self.call(
            ChangeState, transition=Transition(id=TRANSITIONS[transition])).success

    def state(self):
        return self.call(GetState).current_state.label

    def complaints(self):
        """Return what /diagnostics has said so far, with its level."""
        return [(ord(status.level) if isinstance(status.level, bytes) else status.level,
                 status.message)
                for array in list(self.diagnostics) for status in array.status]


def wait_for(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, (
            f'waited in vain for {what() if callable(what) else what}')
        time.sleep(0.01)


def end_with_parent():
    """See that a test that is killed leaves no recorder behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@contextmanager
def spinning_peer(name, below=''):
    """Give a peer in a namespace made of a test's name."""
    node = Peer(f'{below}/r{abs(hash(name)) % 10**8}')
    with Spinner(node, threads=1):
        yield node


@contextmanager
def recorders(peer, data, program=None):
    """
    Give a function that starts a recorder; whatever still runs at the end is ended.

    :param program: Python file and arguments to run in place of the installed executable
    """
    processes = []

    def start(**parameters):
        executable = Path(get_package_prefix('active_collection'),
                          'lib', 'active_collection', 'recorder')
        run = program or [str(executable)]
        values = {'data_directory': data, 'disk_reserve_bytes': 0, **parameters}
        command = [sys.executable, *run, '--ros-args',
                   '-r', f'__ns:={peer.get_namespace()}']
        for name, value in values.items():
            command += ['-p', f'{name}:={value}']
        processes.append(subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=end_with_parent))  # noqa: PLW1509
        return processes[-1]

    try:
        yield start
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            if not process.stdout.closed:
                print(process.communicate()[0])


def stored(path):
    """Return (topic, connection, bytes) of every message of a bag."""
    with Reader(path) as reader:
        return [(c.topic, c, bytes(raw)) for c, _, raw in reader.messages()]
