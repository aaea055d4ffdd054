# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a setting is as a ROS parameter: its descriptor, and its value in either direction."""
from __future__ import annotations

import sys
from array import array
from typing import Any

from rcl_interfaces.msg import FloatingPointRange
from rcl_interfaces.msg import IntegerRange
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.parameter import Parameter

from active_collection.errors import ConfigError
from active_collection.setting import MEANINGS
from active_collection.setting import Changes
from active_collection.setting import Setting
from active_collection.setting import written

TYPES = {
    (bool, False): Parameter.Type.BOOL, (bool, True): Parameter.Type.BOOL_ARRAY,
    (int, False): Parameter.Type.INTEGER, (int, True): Parameter.Type.INTEGER_ARRAY,
    (float, False): Parameter.Type.DOUBLE, (float, True): Parameter.Type.DOUBLE_ARRAY,
    (str, False): Parameter.Type.STRING, (str, True): Parameter.Type.STRING_ARRAY,
}
#: What stands in a descriptor where there is no bound: it has no other word for it.
LARGEST = {int: 2**63 - 1, float: sys.float_info.max}


def descriptor_of(setting: Setting) -> ParameterDescriptor:
    """
    Return what others are told of a setting.

    A ROS range has both ends and includes them: a bound that is none is the largest number of the
    type, and that a value has to be above or below one stands in the additional constraints.
    """
    unit = f' [{setting.unit}]' if setting.unit else ''
    constraints = [setting.range_words]
    if setting.pattern:
        constraints.append(f'matching {setting.pattern}')
    constraints.append(f'can be set {MEANINGS[setting.changes]}')
    descriptor = ParameterDescriptor(
        name=setting.name, type=TYPES[setting.kind, setting.is_list].value,
        description=f'{setting.description}{unit}',
        additional_constraints='; '.join(filter(None, constraints)),
        read_only=setting.changes is Changes.STARTING)
    if not setting.is_list and (setting.low is not None or setting.high is not None):
        most = LARGEST[setting.kind]
        low = -most if setting.low is None else setting.kind(setting.low)
        high = most if setting.high is None else min(most, setting.kind(setting.high))
        if setting.kind is float:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
    return descriptor


def to_python(setting: Setting, parameter: Parameter, where: str) -> Any:
    """
    Return the value of a parameter as a settings model takes it.

    A whole number does for a double, 5.0 for an integer, and an empty list of any type, which
    ROS cannot tell apart, for an empty list.

    :param where: whose parameter it is, for messages
    :raises ConfigError: where it is of another type
    """
    value = parameter.value
    if isinstance(value, (list, tuple, array)) == setting.is_list:
        given = value if setting.is_list else [value]
        entries = [_entry(setting.kind, entry) for entry in given]
        if None not in entries:
            return tuple(entries) if setting.is_list else entries[0]
    raise ConfigError(
        f'{where}: {setting.name}', found='nothing' if value is None else repr(value),
        expected=_wanted(setting, value))


def to_ros(setting: Setting, value: Any) -> Parameter:
    """Return a parameter, of the setting's own type, with a value of the settings model."""
    plain: Any = [*value] if setting.is_list else value
    if setting.kind is float:
        plain = list(map(float, plain)) if setting.is_list else float(plain)
    return Parameter(setting.name, TYPES[setting.kind, setting.is_list], plain)


def _entry(kind: type, value: object) -> object:
    """Return a value as one of a type; None where it is none."""
    if kind is float and type(value) is int:
        return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is kind else None


def _wanted(setting: Setting, value: object) -> str:
    """Return what was expected in place of a value of another type."""
    words = ', '.join(filter(None, [setting.kind_words, setting.range_words]))
    if setting.is_list and isinstance(value, setting.kind):
        return f'{words}, as in [{written(value)}]'
    if not setting.is_list and setting.kind is str and isinstance(value, (bool, int, float)):
        return f"""{words}, as in "'{written(value)}'\""""
    return words
