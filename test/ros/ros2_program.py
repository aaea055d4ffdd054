# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
The part of `ros2` that the documentation uses, for tests: ros2cli and launch are on no PyPI.

`launch` starts what our launch files start, with their arguments. Stricter than `ros2`: a service
whose answer refuses ends with status 1.
"""
from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import rclpy
import yaml
from ament_index_python.packages import get_package_prefix
from ament_index_python.packages import get_package_share_directory
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.qos import ReliabilityPolicy

from active_collection.nodes.launching import description

PATIENCE_S = 60.0


def launch(arguments: list[str]) -> int:
    """Start the nodes of a launch file; Ctrl-C is theirs, and this ends when they have."""
    package, file, *given = arguments
    values = dict(argument.split(':=', 1) for argument in given)
    values.setdefault('config', str(Path(get_package_share_directory(package)) / 'config'))
    if file == 'robot.launch.py':
        values.setdefault('ensembles', f'{values["data"]}/ensembles')
        values.setdefault('scheduler', '/scheduler')
        nodes = description.robot_processes(**values)
    else:
        nodes = description.fleet_processes(**values)
    signal.signal(signal.SIGINT, lambda *_: None)
    prefix = Path(get_package_prefix(package))
    started = [subprocess.Popen(node.command(prefix)) for node in nodes]
    return max(process.wait() for process in started)


def run(arguments: list[str]) -> int:
    """Become an executable of the package."""
    package, executable, *rest = arguments
    path = Path(get_package_prefix(package)) / 'lib' / package / executable
    os.execv(sys.executable, [sys.executable, str(path), *rest])


def service_call(node: rclpy.node.Node, arguments: list[str]) -> int:
    """Call a service and print the answer."""
    name, kind, *text = arguments
    package, _, short = kind.split('/')
    service = getattr(importlib.import_module(f'{package}.srv'), short)
    request = service.Request()
    _fill(request, yaml.safe_load(text[0]) if text else {})
    response = _answer(node, node.create_client(service, name), request)
    print(response)
    refused = (getattr(response, 'code', 0) or not getattr(response, 'accepted', True)
               or not getattr(response, 'success', True) or not getattr(response, 'loaded', True))
    return int(bool(refused))


def param_set(node: rclpy.node.Node, arguments: list[str]) -> int:
    """Set a parameter; print why it is refused."""
    of, name, text = arguments
    parameter = Parameter(name, value=yaml.safe_load(text)).to_parameter_msg()
    client = node.create_client(SetParameters, f'{of}/set_parameters')
    result, = _answer(node, client, SetParameters.Request(parameters=[parameter])).results
    print('Set parameter successful' if result.successful else result.reason)
    return int(not result.successful)


def topic_echo(node: rclpy.node.Node, arguments: list[str]) -> int:
    """Print one message of a topic, whose type its publishers say."""
    name = arguments[-1]
    publishers = _until(node, lambda: node.get_publishers_info_by_topic(name))
    package, _, short = publishers[0].topic_type.split('/')
    reliable = all(p.qos_profile.reliability == ReliabilityPolicy.RELIABLE for p in publishers)
    profile = QoSProfile(
        depth=1, durability=publishers[0].qos_profile.durability,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT)
    received: list[object] = []
    node.create_subscription(
        getattr(importlib.import_module(f'{package}.msg'), short), name, received.append, profile)
    print(_until(node, lambda: received)[0])
    return 0


def _fill(message: object, values: dict) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            _fill(getattr(message, name), value)
        else:
            setattr(message, name, value)


def _answer(node: rclpy.node.Node, client, request) -> object:
    if not client.wait_for_service(PATIENCE_S):
        raise SystemExit(f'{client.srv_name}: not there after {PATIENCE_S:g} s')
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=PATIENCE_S)
    return future.result()


def _until(node: rclpy.node.Node, look) -> list:
    clock = node.get_clock()
    end = clock.now().nanoseconds + PATIENCE_S * 1e9
    while not (found := look()):
        if clock.now().nanoseconds > end:
            raise SystemExit(f'nothing after {PATIENCE_S:g} s')
        rclpy.spin_once(node, timeout_sec=0.1)
    return list(found)


def main(arguments: list[str]) -> int:
    if arguments[0] == 'launch':
        return launch(arguments[1:])
    if arguments[0] == 'run':
        return run(arguments[1:])
    verbs = {('service', 'call'): service_call, ('param', 'set'): param_set,
             ('topic', 'echo'): topic_echo}
    rclpy.init()
    node = rclpy.create_node(f'ros2_{os.getpid()}')
    try:
        return verbs[tuple(arguments[:2])](node, arguments[2:])
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
