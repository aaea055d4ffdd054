# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the launch files describe, started as they start it, with the shipped files as they are."""
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from ament_index_python.packages import get_package_prefix
from ament_index_python.packages import get_package_share_directory
from fleet_peers import Console
from fleet_peers import Rig
from fleet_peers import until
from spinner import Spinner

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.episode import Outcome
from active_collection.nodes.launching.description import fleet_processes
from active_collection.nodes.launching.description import robot_processes

PREFIX = Path(get_package_prefix('active_collection'))
CONFIG = Path(get_package_share_directory('active_collection')) / 'config'


class Launched:
    """One robot and its fleet as processes, each with a log; its actions are served here."""

    def __init__(self, path):
        self.path, self.data, self.processes = path, path / 'data', {}
        self.rig = Rig('arm_1')
        self.rig.environment = ''
        self.console = Console()
        self.spinner = Spinner(self.rig, self.console)
        data = str(self.data)
        for node in (
                *robot_processes(robot='arm_1', data=data, ensembles=f'{data}/ensembles',
                                 scheduler='/scheduler', config=str(CONFIG)),
                *fleet_processes(data=data, space=str(CONFIG / 'scenario_space.yaml'),
                                 config=str(CONFIG))):
            with (path / f'{node.executable}.log').open('wb') as log:
                self.processes[node.executable] = subprocess.Popen(
                    node.command(PREFIX), stdout=log, stderr=log, env=os.environ.copy())

    @property
    def episodes(self):
        return self.console.state.episodes if self.console.state else 0

    def logs(self):
        return {name: (self.path / f'{name}.log').read_text() for name in self.processes}

    def close(self):
        self.rig.let_go()
        self.spinner.close()
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def launched(ros, tmp_path):
    (tmp_path / 'data').mkdir()
    one = Launched(tmp_path)
    yield one
    one.close()


def test_the_shipped_files_give_a_robot_work_and_end_in_order_though_all_at_once(launched):
    until(lambda: launched.episodes >= 2, 90, 'two episodes')
    launched.rig.act.clear()
    goals = len(launched.rig.goals)
    until(lambda: len(launched.rig.goals) > goals, what='an attempt at work')

    for process in launched.processes.values():
        process.send_signal(signal.SIGINT)
    statuses = {name: process.wait(timeout=60) for name, process in launched.processes.items()}

    logs = launched.logs()
    assert set(statuses.values()) == {0}, logs
    assert all('Traceback' not in log and 'never retrieved' not in log for log in logs.values())
    records = {record.episode_id: record for record in map(
        read_record, find_episodes(launched.data)) if record}
    assert sum(record.outcome is Outcome.SUCCESS for record in records.values()) >= 2
    last = records[launched.rig.goals[-1].episode_id]
    assert last.outcome is Outcome.ABORTED
    assert 'handed back' not in logs['agent'], 'an episode that is recorded is not given up'
    assert {record.robot for record in records.values()} == {'arm_1'}
