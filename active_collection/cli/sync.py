# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Copy closed episodes to a central store and verify them there.

Episodes go to TARGET/<robot>/<date>/<episode_id>/ with a manifest.sha256 that `sha256sum --check`
takes; one that is in TARGET/<date>/<episode_id>/, where copies went formerly, stays there.
Run it again after an interruption: it goes on where it stopped. A copy counts only after it has
been read back and compared.

A host of sftp:// has to be known, as for ssh (~/.ssh/known_hosts); a bucket has to be there.
"""
from __future__ import annotations

import argparse
import sys

from active_collection.cli.data_directory import add_data
from active_collection.cli.data_directory import data_of
from active_collection.errors import ActiveCollectionError

NAME = 'sync'
HELP = 'copy closed episodes to a central store and verify them there'

#: Failed episodes that are named; a store refuses the others for the same reason.
_SHOWN = 5
#: Options that are texts, whatever they look like.
_TEXTS = frozenset({'key', 'secret', 'token', 'username', 'password', 'passphrase', 'profile',
                    'account_name', 'account_key', 'sas_token', 'project', 'key_filename',
                    'known_hosts'})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    add_data(parser, place=True)
    parser.add_argument('target', metavar='TARGET',
                        help='fsspec URL: file:///mnt/store, s3://bucket/robots, sftp://host/dir')
    parser.add_argument('--option', action='append', default=[], metavar='KEY=VALUE',
                        help='of the file system: endpoint_url=http://…, key=…, secret=…; '
                             'key_filename=…, password=…, port=…, known_hosts=…')


def run(arguments: argparse.Namespace) -> int:
    """Sync every episode; return 2 where one could not be, after trying them all."""
    from active_collection.bags.episodes import find_episodes
    from active_collection.cli.options import key_values
    from active_collection.recording.disk import readable
    from active_collection.recording.remote_errors import StoreError
    from active_collection.recording.remote_store import Store
    from active_collection.recording.sync import sync

    options = {key: _typed(key, value)
               for key, value in key_values(arguments.option, '--option').items()}
    data = data_of(arguments)
    done, copied, failed, all_of_them = 0, 0, 0, len(list(find_episodes(data)))
    store = Store(arguments.target, options)
    store.check()
    try:
        for result in sync(data, store):
            if isinstance(result, ActiveCollectionError):
                failed += 1
                if failed <= _SHOWN:
                    print(f'active-collection: {result}', file=sys.stderr)
                continue
            done += 1
            copied += result.copied
            if result.copied:
                print(f'{result.path.name}: {readable(result.copied)} to {result.target}')
    except StoreError as error:
        print(f'active-collection: {error}', file=sys.stderr)
        failed = max(1, all_of_them - done)
    else:
        if failed > _SHOWN:
            print(f'active-collection: {failed - _SHOWN} more like these', file=sys.stderr)
    print(f'{done} episodes in {store.url}, {readable(copied)} copied, {failed} failed')
    return 2 if failed else 0


def _typed(key: str, value: str) -> bool | int | float | str:
    """Return the value of an option as what it looks like; credentials stay texts."""
    if key in _TEXTS:
        return value
    if value in {'true', 'false'}:
        return value == 'true'
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value
