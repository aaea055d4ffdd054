# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers and labels out of messages, by paths such as 'object_poses.poses[0:2].position'."""
from __future__ import annotations

import array
import re
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import is_dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from active_collection.errors import ConfigError
from active_collection.errors import UncertaintyError

Vector = NDArray[np.float64]

STEP = re.compile(r'([A-Za-z_]\w*)(?:\[([^\[\]]*)\])?')
RANGE = re.compile(r'(\d*):(\d*)')
SYNTAX = 'topic.field.field, with [2], [0:3] or [name, name] after a field'


@dataclass(frozen=True)
class _Step:
    """
    One field of a path, and which of its entries.

    :param start: first entry; None: the field as it is
    :param stop: one after the last entry; None: to the end
    :param names: entries whose name in the same message's `name` field is one of these, in this
        order (joint states come in any order)
    """

    field: str
    start: int | None = None
    stop: int | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class FieldPath:
    """
    A place in the messages of a topic.

    It reads anything that has the attributes of a ROS message: messages of rclpy, messages of
    rosbags and plain dataclasses, by one code path.

    :param topic: topic name as written, relative or absolute
    :param text: the whole path, for messages
    """

    topic: str
    text: str
    steps: tuple[_Step, ...]

    @classmethod
    def parse(cls, text: str) -> FieldPath:
        """
        Read 'topic.field[range].field'.

        :raises ConfigError: where the text is not such a path
        """
        topic, _, rest = text.partition('.')
        if not topic or not rest:
            raise ConfigError('field', found=repr(text), expected=SYNTAX)
        return cls(topic, text, tuple(_parse_step(part, text) for part in _split(rest)))

    @classmethod
    def whole(cls, topic: str) -> FieldPath:
        """Return the path of a topic's messages as they are."""
        return cls(topic, topic, ())

    def numbers(self, message: Any) -> Vector:
        """
        Return every number at the path, depth first in the message's field order.

        :returns: float64 of shape (n,)
        :raises UncertaintyError: where a field or an entry is missing, or is not a number
        """
        parts = [_numbers(value, self.text) for value in self._values(message, self.steps)]
        return np.concatenate(parts) if parts else np.empty(0)

    def label(self, message: Any) -> str:
        """
        Return the text at the path.

        :raises UncertaintyError: where a field is missing, or is not one text
        """
        values = list(self._values(message, self.steps))
        if len(values) != 1 or not isinstance(values[0], str):
            raise UncertaintyError(self.text, found=values, expected='one text')
        return values[0]

    def _values(self, owner: Any, steps: tuple[_Step, ...]) -> Iterator[Any]:
        if not steps:
            yield owner
            return
        step, rest = steps[0], steps[1:]
        value = getattr(owner, step.field, None)
        if value is None:
            raise UncertaintyError(
                self.text, found=f'no field {step.field!r} in {type(owner).__name__}',
                expected=f'one of {", ".join(_field_names(owner))}')
        if step.names:
            value = self._named(owner, value, step.names)
        elif step.start is not None:
            value = self._range(value, step)
        else:
            yield from self._values(value, rest)
            return
        if rest:
            for entry in value:
                yield from self._values(entry, rest)
        else:
            yield value

    def _range(self, value: Any, step: _Step) -> Any:
        if not hasattr(value, '__len__') or isinstance(value, str):
            raise UncertaintyError(self.text, found=f'{step.field!r} is one value',
                                   expected='an array')
        if step.stop is not None and len(value) < step.stop:
            raise UncertaintyError(self.text, found=f'{len(value)} entries in {step.field!r}',
                                   expected=f'at least {step.stop}')
        return value[step.start:step.stop]

    def _named(self, owner: Any, value: Any, names: tuple[str, ...]) -> Any:
        present = list(getattr(owner, 'name', ()))
        missing = [name for name in names if name not in present]
        if missing or len(present) != len(value):
            raise UncertaintyError(
                self.text, found=f'names {", ".join(present)} of {len(value)} entries',
                expected=f'an entry named {(missing or names)[0]!r}')
        return [value[present.index(name)] for name in names]


def stamp_ns(message: Any) -> int | None:
    """Return a message's header.stamp (ns); None where it has none or it is zero."""
    stamp = getattr(getattr(message, 'header', None), 'stamp', None)
    if stamp is None:
        return None
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec) or None


def _split(rest: str) -> Sequence[str]:
    """Split at dots outside brackets."""
    return re.split(r'\.(?![^\[]*\])', rest)


def _parse_step(part: str, text: str) -> _Step:
    match = STEP.fullmatch(part)
    if match is None:
        raise ConfigError(f'field {text!r}', found=repr(part), expected=SYNTAX)
    field, inside = match.groups()
    if inside is None:
        return _Step(field)
    if inside.strip().isdigit():
        index = int(inside)
        return _Step(field, start=index, stop=index + 1)
    range_ = RANGE.fullmatch(inside.replace(' ', ''))
    if range_ is not None:
        start, stop = int(range_[1] or 0), int(range_[2]) if range_[2] else None
        if stop is not None and stop <= start:
            raise ConfigError(f'field {text!r}', found=f'[{inside}]', expected='start below stop')
        return _Step(field, start=start, stop=stop)
    names = tuple(name.strip() for name in inside.split(','))
    if not all(names):
        raise ConfigError(f'field {text!r}', found=f'[{inside}]', expected=SYNTAX)
    return _Step(field, names=names)


def _field_names(message: Any) -> tuple[str, ...]:
    """Return a message's field names in its own order; none for what is not a message."""
    kind: Any = type(message)
    return _field_names_of(kind)


@cache
def _field_names_of(kind: Any) -> tuple[str, ...]:
    listed = getattr(kind, 'get_fields_and_field_types', None)
    if listed is not None:
        return tuple(listed())
    # rosbags' classes also list their __msgtype__
    return (tuple(field.name for field in fields(kind) if not field.name.startswith('__'))
            if is_dataclass(kind) else ())


def _numbers(value: Any, text: str) -> Vector:
    """Return the numbers of a value, an array or a whole message: float64 of shape (n,)."""
    if isinstance(value, (bool, int, float, np.number, np.bool_)):
        return np.array([value], dtype=np.float64)
    if isinstance(value, (np.ndarray, array.array)):
        numbers = np.asarray(value)
        if numbers.dtype.kind in 'biuf':
            return numbers.astype(np.float64).ravel()
    if isinstance(value, (bytes, bytearray)):
        return np.frombuffer(value, dtype=np.uint8).astype(np.float64)
    if isinstance(value, (list, tuple, np.ndarray)):
        return np.concatenate([np.empty(0), *(_numbers(entry, text) for entry in value)])
    names = _field_names(value)
    if not names:
        raise UncertaintyError(text, found=value, expected='numbers')
    return np.concatenate([_numbers(getattr(value, name), text) for name in names])
