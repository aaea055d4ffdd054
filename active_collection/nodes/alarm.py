# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A fault that lasts: one line in the log, an ERROR on /diagnostics for as long as it holds."""
from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node

from active_collection.names import robot_of
from active_collection.nodes import qos


class Alarm:
    """
    One fault of a node, which is there or not.

    :param subject: what it is about, behind the node's name: 'one of its name'
    """

    def __init__(self, node: Node, subject: str) -> None:
        self._node = node
        self._subject = subject
        self._line = ''
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)

    @property
    def line(self) -> str:
        """Return what is wrong; empty where nothing is."""
        return self._line

    def tell(self, line: str) -> None:
        """
        Tell what is wrong, again and again for as long as it is; empty where nothing is.

        To be called about once a second while something is: a status that is not told any more
        counts as stale.
        """
        if line and not self._line:
            self._node.get_logger().error(line)
        elif self._line and not line:
            self._node.get_logger().info(f'over: {self._line}')
        if line or self._line:
            self._publish(line)
        self._line = line

    def _publish(self, line: str) -> None:
        array = DiagnosticArray(status=[DiagnosticStatus(
            level=DiagnosticStatus.ERROR if line else DiagnosticStatus.OK,
            name=f'{self._node.get_fully_qualified_name()}: {self._subject}',
            hardware_id=robot_of(self._node.get_namespace()), message=line or 'over')])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)
