# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Read programs of torch.export without running Python or machine code that they may hold."""
from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from active_collection.errors import UncertaintyError

#: Says of each file of weights or constants beside it whether it is a pickle or plain numbers.
CONFIG = '_config.json'
#: Texts that whoever exports puts in; they are read as such and nothing else.
EXTRA = 'extra'

#: torch.export.load keeps what it reads in a variable of its module, and fails in a second thread.
_ONE_AT_A_TIME = threading.Lock()


def read_exported(path: Path) -> Callable[[Any], Any]:
    """
    Return the program of a torch.export archive.

    torch.export.load opens pickles within the archive, which run code, and loads compiled
    libraries. So each entry is looked at first, and what is loaded are the bytes that were.
    Torch's own switch for this is an environment variable, which other threads would see.

    :raises UncertaintyError: naming the file, where it is no program or holds such a thing
    """
    if not path.is_file():
        raise UncertaintyError(path, found='no such file', expected='an exported program')
    try:
        data = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check(archive)
        with _ONE_AT_A_TIME:
            return torch.export.load(io.BytesIO(data)).module()
    except Exception as error:  # the reader raises whatever corrupt bytes make it raise
        raise UncertaintyError(path, found=f'{type(error).__name__}: {error}',
                               expected='a program of torch.export') from error


def _check(archive: zipfile.ZipFile) -> None:
    """
    Pass where opening the archive runs no code.

    :raises ValueError: naming the entry that may
    """
    names = archive.namelist()
    if len({name.casefold() for name in names}) < len(names):
        raise ValueError('two entries of one name')
    for name in names:
        if '/aotinductor/' in name or name.endswith('.so'):
            raise ValueError(f'{name}, a compiled library, which runs code when it is opened')
    numbers = set(_numbers(archive))
    for name in names:
        if name.split('/')[1:2] == [EXTRA] or name in numbers:
            continue
        content = archive.read(name)
        if not (_is_text(content) or _holds_tensors_alone(content)):
            raise ValueError(f'{name}, which may run code when it is opened')


def _numbers(archive: zipfile.ZipFile) -> Iterator[str]:
    """Return the entries that are read as plain numbers, whatever they hold."""
    for config in archive.namelist():
        if not config.endswith(CONFIG):
            continue
        directory = config.rpartition('/')[0]
        files = json.loads(archive.read(config))['config'].values()
        pickles = {file['path_name'] for file in files if file['use_pickle'] is not False}
        for file in files:
            name = file['path_name']
            if '/' in name:
                raise ValueError(f'{config}: {name!r}, which is not beside it')
            # Only what no other name or entry has opened as a pickle.
            if name not in pickles and '.' not in name and name.startswith(('weight_', 'tensor_')):
                yield f'{directory}/{name}'


def _is_text(content: bytes) -> bool:
    """Tell whether bytes are JSON or one printable line: no pickle that imports is either."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    if not text.strip() or (text.strip().isprintable() and len(text.strip().splitlines()) == 1):
        return True
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _holds_tensors_alone(content: bytes) -> bool:
    """Tell whether torch reads bytes with its unpickler that makes nothing but tensors."""
    try:
        torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)
    except Exception:  # whatever it is, the bytes are not what they should be
        return False
    return True
