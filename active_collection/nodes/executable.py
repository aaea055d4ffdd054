# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A node's executable: answers --help and --version at once, and only then imports ROS."""
from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
from collections.abc import Collection
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from active_collection.errors import ConfigError
from active_collection.errors import in_words
from active_collection.nodes.catalogue import NODES
from active_collection.packages import missing

ROS_BEGINS, ROS_ENDS = '--ros-args', '--'
#: What stands in front of a parameter or a remapping; all of it belongs behind --ros-args.
ROS_FLAGS = frozenset({
    '-p', '--param', '--params-file', '-r', '--remap', '-e', '--enclave', '--log-level',
    '--log-config-file', '--log-file-name'})
#: Lines of --help are as long as the terminal is wide, within these.
NARROWEST, WIDEST = 40, 110


def start(name: str, arguments: Sequence[str] | None = None) -> int:
    """
    Run an executable of this package and return its exit status.

    :param name: of the node; any other name is a program that reads its own options
    :param arguments: of the command line; None: those of the process
    :returns: 2, after one line, for an argument that is not known and where a library is missing
    """
    own = own_arguments(sys.argv[1:] if arguments is None else arguments)
    asked = set(own) & ({'--help', '-h', '--version'} if name in NODES else {'--version'})
    if name in NODES and own and not asked:
        print(_unknown(name, own), file=sys.stderr)
        return 2
    try:
        run = (partial(_say, _answer(name, asked)) if asked
               else importlib.import_module(f'active_collection.nodes.{name}.{name}').main)
    except ModuleNotFoundError as error:
        absent = missing(name, error)
        if absent is None:
            raise
        print(absent, file=sys.stderr)
        return 2
    return int(run())


def own_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the arguments that are not for ROS: outside of every `--ros-args ... [--]`."""
    own: list[str] = []
    is_of_ros = False
    for argument in arguments:
        if argument == ROS_BEGINS:
            is_of_ros = True
        elif is_of_ros and argument == ROS_ENDS:
            is_of_ros = False
        elif not is_of_ros:
            own.append(argument)
    return own


def _answer(name: str, asked: Collection[str]) -> str:
    """Return what is said to --help or --version."""
    if '--version' in asked:
        from active_collection.recording.versions import versions

        prefixes = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(':') if p]
        return f'{name} (active_collection) {versions(prefixes)["active_collection"]}'
    from active_collection.nodes.help_page import help_page

    columns = shutil.get_terminal_size((100, 0)).columns
    return help_page(name, columns=max(NARROWEST, min(columns, WIDEST)))


def _say(text: str) -> int:
    """Print what was asked for; whoever reads no further than its first page makes no error."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        print(text, flush=True)
    except OSError as error:
        # Python would try again at its end, and say so in a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f'standard output: found {in_words(error)}, expected a place to write to',
              file=sys.stderr)
        return 2
    return 0


def _unknown(name: str, own: Sequence[str]) -> ConfigError:
    """Return the error for arguments that nobody reads, with what was probably meant."""
    first = own[0]
    expected = '--help, --version, or --ros-args with parameters and remappings behind it'
    if first in ROS_FLAGS:
        expected = f'{ROS_BEGINS} in front of it: {ROS_BEGINS} {" ".join(own[:2])}'
    elif ':=' in first:
        flag = '-r' if first.startswith(('__', '/', '~')) else '-p'
        expected = f'it behind {ROS_BEGINS}: {ROS_BEGINS} {flag} {first}'
    return ConfigError(f'{name}: argument', found=repr(first), expected=expected)
