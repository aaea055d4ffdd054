# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Classes of the message types that publishers name, and why there is none."""
from __future__ import annotations

import importlib
import time
from typing import Any

from active_collection.errors import in_words

#: A type that is not installed is looked for again after so long (s): each look searches the disk.
RETRY_S = 2.0


class UnusableTypeError(Exception):
    """A message type without a class on this machine; says why in one line."""


class MessageTypes:
    """Message classes by name; what is not installed is found once it is."""

    def __init__(self) -> None:
        self._failed: dict[str, tuple[float, UnusableTypeError]] = {}

    def of(self, name: str) -> Any:
        """
        Return the class of a type, 'sensor_msgs/msg/JointState'.

        :raises UnusableTypeError: where it is not installed, or its package fails
        """
        failed_at, failure = self._failed.get(name, (0.0, UnusableTypeError()))
        now = time.monotonic()
        if name in self._failed and now - failed_at < RETRY_S:
            raise failure
        package, _, kind = name.partition('/msg/')
        try:
            importlib.invalidate_caches()
            found = getattr(importlib.import_module(f'{package}.msg'), kind)
        except Exception as error:  # its modules may raise anything
            failure = UnusableTypeError(
                f'its type {name} is not installed on this machine ({in_words(error)})')
            self._failed[name] = (now, failure)
            raise failure from error
        self._failed.pop(name, None)
        return found
