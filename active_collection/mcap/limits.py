# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a file may make its reader take: compressed data can claim any size in few bytes."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

#: Serialized bytes; a view may keep what it was read from in memory.
Buffer: TypeAlias = bytes | memoryview


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Sizes beyond which data is taken for damaged.

    :param chunk_bytes: largest chunk, decompressed (bytes)
    :param message_bytes: largest message, decompressed (bytes)
    :param file_bytes: largest file of a bag with file compression, decompressed (bytes); never
        more than what the temporary directory's disk has free
    """

    chunk_bytes: int = 384 << 20
    message_bytes: int = 384 << 20
    file_bytes: int = 256 << 30
