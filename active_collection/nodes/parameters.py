# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""ROS parameters into a checked settings model: one parameter a field, unknown ones refused."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum
from typing import Any
from typing import TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

from active_collection.config import validate
from active_collection.registry import unknown

M = TypeVar('M', bound=BaseModel)

#: Parameters that rclpy itself declares or reads.
OF_RCLPY = ('use_sim_time', 'start_type_description_service')
OF_RCLPY_PREFIX = 'qos_overrides.'


def declare(node: Node, model: type[M]) -> M:
    """
    Declare a parameter for each field of a settings model and return the model with their values.

    A nested model's fields get dotted names: `disk.reserve`. The node must have been made with
    `automatically_declare_parameters_from_overrides=True`, so that a misspelt parameter is seen.

    :raises ConfigError: naming the parameter, where one is unknown, missing or not valid
    """
    where = f'{node.get_fully_qualified_name()} parameters{_files()}'
    fields = dict(_leaves(model))
    given = {
        name: parameter.value
        for name, parameter in node.get_parameters_by_prefix('').items()
        if name not in OF_RCLPY and not name.startswith(OF_RCLPY_PREFIX)}
    for name in given:
        if name not in fields:
            raise unknown(where, name, list(fields))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        descriptor = ParameterDescriptor(
            name=name, description=field.description or '', dynamic_typing=True)
        if name in given:
            node.set_descriptor(name, descriptor)
            _put(values, name, given[name])
            continue
        default = field.get_default(call_default_factory=True)
        if default is PydanticUndefined:
            continue
        node.declare_parameter(name, _plain(default), descriptor)
        _put(values, name, default)
    return validate(values, model, where=where)


def _leaves(model: type[BaseModel], prefix: str = '') -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _leaves(kind, f'{prefix}{name}.')
        else:
            yield f'{prefix}{name}', field


def _put(values: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split('.')
    for parent in parents:
        values = values.setdefault(parent, {})
    values[last] = value


def _plain(value: Any) -> Any:
    """Return a default as rclpy takes it: lists for tuples, plain text for text enumerations."""
    if isinstance(value, (list, tuple)):
        return list(value)
    return value.value if isinstance(value, Enum) else value


def _files() -> str:
    """Name the parameter files of the command line, which rclpy does not remember."""
    files = [
        value for flag, value in zip(sys.argv, sys.argv[1:], strict=False)
        if flag == '--params-file']
    return f' ({", ".join(files)})' if files else ''
