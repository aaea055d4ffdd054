# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a recorder refuses what it is asked."""
from __future__ import annotations

from enum import Enum

from active_collection.errors import RecordingError


class Reason(str, Enum):
    """Kind of a refusal; the services have a code for each."""

    BUSY = 'busy'
    DUPLICATE = 'duplicate'
    INVALID = 'invalid'
    MISSING_TOPICS = 'missing_topics'
    NO_SPACE = 'no_space'
    UNAVAILABLE = 'unavailable'
    UNKNOWN_EPISODE = 'unknown_episode'
    STILL_RECORDING = 'still_recording'
    WRITE_ERROR = 'write_error'


class RefusedError(RecordingError):
    """The recorder refuses a call, and nothing has changed."""

    def __init__(self, reason: Reason, where: str, *, found: object, expected: str) -> None:
        super().__init__(where, found=found, expected=expected)
        self.reason = reason
