# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What stands in an MCAP file beside its messages: attachments and metadata."""
from __future__ import annotations

import zlib
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from active_collection.mcap import records as mcap
from active_collection.mcap.index import survey
from active_collection.mcap.limits import Limits
from active_collection.mcap.scan import Damaged
from active_collection.mcap.scan import Place
from active_collection.mcap.source import Source

#: So much of an attachment is in memory at a time (bytes).
_PIECE = 1 << 20


@dataclass(frozen=True)
class Extras:
    """
    Attachments and metadata of a file, in their order.

    :param attachments: what is said of each, and its data
    :param metadata: (name, key/values) of each; names need not differ
    """

    attachments: tuple[tuple[mcap.Attachment, bytes], ...]
    metadata: tuple[tuple[str, dict[str, str]], ...]


def read_extras(path: Path, *, damaged: Damaged,
                limits: Limits = Limits()) -> Extras:  # noqa: B008 - frozen
    """
    Return the attachments and metadata of a file.

    :param damaged: told of what is corrupt, as far as it is met
    :param limits: an attachment that is larger than a message may be counts as corrupt
    :raises OSError: where the file cannot be read
    """
    attachments, metadata = [], []
    with closing(Source(path)) as source:
        for place in survey(source, damaged).extras:
            try:
                if place.opcode == mcap.METADATA:
                    metadata.append(mcap.metadata(record_at(source, place, limits)))
                else:
                    attachments.append(_attachment(source, place, limits))
            except ValueError as error:
                damaged(place.offset, place.end, str(error))
    return Extras(tuple(attachments), tuple(metadata))


def record_at(source: Source, place: Place, limits: Limits) -> bytes:
    """
    Return a record's content.

    :raises ValueError: where it is larger than a message may be
    """
    size = place.end - place.content
    if size > limits.message_bytes:
        raise ValueError(f'a record of {size:,} bytes, more than the limit of '
                         f'{limits.message_bytes:,}')
    return source.read(place.content, size)


def attachment_head(source: Source, place: Place) -> mcap.Attachment:
    """
    Return what an attachment's record says before its data.

    :raises ValueError: where it is corrupt
    """
    size = place.end - place.content
    return mcap.attachment(source.read(place.content, min(_PIECE, size)), size)


def pieces_of(source: Source, place: Place) -> Iterator[bytes]:
    """Yield the content of a record, a piece at a time."""
    for position in range(place.content, place.end, _PIECE):
        yield source.read(position, min(_PIECE, place.end - position))


def has_right_checksum(head: mcap.Attachment, pieces: Iterable[bytes]) -> bool:
    """
    Tell whether an attachment's checksum fits it, or it has none.

    :param pieces: of its record's content; all are taken
    """
    position, covered = 0, head.offset + head.size
    crc, stated = 0, b''
    for piece in pieces:
        inside = max(0, covered - position)
        crc = zlib.crc32(piece[:inside], crc)
        stated += piece[inside:inside + 4 - len(stated)]
        position += len(piece)
    return int.from_bytes(stated, 'little') in {0, crc}


def _attachment(source: Source, place: Place, limits: Limits) -> tuple[mcap.Attachment, bytes]:
    head, content = attachment_head(source, place), record_at(source, place, limits)
    if not has_right_checksum(head, [content]):
        raise ValueError(f'attachment {head.name!r} with another checksum')
    return head, content[head.offset:head.offset + head.size]
