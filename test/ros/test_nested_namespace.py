# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot in a nested namespace has one name in every node: with dots for slashes."""
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from agent_setting import FAST
from agent_setting import Setting
from diagnostic_msgs.msg import DiagnosticArray
from fleet_peers import Rig
from fleet_peers import until
from rclpy.node import Node

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.nodes import qos
from active_collection.nodes.conversions import time_to_ns

SPACE = """
format: 1
tasks: {push: {}}
environments: {cell: {robots: [cell_3.arm_1]}}
robots: {cell_3.arm_1: {}}
"""


class Diagnostics(Node):
    """The hardware that each node of a robot speaks of on /diagnostics."""

    def __init__(self):
        super().__init__('diagnostics_listener')
        self.hardware = {}
        self.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.DIAGNOSTICS)

    def _on_diagnostics(self, message):
        for status in message.status:
            if status.name.startswith('/scheduler'):
                continue  # it is no robot's
            self.hardware[status.name.rpartition('/')[2]] = status.hardware_id


def test_a_robot_in_a_nested_namespace_collects_under_its_one_name(ros, tmp_path):
    namespace, robot, data = 'cell_3/arm_1', 'cell_3.arm_1', tmp_path / 'data'
    rig = Rig(namespace)
    rig.act.clear()
    setting = Setting(tmp_path, space=SPACE, robot=rig)
    diagnostics = Diagnostics()
    setting.spinner.add(diagnostics)
    try:
        setting.start('recorder', namespace=namespace, data_directory=data, disk_reserve_bytes=0)
        setting.start('uncertainty', namespace=namespace, diagnostics_period_s=0.2)
        setting.start_scheduler()
        setting.start('agent', namespace=namespace, **FAST)

        lease, = until(lambda: setting.state.assignments)
        until(lambda: [later for later in setting.state.assignments
                       if time_to_ns(later.deadline) > time_to_ns(lease.deadline)])
        rig.act.set()
        until(lambda: setting.state.episodes >= 1)
        until(lambda: len(diagnostics.hardware) >= 2)

        assert lease.robot == robot
        assert set(diagnostics.hardware.values()) == {robot}
        records = [read_record(path) for path in find_episodes(data)]
        assert {record.robot for record in records if record} == {robot}
    finally:
        setting.close()
