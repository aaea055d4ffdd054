# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""One point robot: its driver, and recorder, uncertainty and agent beside it."""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare


def generate_launch_description():
    """Describe the nodes of the robot; its own parameters stand in this package's config."""
    return LaunchDescription([
        DeclareLaunchArgument('robot', default_value='point_1', description='its namespace'),
        DeclareLaunchArgument('data', description='data directory of the recorded episodes'),
        Node(package='point_robot', executable='point_robot',
             namespace=LaunchConfiguration('robot'), output='screen'),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(PathJoinSubstitution(
                [FindPackageShare('active_collection'), 'launch', 'robot.launch.py'])),
            launch_arguments={
                'robot': LaunchConfiguration('robot'),
                'data': LaunchConfiguration('data'),
                'config': PathJoinSubstitution([FindPackageShare('point_robot'), 'config']),
            }.items()),
    ])
