# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The command active-collection: one subcommand a module of this package."""
from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from active_collection import cli
from active_collection.errors import ActiveCollectionError
from active_collection.errors import in_words
from active_collection.packages import missing


class _ShowVersion(argparse.Action):
    """Prints the version of the package, which takes a look into the file system, and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from active_collection.recording.versions import versions

        prefixes = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(':') if p]
        print(f'active-collection {versions(prefixes)["active_collection"]}')
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """Takes positional arguments on both sides of options, as users and shells' histories do."""

    _within = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._within or self._subparsers is not None:  # which take all that follows
            return super().parse_known_args(args, namespace)
        self._within = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._within = False


def subcommands() -> list[ModuleType]:
    """Return every module of this package that is a subcommand: one with a NAME."""
    modules = [
        importlib.import_module(f'{cli.__name__}.{name}')
        for _, name, _ in pkgutil.iter_modules(cli.__path__) if name != 'main']
    return [module for module in modules if hasattr(module, 'NAME')]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = _Parser(
        prog='active-collection',
        description='Decide which robot data is worth collecting and worth labelling.')
    top.add_argument('--version', nargs=0, action=_ShowVersion, help='print the version')
    commands = top.add_subparsers(title='subcommands', metavar='SUBCOMMAND', required=True)
    for module in subcommands():
        command = commands.add_parser(
            module.NAME, help=module.HELP, description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(command)
        command.set_defaults(run=module.run, subcommand=module.NAME)
    return top


def main(arguments: list[str] | None = None) -> int:
    """
    Run a subcommand and return its exit status; 2 after one line that says what is wrong.

    :param arguments: command line without the program's name; None: that of the process
    """
    wanted = 'active-collection'
    try:
        parsed = parser().parse_args(arguments)
        wanted = str(parsed.subcommand)
        status = int(parsed.run(parsed))
        print(end='', flush=True)
        return status
    except ModuleNotFoundError as error:
        absent = missing(wanted, error)
        if absent is None:
            raise
        print(f'active-collection: {absent}', file=sys.stderr)
        return 2
    except ActiveCollectionError as error:
        print(f'active-collection: {error}', file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` reads no further: nothing is wrong, nor is the last flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a shell says it of a program that SIGPIPE ends
    except OSError as error:
        print(f'active-collection: {error.filename or "file"}: found {in_words(error)}, '
              'expected a readable or writable place', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('active-collection: interrupted', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())
