# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Ask nodes for their parameters and their lifecycle, all at once."""
from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters
from rcl_interfaces.srv import ListParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python

from active_collection.collecting.collection_robot import UnavailableError
from active_collection.nodes.calls import Calls
from active_collection.pipeline.doctor.sighting import NodeSeen

#: How long an answer may take (s). A node that is well answers in some milliseconds.
ANSWER_S = 1.5


class Questions:
    """
    Asks through services.

    :param node: spins in another thread
    """

    def __init__(self, node: Node, calls: Calls) -> None:
        self._node = node
        self._calls = calls

    def ask(self, nodes: Mapping[str, tuple[str, int]]) -> dict[str, NodeSeen]:
        """
        Return what is known of nodes.

        :param nodes: key to full name and how many have it
        """
        with ThreadPoolExecutor(max(1, len(nodes))) as pool:
            seen = pool.map(lambda item: self._ask(*item), nodes.values())
        return dict(zip(nodes, seen, strict=True))

    def _ask(self, name: str, count: int) -> NodeSeen:
        if not count:
            return NodeSeen(name=name)
        try:
            parameters = self._parameters(name)
        except UnavailableError:
            return NodeSeen(name=name, count=count)
        return NodeSeen(name=name, count=count, parameters=parameters,
                        lifecycle=self._lifecycle(name))

    def _parameters(self, name: str) -> dict[str, Any]:
        listed = self._call(ListParameters, f'{name}/list_parameters', ListParameters.Request())
        names = list(listed.result.names)
        got = self._call(
            GetParameters, f'{name}/get_parameters', GetParameters.Request(names=names))
        values = map(parameter_value_to_python, got.values)
        return {key: value if value is None or isinstance(value, (bool, int, float, str))
                else list(value) for key, value in zip(names, values, strict=True)}

    def _lifecycle(self, name: str) -> str:
        """Return a managed node's state; empty of any other node."""
        services = dict(self._node.get_service_names_and_types())
        if f'{name}/get_state' not in services:
            return ''
        try:
            return str(self._call(GetState, f'{name}/get_state',
                                  GetState.Request()).current_state.label)
        except UnavailableError:
            return ''

    def _call(self, kind: Any, service: str, request: Any) -> Any:
        client = self._node.create_client(kind, service)
        try:
            return self._calls.service(client, request, timeout_s=ANSWER_S)
        finally:
            self._node.destroy_client(client)
