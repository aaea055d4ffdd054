# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""One robot: recorder, uncertainty and agent in the robot's namespace."""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

NODES = ('recorder', 'uncertainty', 'agent')


def generate_launch_description():
    """Describe the nodes of one robot; each reads its own YAML and the shared data directory."""
    config = LaunchConfiguration('config')
    arguments = [
        DeclareLaunchArgument('robot', description='name of the robot: its namespace'),
        DeclareLaunchArgument('data', description='data directory of the recorded episodes'),
        DeclareLaunchArgument(
            'ensembles', default_value=[LaunchConfiguration('data'), '/ensembles'],
            description='directory of trained ensembles'),
        DeclareLaunchArgument(
            'config',
            default_value=PathJoinSubstitution([FindPackageShare('active_collection'), 'config']),
            description='directory with recorder.yaml, uncertainty.yaml and agent.yaml'),
        DeclareLaunchArgument(
            'scheduler', default_value='/scheduler', description="the scheduler's full name"),
    ]
    overrides = {
        'recorder': {'data_directory': LaunchConfiguration('data')},
        'uncertainty': {'ensembles': LaunchConfiguration('ensembles')},
        'agent': {'scheduler': LaunchConfiguration('scheduler')},
    }
    nodes = [
        Node(
            package='active_collection',
            executable=name,
            namespace=LaunchConfiguration('robot'),
            parameters=[PathJoinSubstitution([config, f'{name}.yaml']), overrides[name]],
            output='screen',
        )
        for name in NODES
    ]
    return LaunchDescription([*arguments, *nodes])
