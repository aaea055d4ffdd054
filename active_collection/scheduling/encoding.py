# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Dataclasses as lines of JSON."""
from __future__ import annotations

from typing import Any
from typing import TypeVar

from pydantic import TypeAdapter
from pydantic import ValidationError

from active_collection.errors import SchedulingError

T = TypeVar('T')
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def encode(event: Any) -> str:
    """Return an event as one line of JSON, which `decode_as` takes."""
    return _adapter(type(event)).dump_json(event).decode()


def decode_as(kind: type[T], text: str, *, where: str) -> T:
    """
    Return what `encode` wrote of this class.

    :param where: what holds it, for messages: 'scheduler.sqlite3: event 12'
    :raises SchedulingError: where it is not one
    """
    try:
        event: T = _adapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SchedulingError(
            where, found=f'{".".join(map(str, first["loc"]))}: {first["msg"]}',
            expected=f'an event of kind {getattr(kind, "kind", kind.__name__)!r}') from error
    return event
