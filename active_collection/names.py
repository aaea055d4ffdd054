# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Names that may become paths, topics and file names."""
from __future__ import annotations

import re

from active_collection.errors import InvalidNameError

PATTERN = re.compile(r'[A-Za-z0-9_.-]{1,64}')


def is_safe_name(name: object) -> bool:
    """Tell whether a name can be a path component: [A-Za-z0-9_.-]{1,64}, not '.' or '..'."""
    return (isinstance(name, str) and PATTERN.fullmatch(name) is not None
            and name not in {'.', '..'})


def check_name(name: object, what: str) -> str:
    """
    Return the name if it is safe as a path component.

    :param name: the name, from a file or a network peer
    :param what: what it names, for the message: 'episode_id'
    :raises InvalidNameError: where it is not
    """
    if isinstance(name, str) and is_safe_name(name):
        return name
    raise InvalidNameError(
        what, found=repr(name), expected="1 to 64 of A-Z a-z 0-9 _ . - (and not '.' or '..')")
