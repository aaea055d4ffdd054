# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Check command line values that argparse does not."""
from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from active_collection.errors import ConfigError


def key_values(texts: Sequence[str], name: str) -> dict[str, str]:
    """
    Return KEY=VALUE texts as a dictionary.

    :param name: the argument, for messages: '--option'
    :raises ConfigError: where one has no key, no '=' or a key given before
    """
    values: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition('=')
        if not key or not separator or key in values:
            raise ConfigError(name, found=repr(text), expected='KEY=VALUE, each key once')
        values[key] = value
    return values


def path(text: str) -> Path:
    """
    Return a path, for argparse; a shell leaves the ~ of --option=~/place as it is.

    :raises argparse.ArgumentTypeError: of an empty text, such as a shell variable that is not set:
        pathlib takes it for this directory
    """
    if not text:
        raise argparse.ArgumentTypeError('found an empty text, expected a path')
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f'found {text!r}: {error}') from error


def positive(value: float, name: str, *, zero: bool = False) -> float:
    """
    Return a number that is finite and positive.

    :param zero: whether it may be 0
    :raises ConfigError: where it is not
    """
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise ConfigError(name, found=value, expected='a number of at least 0' if zero
                          else 'a number greater than 0')
    return value


def lines(file: Path | None) -> list[str]:
    """
    Return the lines of a file that are not empty; none without a file.

    :raises ConfigError: where it cannot be read
    """
    if file is None:
        return []
    try:
        content = file.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(file, found=error, expected='a text file') from error
    return [line.strip() for line in content.splitlines() if line.strip()]
