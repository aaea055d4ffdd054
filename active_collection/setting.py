# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Fields of a settings model as users see them: type, range, unit, and when a change counts."""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any
from typing import Literal
from typing import get_args
from typing import get_origin

from pydantic import BaseModel
from pydantic import Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

#: Longest time that can be set where nothing else is said (s), a year: what waits, timers and
#: messages take ends not far beyond it.
LONGEST_S = 31_536_000


class Changes(Enum):
    """When a change of a setting counts that comes while its node runs."""

    AT_ONCE = 'at once'
    NEXT_EPISODE = 'next episode'
    CONFIGURING = 'configuration'
    STARTING = 'start'


#: What each of them means, for a person.
MEANINGS = {
    Changes.AT_ONCE: 'while the node runs; counts the next time that it is used',
    Changes.NEXT_EPISODE: 'while the node runs; counts from the next episode on',
    Changes.CONFIGURING: 'while the node is unconfigured; read when it is configured',
    Changes.STARTING: 'not while the node runs; read when it starts',
}


def setting(default: Any = PydanticUndefined, *, description: str, unit: str = '',
            changes: Changes = Changes.STARTING, **checks: Any) -> Any:
    """
    Return a field of a settings model.

    :param description: one line, without the unit
    :param unit: of the value: 's', 'bytes', 'Hz'; empty where it has none
    :param checks: as pydantic's Field takes them: ge, gt, le, lt, min_length, pattern; a time in
        s is at most LONGEST_S where they do not say
    """
    if unit == 's' and checks.keys().isdisjoint({'le', 'lt'}):
        checks['le'] = LONGEST_S
    return Field(default=default, description=description,
                 json_schema_extra={'unit': unit, 'changes': changes.value}, **checks)


@dataclass(frozen=True)
class Setting:
    """
    A field of a settings model.

    :param name: with dots where models are nested: 'threshold.budget'
    :param kind: type of the value or, of a list, of its entries
    :param default: None where it has to be given
    :param choices: texts that it may be, or its entries; empty: any
    :param low: smallest value; None: no bound
    :param is_above: whether it has to be larger than `low`, and not just as large
    :param high: largest value; None: no bound
    :param is_below: whether it has to be smaller than `high`
    :param least: characters or entries that it has at least
    :param pattern: regular expression that it matches; empty: any text
    """

    name: str
    kind: type
    is_list: bool
    default: object
    description: str
    unit: str
    changes: Changes
    choices: tuple[str, ...]
    low: float | None
    is_above: bool
    high: float | None
    is_below: bool
    least: int
    pattern: str

    @property
    def is_required(self) -> bool:
        """Tell whether it has no default."""
        return self.default is None

    @property
    def kind_words(self) -> str:
        """Return the type as `ros2 param` calls it: 'string array'."""
        name = {bool: 'boolean', int: 'integer', float: 'double', str: 'string'}[self.kind]
        return f'{name} array' if self.is_list else name

    @property
    def range_words(self) -> str:
        """Return which values it may have: 'above 0, at most 60'; empty for any."""
        if self.choices:
            *others, last = self.choices
            words = f'{", ".join(others)} or {last}' if others else last
            return f'each {words}' if self.is_list else words
        bounds = []
        if self.low is not None:
            bounds.append(f'{"above" if self.is_above else "at least"} {_number(self.low)}')
        if self.high is not None:
            bounds.append(f'{"below" if self.is_below else "at most"} {_number(self.high)}')
        if len(bounds) == 2 and not (self.is_above or self.is_below):
            bounds = [f'{_number(self.low)} to {_number(self.high)}']
        if self.least:
            bounds.append('not empty')
        return ', '.join(bounds)


def settings_of(model: type[BaseModel], prefix: str = '') -> Iterator[Setting]:
    """
    Give every field of a settings model in order, those of nested models with dotted names.

    :raises TypeError: where a field is of no type that a ROS parameter has
    """
    for name, field in model.model_fields.items():
        kind = field.annotation
        # Python 3.10 takes list[int] for a class, and then not.
        if get_origin(kind) is None and isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings_of(kind, f'{prefix}{name}.')
        else:
            yield _setting(f'{prefix}{name}', field)


def written(value: object) -> str:
    """Return a value as it stands in a parameter file: 'true', '[a, b]'."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f'[{", ".join(map(written, value))}]'
    return "''" if value == '' else str(value)


def _setting(name: str, field: FieldInfo) -> Setting:
    kind, is_list, choices = _type(name, field.annotation)
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    checks = {key: getattr(check, key) for check in field.metadata
              for key in ('gt', 'ge', 'lt', 'le', 'min_length', 'pattern')
              if getattr(check, key, None) is not None}
    return Setting(
        name=name, kind=kind, is_list=is_list, choices=choices,
        default=None if field.is_required() else field.get_default(call_default_factory=True),
        description=field.description or '', unit=str(extra.get('unit', '')),
        changes=Changes(extra.get('changes', Changes.STARTING.value)),
        low=checks.get('gt', checks.get('ge')), is_above='gt' in checks,
        high=checks.get('lt', checks.get('le')), is_below='lt' in checks,
        least=checks.get('min_length', 0), pattern=_text(checks.get('pattern', '')))


def _type(name: str, annotation: Any) -> tuple[type, bool, tuple[str, ...]]:
    """Return the type of a value or of a list's entries, whether it is a list, and its choices."""
    is_list = get_origin(annotation) in {tuple, list}
    entry = get_args(annotation)[0] if is_list else annotation
    choices = get_args(entry) if get_origin(entry) is Literal else ()
    kind = str if choices else entry
    if kind not in {bool, int, float, str} or not all(isinstance(c, str) for c in choices):
        raise TypeError(f'{name}: {annotation} is no type that a parameter has')
    return kind, is_list, choices


def _number(value: float | None) -> str:
    return f'{value:.12g}' if isinstance(value, float) else str(value)


def _text(pattern: str | re.Pattern[str]) -> str:
    return pattern if isinstance(pattern, str) else pattern.pattern
