# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Read the stamp of a serialized message without its type."""
from __future__ import annotations

import struct

_LITTLE = struct.Struct('<iI')
_BIG = struct.Struct('>iI')
#: The encapsulation in front of every serialized message; its second byte tells the byte order.
_ENCAPSULATION_SIZE = 4


def header_stamp_ns(data: bytes) -> int | None:
    """
    Return the stamp of a message whose first field is a std_msgs/Header (ns).

    :param data: CDR bytes
    :return: None where it was not set, or the bytes are no such message
    """
    if len(data) < _ENCAPSULATION_SIZE + _LITTLE.size:
        return None
    order = _LITTLE if data[1] & 1 else _BIG
    seconds, nanoseconds = order.unpack_from(data, _ENCAPSULATION_SIZE)
    if nanoseconds >= 10**9 or (seconds, nanoseconds) == (0, 0):
        return None
    return int(seconds * 10**9 + nanoseconds)
