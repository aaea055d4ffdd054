# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The end of an MCAP file, by which readers find what they want without reading the rest."""
from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from active_collection.mcap import packing
from active_collection.mcap import records as mcap


@dataclass
class Summary:
    """What a file's summary is to say of chunks, attachments and metadata: their indexes."""

    chunks: list[bytes] = field(default_factory=list)
    attachments: list[bytes] = field(default_factory=list)
    metadata: list[bytes] = field(default_factory=list)

    def packed(self, start: int, *, schemas: Sequence[bytes], channels: Sequence[bytes],
               messages: Mapping[int, int], start_ns: int, end_ns: int) -> bytes:
        """
        Return the summary, the footer included.

        :param start: where it will stand in the file
        :param schemas: their records, as `channels`
        :param messages: channel to its number of messages
        :param start_ns: log time of the first message (ns), as `end_ns` of the last
        """
        statistics = packing.statistics(
            schemas=len(schemas), channels=len(channels), attachments=len(self.attachments),
            metadata=len(self.metadata), chunks=len(self.chunks), start_ns=start_ns,
            end_ns=end_ns, messages=messages)
        groups = (
            (mcap.SCHEMA, b''.join(schemas)),
            (mcap.CHANNEL, b''.join(channels)),
            (mcap.STATISTICS, statistics),
            (mcap.CHUNK_INDEX, b''.join(self.chunks)),
            (mcap.ATTACHMENT_INDEX, b''.join(self.attachments)),
            (mcap.METADATA_INDEX, b''.join(self.metadata)),
        )
        body, offsets = b'', b''
        for opcode, group in groups:
            if group:
                offsets += packing.summary_offset(opcode, start + len(body), len(group))
                body += group
        summary = body + offsets + packing.footer_head(start, start + len(body))
        return summary + struct.pack('<I', zlib.crc32(summary))
