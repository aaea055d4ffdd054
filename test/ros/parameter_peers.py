# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A client of a node's parameters, as `ros2 param` is one."""
from __future__ import annotations

import threading

from rcl_interfaces.msg import ParameterType
from rclpy.parameter import Parameter
from rclpy.parameter import parameter_value_to_python
from rclpy.parameter_client import AsyncParameterClient

DEADLINE_S = 60.0


class Parameters:
    """
    The parameters of a node.

    :param peer: a node that spins
    :param name: the node's name, relative to the peer's namespace or absolute
    """

    def __init__(self, peer, name):
        self._client = AsyncParameterClient(peer, name)
        assert self._client.wait_for_services(DEADLINE_S), f'no parameters of {name}'

    def set(self, name, value):
        """Set one; return why it was refused, empty where it was not."""
        [result] = self.set_each({name: value})
        return result

    def set_each(self, values):
        """Set some one after the other; return why each was refused."""
        results = self._answer(self._client.set_parameters(self._made(values))).results
        return ['' if r.successful else r.reason or 'refused' for r in results]

    def set_together(self, values):
        """Set all or none; return why they were refused."""
        result = self._answer(self._client.set_parameters_atomically(self._made(values))).result
        return '' if result.successful else result.reason or 'refused'

    def get(self, name):
        [value] = self._answer(self._client.get_parameters([name])).values
        return parameter_value_to_python(value)

    def type(self, name):
        [kind] = self._answer(self._client.get_parameter_types([name])).types
        names = {getattr(ParameterType, n): n for n in dir(ParameterType) if n.startswith('PAR')}
        return names[kind].removeprefix('PARAMETER_')

    def names(self):
        return self._answer(self._client.list_parameters([], 0)).result.names

    def describe(self, name):
        [descriptor] = self._answer(self._client.describe_parameters([name])).descriptors
        return descriptor

    @staticmethod
    def _made(values):
        return [value if isinstance(value, Parameter) else Parameter(name, value=value)
                for name, value in values.items()]

    @staticmethod
    def _answer(future):
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        assert done.wait(DEADLINE_S), 'no answer'
        return future.result()
