# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Names that may become paths, topics and file names; robots and their ROS namespaces."""
from __future__ import annotations

import re

from active_collection.errors import InvalidNameError

PATTERN = re.compile(r'[A-Za-z0-9_.-]{1,64}')
#: A part of a ROS namespace.
_TOKEN = re.compile(r'[A-Za-z_][A-Za-z0-9_]*')


def is_safe_name(name: object) -> bool:
    """Tell whether a name can be a path component: [A-Za-z0-9_.-]{1,64}, not '.' or '..'."""
    return (isinstance(name, str) and PATTERN.fullmatch(name) is not None
            and name not in {'.', '..'})


def check_name(name: object, what: str) -> str:
    """
    Return the name if it is safe as a path component.

    :param name: the name, from a file or a network peer
    :param what: what it names, for the message: 'episode_id'
    :raises InvalidNameError: where it is not
    """
    if isinstance(name, str) and is_safe_name(name):
        return name
    raise InvalidNameError(
        what, found=repr(name), expected="1 to 64 of A-Z a-z 0-9 _ . - (and not '.' or '..')")


def robot_of(namespace: str) -> str:
    """
    Return the robot of a ROS namespace, '/cell_3/arm_1' is 'cell_3.arm_1'; '/' is ''.

    Each robot has one namespace and each namespace one robot: no ROS name has a dot.
    """
    return namespace.strip('/').replace('/', '.')


def namespace_of(robot: str) -> str:
    """Return the ROS namespace of a robot, 'cell_3.arm_1' is in '/cell_3/arm_1'; '' is in '/'."""
    return '/' + robot.replace('.', '/')


def at_robot(robot: str, node: str) -> str:
    """
    Return where a node of the fleet serves one robot: '/scheduler' serves at '/arm_1/scheduler'.

    :param node: its full name
    """
    return namespace_of(robot).rstrip('/') + node


def namespace_meant(text: str, what: str) -> str:
    """
    Return the ROS namespace of a robot, however a person writes it: '/cell_3/arm_1'.

    :param text: arm_1, /arm_1, cell_3/arm_1 or cell_3.arm_1
    :param what: what it is, for the message: 'argument robot'
    :raises InvalidNameError: where no robot can be in it
    """
    namespace = namespace_of(text.strip('/'))
    if not all(map(_TOKEN.fullmatch, namespace[1:].split('/'))):
        raise InvalidNameError(
            what, found=repr(text),
            expected='a ROS namespace, arm_1 or cell_3/arm_1: letters, digits and _, and no digit '
                     'first')
    check_robot_of(namespace)
    return namespace


def check_robot_of(namespace: str) -> str:
    """
    Return the robot of a ROS namespace.

    :raises InvalidNameError: where it is the root, or its name is too long
    """
    if not namespace.strip('/'):
        raise InvalidNameError(
            'namespace (the robot)', found=repr(namespace),
            expected="the robot's own: -r __ns:=/arm_1, in a launch file namespace='arm_1'")
    return check_name(robot_of(namespace), f'namespace {namespace} (the robot)')
