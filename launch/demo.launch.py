# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
The nodes of the demo: two simulated robots, their recorders and agents, and the scheduler.

ros2 launch active_collection demo.launch.py data:=/tmp/demo

What `ros2 run active_collection demo` starts, without its training and its report.
"""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from active_collection.nodes.launching.actions import common_arguments
from active_collection.nodes.launching.actions import start
from active_collection.nodes.launching.description import fleet_processes
from active_collection.nodes.launching.description import robot_processes
from active_collection.nodes.launching.description import simulated_processes

ROBOTS = ('robot_1', 'robot_2')


def generate_launch_description():
    """Describe the demo's nodes; each reads its own YAML of the directory `config`."""
    share = FindPackageShare('active_collection')
    return LaunchDescription([
        DeclareLaunchArgument('data', description='data directory of the demo'),
        DeclareLaunchArgument(
            'ensembles', default_value=[LaunchConfiguration('data'), '/ensembles'],
            description='directory of trained ensembles; it may be missing at first'),
        DeclareLaunchArgument(
            'scheduler', default_value='/scheduler', description="the scheduler's full name"),
        DeclareLaunchArgument(
            'space', default_value=PathJoinSubstitution([share, 'config', 'metaworld_mt10.yaml']),
            description='YAML file of the scenario space'),
        *common_arguments('a YAML file for each node'),
        *(start(simulated_processes, robot=robot) for robot in ROBOTS),
        *(start(robot_processes, robot=robot) for robot in ROBOTS),
        start(fleet_processes),
    ])
