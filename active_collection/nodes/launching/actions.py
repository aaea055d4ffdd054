# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the launch files are made of. Imports launch, as no other module does."""
from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable
from collections.abc import Sequence

import launch.logging
from launch import LaunchContext
from launch.actions import DeclareLaunchArgument
from launch.actions import OpaqueFunction
from launch.actions import TimerAction
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch.substitutions import PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from active_collection.nodes.launching.description import LOG_LEVELS
from active_collection.nodes.launching.description import NodeProcess
from active_collection.nodes.launching.restarts import MISTAKE
from active_collection.nodes.launching.restarts import Restarts
from active_collection.nodes.launching.restarts import Verdict
from active_collection.nodes.process_start import PARENT

PACKAGE = 'active_collection'
#: Pause before a node that died is started again (s).
RESTART_DELAY_S = 2.0
#: How long a node may take to end after SIGINT, and again after SIGTERM (s): as it gives itself.
END_S = '10'


def common_arguments(config: str) -> list[DeclareLaunchArgument]:
    """
    Return the arguments that every launch file has.

    :param config: what stands in the directory of the argument config
    """
    return [
        DeclareLaunchArgument(
            'config', default_value=PathJoinSubstitution([FindPackageShare(PACKAGE), 'config']),
            description=f'directory with {config}: copy the files from the default and change '
                        'them'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false',
            description='true: take the time from /clock, where a simulator or a bag gives it; '
                        'false: as the parameter files say'),
        DeclareLaunchArgument(
            'log_level', default_value='info',
            description=f'what the nodes log: {", ".join(LOG_LEVELS)}'),
    ]


def start(describe: Callable[..., Sequence[NodeProcess]], **told: str) -> OpaqueFunction:
    """
    Start what a function describes; what it refuses ends the launch with its one line.

    :param describe: its parameters are called as launch arguments are, and take what those say
    :param told: those of its parameters that are no launch arguments
    """
    names = [name for name in inspect.signature(describe).parameters if name not in told]

    def nodes(context: LaunchContext) -> list[Node]:
        arguments = {name: LaunchConfiguration(name).perform(context) for name in names}
        return [_node(process, Restarts()) for process in describe(**arguments, **told)]

    return OpaqueFunction(function=nodes)


def _node(process: NodeProcess, restarts: Restarts) -> Node:
    """Return the action that starts a node, and starts it again where it dies."""
    def on_exit(event: ProcessExited, context: LaunchContext) -> list[TimerAction]:
        if context.is_shutdown:
            return []
        name, status = event.process_name, event.returncode
        verdict = restarts.after(status, time.monotonic())
        if verdict is Verdict.AGAIN:
            launch.logging.get_logger(name).warning(
                f'started again in {RESTART_DELAY_S:g} s ({restarts.recent} of at most '
                f'{restarts.most} within {restarts.within_s:g} s)')
            return [TimerAction(period=RESTART_DELAY_S, actions=[_node(process, restarts)])]
        if verdict is Verdict.GIVEN_UP:
            why = ('its line above says what is wrong' if status == MISTAKE else
                   f'it died {restarts.most + 1} times within {restarts.within_s:g} s')
            # What the exit status of launch is decided by, without ending the other nodes.
            context.asyncio_loop.call_exception_handler({
                'message': f'{name} is not started again: {why}; the others go on'})
        return []

    return Node(
        package=PACKAGE,
        executable=process.executable,
        namespace=process.namespace or None,
        # Not as launch's own parameters: it would leave a file of them behind at each start.
        ros_arguments=process.ros_arguments(),
        output='screen',
        sigterm_timeout=END_S,
        sigkill_timeout=END_S,
        additional_env={PARENT: str(os.getpid())},
        on_exit=on_exit,
    )
