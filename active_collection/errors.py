# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The errors that a user can cause. Each is one line: where, what was found, what was expected."""
from __future__ import annotations

import errno
import re
from collections.abc import Callable

LONGEST_VALUE = 200
#: What a person calls what the operating system says.
_CONDITIONS = {errno.ENOENT: 'no such file', errno.EISDIR: 'a directory',
               errno.ENOTDIR: 'a file in place of a directory on the way',
               errno.EACCES: 'no permission', errno.EEXIST: 'something in its place'}
#: Arrow says the path, which `where` says too.
_ARROW = re.compile(r"Could not open Parquet input source '.*?': ")


def shorten(value: object) -> str:
    """Return a value as one printable line of at most LONGEST_VALUE characters."""
    text = value if isinstance(value, str) else repr(value)
    line = ''.join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return line if len(line) <= LONGEST_VALUE else f'{line[:LONGEST_VALUE]}…'


def in_words(error: BaseException) -> str:
    """Return what went wrong as a person says it: no error number, no path, the first line."""
    if isinstance(error, FileNotFoundError):
        return _CONDITIONS[errno.ENOENT]  # Arrow's own one has no number
    if isinstance(error, OSError) and error.errno:
        return _CONDITIONS.get(error.errno, error.strerror or str(error))
    if isinstance(error, UnicodeDecodeError):
        return f'bytes that are no {error.encoding.upper()}'
    if isinstance(error, KeyError):
        return f'no {error}'
    line = _ARROW.sub('', str(error).strip()).partition('\n')[0]
    return line or type(error).__name__


class ActiveCollectionError(Exception):
    """
    A mistake or a condition outside the program that a user can do something about.

    :param where: the file, topic, field or parameter, as exact as known: 'a.yaml:12: tasks.pick'
    :param found: what stands there; shortened to one line, an exception is said in words
    :param expected: what was expected, where that can be said
    """

    def __init__(self, where: object, *, found: object, expected: object = '') -> None:
        self.where = shorten(str(where))
        self.found = shorten(in_words(found) if isinstance(found, BaseException) else found)
        self.expected = shorten(str(expected))
        wanted = f', expected {self.expected}' if self.expected else ''
        super().__init__(f'{self.where}: found {self.found}{wanted}')

    def __reduce__(self) -> tuple[Callable[..., ActiveCollectionError], tuple[object, ...]]:
        return _made_again, (type(self), self.where, self.found, self.expected)


def _made_again(kind: type[ActiveCollectionError], where: str, found: str,
                expected: str) -> ActiveCollectionError:
    """Return an error as it was in the process that it comes from."""
    return kind(where, found=found, expected=expected)


class ConfigError(ActiveCollectionError):
    """A configuration file, parameter or argument is missing, misspelt or out of range."""


class InvalidNameError(ActiveCollectionError):
    """A name that would become a path or a topic has a character that it may not have."""


class SecondNodeError(ActiveCollectionError):
    """A node of which there is to be one is there already: this process is the second."""


class BagError(ActiveCollectionError):
    """A bag cannot be read: missing, truncated, without the wanted topics, of an unknown type."""


class RecordingError(ActiveCollectionError):
    """An episode cannot be recorded, closed, salvaged or amended."""


class UncertaintyError(ActiveCollectionError):
    """An ensemble or an observation cannot be used: wrong shape, NaN, missing field or file."""


class SchedulingError(ActiveCollectionError):
    """The ledger, a rule or an assignment cannot be used."""


class SelectionError(ActiveCollectionError):
    """The pool index, a strategy or a round cannot be used."""


class AnnotationError(ActiveCollectionError):
    """An export or an ingested label file cannot be used."""


class ReportError(ActiveCollectionError):
    """A report cannot be made from what is there."""


class SimulationError(ActiveCollectionError):
    """A simulated robot cannot do what it was asked."""
