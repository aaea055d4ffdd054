# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
One robot: recorder, uncertainty and agent in the robot's namespace.

ros2 launch active_collection robot.launch.py robot:=arm_1 data:=/data

A node that dies is started again, up to five times within two minutes; one that a mistake in a
parameter or a file stops (exit status 2) is not. The robot's own drivers, with the two actions
that the agent asks for, are started beside it.
"""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration

from active_collection.nodes.launching.actions import common_arguments
from active_collection.nodes.launching.actions import start
from active_collection.nodes.launching.description import robot_processes


def generate_launch_description():
    """Describe the nodes of one robot; each reads its own YAML of the directory `config`."""
    return LaunchDescription([
        DeclareLaunchArgument(
            'robot',
            description='the robot: its namespace, which may be nested, arm_1 or cell_3/arm_1; '
                        'the scenario space calls these robots arm_1 and cell_3.arm_1'),
        DeclareLaunchArgument(
            'data', description='data directory: episodes are recorded below it'),
        DeclareLaunchArgument(
            'ensembles', default_value=[LaunchConfiguration('data'), '/ensembles'],
            description='directory of trained ensembles; it may be missing at first'),
        DeclareLaunchArgument(
            'scheduler', default_value='/scheduler',
            description="the scheduler's full name; it may run on another machine"),
        *common_arguments('recorder.yaml, uncertainty.yaml and agent.yaml'),
        start(robot_processes),
    ])
