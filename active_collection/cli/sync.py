# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Copy closed episodes to a central store and verify them there.

Episodes go to TARGET/<date>/<episode_id>/ with a manifest.sha256 that `sha256sum --check` takes.
Run it again after an interruption: it goes on where it stopped. A copy counts only after it has
been read back and compared.
"""
from __future__ import annotations

import argparse
import sys

from active_collection.cli.options import path
from active_collection.errors import ActiveCollectionError

NAME = 'sync'
HELP = 'copy closed episodes to a central store and verify them there'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    parser.add_argument('data', type=path, metavar='DATA', help='data directory')
    parser.add_argument('target', metavar='TARGET',
                        help='fsspec URL: file:///mnt/store, s3://bucket/robots, sftp://host/dir')
    parser.add_argument('--option', action='append', default=[], metavar='KEY=VALUE',
                        help='of the file system: endpoint_url=http://…, key=…, secret=…')


def run(arguments: argparse.Namespace) -> int:
    """Sync every episode; return 2 where one could not be, after trying them all."""
    from active_collection.errors import ConfigError
    from active_collection.recording.disk import readable
    from active_collection.recording.sync import Store
    from active_collection.recording.sync import sync

    options = {}
    for option in arguments.option:
        key, found, value = option.partition('=')
        if not found:
            raise ConfigError('--option', found=option, expected='KEY=VALUE')
        options[key] = value
    data = arguments.data.expanduser()
    if not data.is_dir():
        raise ConfigError(data, found='no directory', expected='a data directory')
    done, copied, failed = 0, 0, 0
    store = Store(arguments.target, options)
    store.check()
    for result in sync(data, store):
        if isinstance(result, ActiveCollectionError):
            failed += 1
            print(f'active-collection: {result}', file=sys.stderr)
            continue
        done += 1
        copied += result.copied
        if result.copied:
            print(f'{result.path.name}: {readable(result.copied)} to {result.target}')
    print(f'{done} episodes in {arguments.target}, {readable(copied)} copied, {failed} failed')
    return 2 if failed else 0
