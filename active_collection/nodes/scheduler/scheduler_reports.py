# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What keeps a scheduler from its work: on /diagnostics, and once in the log."""
from __future__ import annotations

import time

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
from rclpy.node import Node

from active_collection.nodes import qos
from active_collection.nodes.news import News


class SchedulerReports:
    """Tells what a scheduler's node looks at once a second."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
        self._said = News()
        self._since_s: float | None = None

    def tell(self, *, trouble: str, waiting: int, clocks: str) -> None:
        """
        Tell how things stand.

        :param trouble: why the ledger cannot be used; empty where it can
        :param waiting: episodes that cannot be counted because of it
        :param clocks: whose clocks are off; empty for nobody's
        """
        array = DiagnosticArray(status=[
            self._of_ledger(trouble, waiting), self._of_clocks(clocks)])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)

    def _of_ledger(self, trouble: str, waiting: int) -> DiagnosticStatus:
        away_s = 0.0
        if trouble:
            if self._since_s is None:
                self._since_s = time.monotonic()
            away_s = time.monotonic() - self._since_s
            if self._said.is_new('ledger', trouble):
                self._node.get_logger().error(
                    f'nobody gets work and nothing is counted: {trouble}')
        elif self._since_s is not None:
            self._node.get_logger().info('the ledger can be used again')
            self._since_s = None
            self._said.forget('ledger')
        return DiagnosticStatus(
            level=DiagnosticStatus.ERROR if trouble else DiagnosticStatus.OK,
            name=f'{self._node.get_fully_qualified_name()}: ledger',
            message=trouble or 'in use',
            values=[KeyValue(key='unusable for', value=f'{away_s:.0f} s'),
                    KeyValue(key='episodes that wait', value=str(waiting))])

    def _of_clocks(self, clocks: str) -> DiagnosticStatus:
        if self._said.is_new('clocks', bool(clocks)) and clocks:
            self._node.get_logger().warning(clocks)
        return DiagnosticStatus(
            level=DiagnosticStatus.WARN if clocks else DiagnosticStatus.OK,
            name=f'{self._node.get_fully_qualified_name()}: clocks',
            message=clocks or "no robot's clock is off")
