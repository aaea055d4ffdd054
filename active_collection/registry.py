# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Find implementations by name: our own, and third parties' through Python entry points."""
from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Generic
from typing import TypeVar
from typing import cast

from active_collection.errors import ConfigError
from active_collection.packages import missing

T = TypeVar('T')


def unknown(where: str, name: object, known: list[str]) -> ConfigError:
    """Return the error for a name that is not among the known ones, with the nearest one."""
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f' (did you mean {near[0]!r}?)' if near else ''
    # The hint comes first: a long list of names is cut off.
    return ConfigError(where, found=f'{name!r}{hint}',
                       expected=f'one of {", ".join(known)}' if known else 'none')


class Registry(Generic[T]):
    """
    Implementations of one Protocol by name.

    Nothing is imported before it is asked for, so a heavy implementation costs only its users.

    :param kind: what it holds, for messages: 'query strategy'
    :param group: entry point group that third parties use: 'active_collection.query_strategies'
    :param built_in: name to 'module:attribute'; a third party cannot replace these
    """

    def __init__(self, kind: str, group: str, built_in: Mapping[str, str]) -> None:
        self.kind = kind
        self.group = group
        self.built_in = dict(built_in)

    def names(self) -> list[str]:
        """Return every name that `get` knows, our own first."""
        added = sorted({point.name for point in entry_points(group=self.group)})
        return [*self.built_in, *(name for name in added if name not in self.built_in)]

    def get(self, name: str) -> type[T]:
        """
        Return the class behind a name.

        :raises ConfigError: where the name is unknown or its module cannot be imported
        """
        try:
            if name in self.built_in:
                module, _, attribute = self.built_in[name].partition(':')
                return cast('type[T]', getattr(importlib.import_module(module), attribute))
            for point in entry_points(group=self.group):
                if point.name == name:
                    return cast('type[T]', point.load())
        except (ImportError, AttributeError) as error:
            absent = isinstance(error, ImportError) and missing(f'{self.kind} {name!r}', error)
            if absent:
                raise absent from error
            raise ConfigError(
                f'{self.kind} {name!r}', found=f'{type(error).__name__}: {error}',
                expected='a module that can be imported') from error
        raise unknown(self.kind, name, self.names())
