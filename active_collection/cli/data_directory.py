# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
The one way in which every subcommand names its data.

`--data DIR`, the recorder's own directory where it is left out; what lies in it under a fixed name
(pool, ledger, rounds by their number) needs no name of its own, and can be given one.
"""
from __future__ import annotations

import argparse
from pathlib import Path

from active_collection.cli.options import path
from active_collection.errors import ConfigError
from active_collection.pipeline.data_layout import LEDGER
from active_collection.pipeline.data_layout import POOL
from active_collection.pipeline.data_layout import ROUNDS

#: Where a recorder puts its episodes unless it is told otherwise.
DEFAULT = '~/active_collection'


def add_data(parser: argparse.ArgumentParser, text: str = 'data directory', *,
             place: bool = False) -> None:
    """
    Declare --data.

    :param text: what it is for
    :param place: whether it may stand without --data too, as the next argument
    """
    if place:
        parser.add_argument('place', nargs='?', type=path, metavar='DATA',
                            help='the same as --data')
    parser.add_argument('--data', type=path, metavar='DIR', help=f'{text} (default: {DEFAULT})')


def add_pool(parser: argparse.ArgumentParser, text: str = 'directory of the pool') -> None:
    """Declare --pool."""
    parser.add_argument('--pool', type=path, metavar='DIR', help=f'{text} (default: DATA/{POOL})')


def add_round(parser: argparse.ArgumentParser) -> None:
    """Declare --round."""
    parser.add_argument('--round', type=_named, metavar='ROUND',
                        help=f'its number in DATA/{ROUNDS}, or its directory '
                             '(default: the newest of DATA)')


def _named(text: str) -> str:
    path(text)
    return text


def data_of(arguments: argparse.Namespace, *, or_else: str = '') -> Path:
    """
    Return the data directory that is meant.

    :param or_else: what else the user could name, for the message
    :raises ConfigError: where it is named twice, or is no directory
    """
    place, option = getattr(arguments, 'place', None), arguments.data
    if place is not None and option is not None:
        raise ConfigError('--data', found=f'{option} and DATA {place}', expected='one of them')
    directory: Path = place or option or path(DEFAULT)
    if not directory.is_dir():
        found = 'a file' if directory.exists() else 'no such directory'
        raise ConfigError(f'--data {directory}', found=found,
                          expected=f'a data directory{or_else}')
    return directory


def is_data(place: Path) -> bool:
    """Tell whether a place holds episodes: whether it is a data directory."""
    return (place / 'episodes').is_dir()


def pool_of(arguments: argparse.Namespace) -> Path:
    """
    Return the directory of the pool that is meant; nothing may be there yet.

    :raises ConfigError: where it is to be in a data directory that is none
    """
    pool: Path | None = arguments.pool
    return pool if pool is not None else data_of(arguments, or_else=', or --pool') / POOL


def ledger_of(arguments: argparse.Namespace) -> str:
    """
    Return the ledger that is meant: a path or URL.

    :raises ConfigError: where it is to be in a data directory that is none
    """
    if arguments.ledger is not None:
        return str(arguments.ledger)
    return str(data_of(arguments, or_else=', or LEDGER') / LEDGER)


def round_of(arguments: argparse.Namespace) -> Path:
    """
    Return the directory of the round that is meant.

    :raises ConfigError: where a number is given and no data directory, or there is no round
    """
    from active_collection.selection.rounds import all_rounds

    given: str | None = arguments.round
    if given is not None and (not given.isdecimal() or (
            arguments.data is None and Path(given).is_dir())):
        return path(given)
    if given is not None:
        return data_of(arguments, or_else=', or the directory of the round') / ROUNDS / given
    rounds = data_of(arguments, or_else=', or --round') / ROUNDS
    found = all_rounds(rounds)
    if not found:
        raise ConfigError(rounds, found='no round', expected='one (`round start` selects it)')
    return found[-1]
