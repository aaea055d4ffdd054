# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line of `operator_keys`."""
from __future__ import annotations

import argparse
import getpass
from collections.abc import Sequence
from dataclasses import dataclass

from active_collection.collecting.agent_settings import AgentSettings
from active_collection.collecting.console.keys import DEFAULTS
from active_collection.collecting.console.keys import Keys
from active_collection.collecting.console.keys import keys
from active_collection.errors import ConfigError
from active_collection.names import namespace_meant


@dataclass(frozen=True)
class Options:
    """
    What a console is told at its start.

    :param namespace: the robot's: '/arm_1'
    :param operator: who stands for what is discarded and asked for again
    :param scheduler: the scheduler node's full name
    :param recorder: the recorder node's name, relative to the robot
    :param silence_s: who was silent for this long is shown as lost (s)
    """

    namespace: str
    operator: str
    keys: Keys
    scheduler: str
    recorder: str
    silence_s: float


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, without what is for ROS."""
    defaults = ','.join(f'{action}={key}' for action, key in DEFAULTS.items())
    told = AgentSettings.model_fields
    made = argparse.ArgumentParser(
        prog='operator_keys', description='What a robot is at, in a terminal, and keys to say '
        'ready, success or failure, to discard, to have the last episode done once more, and to '
        'pause. A foot pedal that types keys works by itself.')
    made.add_argument('--robot', required=True, help='namespace of the robot: arm_1, cell_3/arm_1')
    made.add_argument('--operator', default=None,
                      help='who works here: stands in the ledger and in corrected episodes '
                           '(default: the name of the login)')
    made.add_argument('--keys', default='', metavar='ACTION=KEY,...',
                      help='other keys: characters, or names as space, enter, pageup, f5 '
                           f'(default: {defaults})')
    made.add_argument('--scheduler', default=told['scheduler'].default,
                      help="the scheduler node's full name (default: %(default)s)")
    made.add_argument('--recorder', default=told['recorder'].default,
                      help="the recorder node's name below the robot's (default: %(default)s)")
    made.add_argument('--silence', type=float, default=3.0, metavar='SECONDS',
                      help='who was silent for this long is shown as lost, and keys do nothing '
                           '(default: %(default)s); more than the heartbeats are apart')
    return made


def parse(arguments: Sequence[str]) -> Options:
    """
    Return the options of a command line.

    :raises ConfigError: naming an option that is not valid
    """
    given = parser().parse_args(arguments)
    if not given.silence > 0:
        raise ConfigError('operator_keys: --silence', found=given.silence,
                          expected='a time above 0 s')
    return Options(
        namespace=namespace_meant(given.robot, 'operator_keys: --robot'),
        operator=(_login() if given.operator is None else given.operator).strip() or 'operator',
        keys=keys(given.keys), scheduler=given.scheduler, recorder=given.recorder,
        silence_s=given.silence)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ''
