# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
The fleet's scheduler: one for all robots, on any machine that they can reach.

ros2 launch active_collection fleet.launch.py data:=/data space:=/data/scenario_space.yaml

It finds the robots by itself. If it dies it is started again and goes on from its ledger, up to
five times within two minutes; where a mistake in a parameter or a file stops it (exit status 2),
it is not.
"""
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument

from active_collection.nodes.launching.actions import common_arguments
from active_collection.nodes.launching.actions import start
from active_collection.nodes.launching.description import fleet_processes


def generate_launch_description():
    """Describe the scheduler, which reads scheduler.yaml of the directory `config`."""
    return LaunchDescription([
        DeclareLaunchArgument(
            'data', description='data directory: the ledger scheduler.sqlite3 is kept in it'),
        DeclareLaunchArgument(
            'space',
            description='YAML file of the scenario space: what may be collected, where, by whom'),
        *common_arguments('scheduler.yaml'),
        start(fleet_processes),
    ])
