# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Every ROS test talks only to itself: its own domain, this machine only."""
import os
import signal
from pathlib import Path

import pytest

from active_collection.pipeline.doctor.machine.profile import OF_FAST_DDS_2

# Before rclpy is imported; child processes inherit it. Linux leaves domains 1 to 101 free of its
# ephemeral ports.
os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
os.environ.pop('ROS_LOCALHOST_ONLY', None)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ.setdefault('RCUTILS_COLORIZED_OUTPUT', '0')
profiles = ('FASTRTPS_DEFAULT_PROFILES_FILE' if os.environ.get('ROS_DISTRO') in OF_FAST_DDS_2
            else 'FASTDDS_DEFAULT_PROFILES_FILE')
os.environ[profiles] = str(Path(__file__).with_name('fastdds.xml'))
# Under nohup, or behind a script's `&`, these are ignored, and by every child too: a closed
# terminal would end no node, and Ctrl-C no launch.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

rclpy = pytest.importorskip('rclpy')


@pytest.fixture(scope='module')
def ros():
    """Give an initialised rclpy and shut it down after the module."""
    rclpy.init()
    yield rclpy
    rclpy.try_shutdown()


@pytest.fixture
def peer(ros, request):
    """Give a spinning node in a namespace of the test's own, which asks recorders."""
    from recorder_peers import spinning_peer  # imports rclpy: once the domain is set

    with spinning_peer(request.node.name) as node:
        yield node


@pytest.fixture
def recorder(peer, tmp_path):
    """Give a starter of recorder nodes in the peer's namespace; the data lies in `data`."""
    from recorder_peers import recorders

    with recorders(peer, tmp_path / 'data') as start:
        yield start
