# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A node's ROS parameters as a checked settings model, from its start to its end."""
from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Generic
from typing import TypeVar

from pydantic import BaseModel
from rcl_interfaces.msg import ParameterDescriptor
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from active_collection.config import validate
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.nodes.parameter_types import descriptor_of
from active_collection.nodes.parameter_types import to_python
from active_collection.nodes.parameter_types import to_ros
from active_collection.nodes.unexpected import Unexpected
from active_collection.nodes.unexpected import answering
from active_collection.registry import unknown
from active_collection.setting import Changes
from active_collection.setting import settings_of
from active_collection.setting import written

M = TypeVar('M', bound=BaseModel)

#: Parameters that rclpy itself declares or reads.
OF_RCLPY = ('use_sim_time', 'start_type_description_service')
OF_RCLPY_PREFIX = 'qos_overrides.'


class ParameterNode(Node, Generic[M]):
    """
    A node whose parameters are the fields of a settings model: `disk.reserve` for a nested one.

    A change is checked against the whole model, and the node takes it at once or refuses it with
    the reason. Every one of the node's own parameters has a descriptor with its type, its range
    and when it can change; rclpy's own are read at the start.

    A subclass calls `declare_settings` first, and may override `take_settings` and `refusal`.
    """

    _declared: _Declared[M] | None = None
    _unexpected: Unexpected | None = None

    @property
    def unexpected(self) -> Unexpected:
        """Return what takes the errors that nobody foresaw."""
        if self._unexpected is None:  # asked for by rclpy's constructor first, in one thread
            self._unexpected = Unexpected(self)
        return self._unexpected

    def create_service(self, srv_type: Any, srv_name: str, callback: Callable[..., Any],
                       **options: Any) -> Any:
        """Create a service that answers with the reason where its callback fails."""
        return super().create_service(
            srv_type, srv_name, answering(lambda: self.unexpected, srv_name, callback), **options)

    @property
    def settings(self) -> M:
        """Return the settings in force; never changed in place, so any thread may read them."""
        if self._declared is None:
            raise RuntimeError('declare_settings has not been called')
        return self._declared.settings

    def declare_settings(self, model: type[M]) -> M:
        """
        Declare a parameter for each field of a settings model and return what they say.

        The node must have been made with `automatically_declare_parameters_from_overrides=True`,
        so that a misspelt parameter is seen.

        :raises ConfigError: naming the parameter, where one is unknown, missing or not valid
        """
        declared = _Declared(self, model)
        self._declared = declared
        return declared.settings

    def take_settings(self, settings: M, names: Collection[str]) -> None:
        """
        Take changed settings, before they are in force.

        :param names: of the parameters that were set, to another value or to the same once more
        :raises ActiveCollectionError: where they cannot be; nothing has changed
        """

    def refusal(self, changes: Changes) -> str:
        """Return why a parameter cannot be changed as things are; empty where it can."""
        if changes in {Changes.AT_ONCE, Changes.NEXT_EPISODE}:
            return ''
        return ('is read when the node starts: set it in the parameter file and restart the '
                'node')

    def set_parameters(self, parameter_list: Sequence[Parameter]) -> list[SetParametersResult]:
        """Set parameters one after the other, each with its result."""
        return [self.set_parameters_atomically([parameter]) for parameter in parameter_list]

    def set_parameters_atomically(self,
                                  parameter_list: Sequence[Parameter]) -> SetParametersResult:
        """Set all of the parameters or, where one of them cannot be, none; the result says why."""
        declared = self._declared
        if declared is None:
            return super().set_parameters_atomically(list(parameter_list))
        with declared.lock:
            try:
                change = declared.change(parameter_list, self)
                if change.parameters:
                    self.take_settings(change.settings, [p.name for p in change.parameters])
            except ActiveCollectionError as error:
                self.get_logger().warning(f'parameters not changed: {error}')
                return SetParametersResult(successful=False, reason=str(error))
            except Exception as error:  # the others of the list get their results, too
                return SetParametersResult(
                    successful=False, reason=self.unexpected.note('set_parameters', error))
            if not change.parameters:
                return SetParametersResult(successful=True)
            result = super().set_parameters_atomically(change.parameters)
            if not result.successful:  # somebody else's callback says no
                self.take_settings(declared.settings, [p.name for p in change.parameters])
                return result
            declared.values, declared.settings = change.values, change.settings
        if change.words:
            self.get_logger().info(f'parameters changed: {", ".join(change.words)}')
        return result


@dataclass(frozen=True)
class _Change(Generic[M]):
    """
    Parameters that are about to change.

    :param values: of all parameters after it
    :param parameters: those that are set
    :param words: what changes, for the log
    """

    values: dict[str, Any]
    settings: M
    parameters: list[Parameter]
    words: list[str]


class _Declared(Generic[M]):
    """
    The parameters of a node that are declared, and what they say.

    `values` are as they were given, by dotted name; `settings` what the model makes of them.
    """

    def __init__(self, node: Node, model: type[M]) -> None:
        self.lock = threading.RLock()
        self._model = model
        self._name = node.get_fully_qualified_name()
        self._known = {setting.name: setting for setting in settings_of(model)}
        where = f'{self._name} parameters{_files()}'
        given = {name: parameter for name, parameter in node.get_parameters_by_prefix('').items()
                 if not _is_of_rclpy(name)}
        for name in given:
            if name not in self._known:
                raise unknown(where, name, list(self._known))
        self.values = {
            name: to_python(setting, given[name], where) if name in given else setting.default
            for name, setting in self._known.items()
            if name in given or not setting.is_required}
        self.settings = validate(_nested(self.values), model, where=where)
        for name, value in self.values.items():
            setting = self._known[name]
            if name not in given:
                node.declare_parameter(name, to_ros(setting, value).value,
                                       ParameterDescriptor(dynamic_typing=True))
            # A value of the type that was not given, 5 for 5.0, is put in its place.
            node.set_descriptor(name, descriptor_of(setting),
                                to_ros(setting, value).get_parameter_value())
        for name in OF_RCLPY:
            if node.has_parameter(name) and not node.describe_parameter(name).read_only:
                node.set_descriptor(name, ParameterDescriptor(
                    type=node.get_parameter(name).type_.value, read_only=True,
                    description='of ROS: whether time comes from the topic /clock'))

    def change(self, parameters: Sequence[Parameter], node: ParameterNode[M]) -> _Change[M]:
        """
        Return what a change of parameters comes to.

        One that cannot be changed may be among them with the value that it has, as in a file with
        all of a node's parameters.

        :raises ConfigError: naming the parameter that is unknown, not valid or cannot be changed
        """
        values = dict(self.values)
        changed: list[Parameter] = []
        words: list[str] = []
        for parameter in parameters:
            name = parameter.name
            if _is_of_rclpy(name) and node.has_parameter(name):
                if parameter.value != node.get_parameter(name).value:
                    raise self._refused(name, node, Changes.STARTING)
                continue
            if name not in self._known:
                raise unknown(f'{self._name} parameters', name, list(self._known))
            setting = self._known[name]
            value = to_python(setting, parameter, self._name)
            is_same = value == values[name]
            if node.refusal(setting.changes):
                if is_same:
                    continue
                raise self._refused(name, node, setting.changes)
            if not is_same:
                words.append(f'{name} from {written(values[name])} to {written(value)}')
            values[name] = value
            changed.append(to_ros(setting, value))
        settings = validate(_nested(values), self._model, where=self._name)
        return _Change(values, settings, changed, words)

    def _refused(self, name: str, node: ParameterNode[M], changes: Changes) -> ConfigError:
        return ConfigError(f'{self._name}: {name}', found='a change while the node runs',
                           expected=f'none, as it {node.refusal(changes)}')


def _is_of_rclpy(name: str) -> bool:
    return name in OF_RCLPY or name.startswith(OF_RCLPY_PREFIX)


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted name as the model takes them: a dictionary for a nested model."""
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *parents, last = name.split('.')
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return nested


def _files() -> str:
    """Name the parameter files of the command line, which rclpy does not remember."""
    files = [
        value for flag, value in zip(sys.argv, sys.argv[1:], strict=False)
        if flag == '--params-file']
    return f' ({", ".join(files)})' if files else ''
