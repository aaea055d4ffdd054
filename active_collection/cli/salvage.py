# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Make a whole bag of one whose recorder died.

PATH is a torn .mcap or .db3 file, compressed (.zstd) or not, a rosbag2 directory of such files,
with or without its metadata.yaml, or an episode's <id>.recording directory, which is replaced by
the whole one. Of a rosbag1 file, .bag.active or torn, a .bag file is made. Anything else stays as
it is; the whole bag is made beside it. Where there is not one whole message, none is made.
"""
from __future__ import annotations

import argparse
import sys

from active_collection.cli.options import path
from active_collection.errors import ActiveCollectionError

NAME = 'salvage'
HELP = 'make a whole bag of one whose recorder died'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    parser.add_argument('paths', nargs='+', type=path, metavar='PATH',
                        help='torn .mcap, .db3 (or .zstd), .bag or .bag.active file, '
                        'directory of files, or <id>.recording')
    parser.add_argument('--output', type=path, metavar='DIRECTORY',
                        help='rosbag2 directory, or .bag file, to make (one PATH only); '
                        "default: PATH with '_salvaged'")


def run(arguments: argparse.Namespace) -> int:
    """Salvage every path; return 2 where one could not be, after trying them all."""
    from active_collection.errors import ConfigError
    from active_collection.recording.salvage.path import salvage_path

    if arguments.output is not None and len(arguments.paths) > 1:
        raise ConfigError('--output', found=f'{len(arguments.paths)} paths', expected='one PATH')
    status = 0
    for torn in arguments.paths:
        try:
            salvaged = salvage_path(torn, arguments.output)
        except ActiveCollectionError as error:
            print(f'active-collection: {error}', file=sys.stderr)
            status = 2
        except OSError as error:
            print(f'active-collection: {error.filename or torn}: found '
                  f'{error.strerror or error}, expected a place that can be written',
                  file=sys.stderr)
            status = 2
        else:
            print(f'{salvaged.path}: {salvaged.summary}')
    return status
