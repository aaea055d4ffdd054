# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A scheduler and an agent as processes, with the agent's peers served here."""
import rclpy
from active_collection.msg import SchedulerState
from fleet_peers import SPACE
from fleet_peers import Console
from fleet_peers import Peers
from fleet_peers import Process
from spinner import Spinner

from active_collection.scheduling.events import Ended
from active_collection.scheduling.ledger.ledger import LedgerReader

FAST = {'retry_s': 0.3, 'answer_s': 4.0, 'heartbeat_s': 0.3, 'recorder_silence_s': 1.5}


class Setting:
    """
    One robot, arm1, and what is around it.

    :param path: directory for the ledger and the logs
    :param robot: serves the robot's actions; None: `Peers`, which are its recorder too
    :param actions: how the robot's actions are named
    """

    def __init__(self, path, *, space=SPACE, robot=None, **actions):
        self.path = path
        self.space = path / 'space.yaml'
        self.space.write_text(space)
        self.processes = []
        self.peers = robot or Peers('arm1', **actions)
        self.console = Console()
        self.spinner = Spinner(self.peers, self.console)

    @property
    def state(self):
        """Return the scheduler's last state; an empty one before it was heard."""
        return self.console.state or SchedulerState()

    def records(self):
        return list(self.peers.closed.values())

    def handed_back(self):
        """Return how each lease ended that gave no episode."""
        with LedgerReader(self.path / 'ledger.sqlite3') as reader:
            return [entry.event for entry in reader.entries(kinds=(Ended.kind,))]

    def start_scheduler(self, **parameters):
        return self.start('scheduler', space=self.space, ledger=self.path / 'ledger.sqlite3',
                          retry_after_s=0.3, **parameters)

    def start_agent(self, **parameters):
        return self.start('agent', namespace='arm1', **{**FAST, **parameters})

    def start(self, name, **parameters):
        process = Process(name, log=self.path / f'{name}.log', **parameters)
        self.processes.append(process)
        return process

    def log(self, name):
        return (self.path / f'{name}.log').read_text()

    def close(self):
        self.peers.let_go()  # a failed test may leave an attempt that nobody ends
        # Before its peers are killed: Fast DDS sometimes crashes where it takes down a participant
        # that is about to find others gone.
        self.spinner.close()
        for process in self.processes:
            process.close()
        # A context of its own for each test: no thread of this one's executor lives on in it.
        rclpy.try_shutdown()
        rclpy.init()
