# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a robot's nodes are told: by themselves, by parameter files, by their defaults."""
from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import TypeVar

from pydantic import BaseModel
from pydantic import RootModel

from active_collection.collecting.agent_settings import AgentSettings
from active_collection.config import load
from active_collection.config import validate
from active_collection.errors import ConfigError
from active_collection.recording.settings import RecorderSettings
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.setting import settings_of
from active_collection.uncertainty.settings import UncertaintySettings

M = TypeVar('M', bound=BaseModel)

MODELS: Mapping[str, type[BaseModel]] = {
    'recorder': RecorderSettings, 'uncertainty': UncertaintySettings, 'agent': AgentSettings,
    'scheduler': SchedulerSettings}
KEY = 'ros__parameters'


def settings_from(model: type[M], parameters: Mapping[str, Any], *, where: str) -> M:
    """
    Return a node's settings from its parameters; what rclpy adds to them is left aside.

    :param parameters: with dotted names where models are nested
    :raises ConfigError: naming the parameter that is not valid
    """
    values: dict[str, Any] = {}
    names = {setting.name for setting in settings_of(model)}
    for name, value in parameters.items():
        if name not in names:
            continue
        *parents, last = name.split('.')
        place = values
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return validate(values, model, where=where)


def read_parameters(path: Path) -> dict[str, dict[str, Any]]:
    """
    Return the parameters of each node in a ROS parameter file, with dotted names.

    A section whose name leaves the node open ('/**') is that of the node whose parameters it has.

    :raises ConfigError: where the file cannot be read, or a node would refuse it
    """
    sections = load(path, RootModel[dict[str, dict[str, Any]]]).root
    found: dict[str, dict[str, Any]] = {}
    for name, section in sections.items():
        parameters = section.get(KEY)
        if not isinstance(parameters, dict):
            raise ConfigError(f'{path}: {name}', found='nothing' if parameters is None else
                              type(parameters).__name__, expected=KEY)
        node = _node_of(name, parameters)
        if node is not None:
            validate(parameters, MODELS[node], where=f'{path}: {name}')
            found.setdefault(node, {}).update(_dotted(parameters))
    return found


def _node_of(name: str, parameters: Mapping[str, Any]) -> str | None:
    """Return which of our nodes a section is for; None for none of them."""
    last = name.rpartition('/')[2]
    if last in MODELS:
        return last
    if '*' not in last:
        return None
    known = {node: len(set(parameters) & set(model.model_fields))
             for node, model in MODELS.items()}
    best = max(known, key=lambda node: known[node])
    return best if known[best] else None


def _dotted(parameters: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    return dict(_leaves(parameters, prefix))


def _leaves(parameters: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f'{prefix}{name}.')
        else:
            yield f'{prefix}{name}', value
