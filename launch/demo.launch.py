# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The nodes of the demo: two simulated robots, their recorders and agents, and the scheduler."""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.actions import IncludeLaunchDescription
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

ROBOTS = ('robot_1', 'robot_2')


def generate_launch_description():
    """Describe what `make demo` starts, without its training and its report."""
    share = FindPackageShare('active_collection')
    data = LaunchConfiguration('data')
    launch = PathJoinSubstitution([share, 'launch'])
    simulated = [
        Node(
            package='active_collection',
            executable='simulated_robot',
            namespace=robot,
            parameters=[PathJoinSubstitution([share, 'config', 'simulated_robot.yaml'])],
            output='screen',
        )
        for robot in ROBOTS
    ]
    robots = [
        IncludeLaunchDescription(
            PathJoinSubstitution([launch, 'robot.launch.py']),
            launch_arguments={'robot': robot, 'data': data}.items(),
        )
        for robot in ROBOTS
    ]
    fleet = IncludeLaunchDescription(
        PathJoinSubstitution([launch, 'fleet.launch.py']),
        launch_arguments={
            'data': data,
            'space': PathJoinSubstitution([share, 'config', 'metaworld_mt10.yaml']),
        }.items(),
    )
    return LaunchDescription([
        DeclareLaunchArgument('data', description='data directory of the demo'),
        *simulated,
        *robots,
        fleet,
    ])
