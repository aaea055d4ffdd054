# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The fleet's scheduler: one for all robots, on any machine that they can reach."""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare


def generate_launch_description():
    """Describe the scheduler; it finds the robots by itself."""
    return LaunchDescription([
        DeclareLaunchArgument('data', description='data directory; holds scheduler.sqlite3'),
        DeclareLaunchArgument('space', description='YAML file of the scenario space'),
        DeclareLaunchArgument(
            'config',
            default_value=PathJoinSubstitution([FindPackageShare('active_collection'), 'config']),
            description='directory with scheduler.yaml'),
        Node(
            package='active_collection',
            executable='scheduler',
            parameters=[
                PathJoinSubstitution([LaunchConfiguration('config'), 'scheduler.yaml']),
                {
                    'ledger': [LaunchConfiguration('data'), '/scheduler.sqlite3'],
                    'space': LaunchConfiguration('space'),
                },
            ],
            output='screen',
        ),
    ])
