# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Configuration files: YAML into checked, frozen models, with the line of every mistake."""
from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import TypeVar

import yaml
from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import RootModel
from pydantic import ValidationError
from pydantic import create_model
from pydantic_core import ErrorDetails

from active_collection.errors import ConfigError
from active_collection.errors import shorten

M = TypeVar('M', bound=BaseModel)
Location = tuple[str | int, ...]


class Model(BaseModel):
    """Base of everything that is read from a configuration file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra='forbid', allow_inf_nan=False)


class PlacedError(ValueError):
    """
    A validator's mistake in a value further in than the one it looks at, so that it has a line.

    :param location: keys and indices that lead there from the value that the validator looks at
    :param found: what stands there
    """

    def __init__(self, location: Location, *, found: object, expected: str) -> None:
        super().__init__(expected)
        self.location = location
        self.found = found


#: Values in a file, each alias counted as what it stands for: beyond it, a few lines of aliases
#: of aliases would fill the memory.
MOST_VALUES = 1_000_000


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, and gives every refusal its line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            kind = node.tag.rpartition(':')[2]
            raise yaml.constructor.ConstructorError(
                None, None, f'no {kind}: {shorten(node.value)}',
                node.start_mark) from error


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.constructor.ConstructorError(
                None, None, 'a key that is no text', key.start_mark)
        if key.value in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f'key {key.value!r} given twice', key.start_mark)
        seen.add(key.value)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


def load(path: Path | str, model: type[M]) -> M:
    """
    Read a YAML file into a model.

    :raises ConfigError: naming file, line and key, where the file is missing, is not YAML, lacks a
        key, has an unknown one or a value out of range
    """
    path = Path(path)
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(path, found=error, expected='a readable YAML file') from error
    return parse(text, model, where=str(path))


def parse(text: str, model: type[M], *, where: str) -> M:
    """
    Read YAML text into a model.

    :param where: what the text is, for messages: a path
    :raises ConfigError: as `load` does
    """
    try:
        root, data = _read(text)
    except RecursionError as error:
        raise ConfigError(where, found='values nested too deeply', expected='YAML') from error
    except yaml.YAMLError as error:
        mark = getattr(error, 'problem_mark', None)
        line = f':{mark.line + 1}' if mark else ''
        problem = getattr(error, 'problem', None) or str(error)
        raise ConfigError(f'{where}{line}', found=problem, expected='YAML') from error
    if not isinstance(data, dict):
        raise ConfigError(where, found=type(data).__name__, expected='a mapping of keys')
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _first_mistake(error, model, where, root) from error


def _read(text: str) -> tuple[yaml.Node | None, Any]:
    """Return the nodes of YAML text, for their lines, and what they say."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None, None
        if _values(root, {}) > MOST_VALUES:
            raise yaml.constructor.ConstructorError(
                None, None, f'more than {MOST_VALUES} values, aliases resolved', root.start_mark)
        return root, loader.construct_document(root)
    finally:
        loader.dispose()


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node has, those of an alias counted again; 1 in a cycle."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = 1
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        children = [value for _, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    known[id(node)] = 1 + sum(_values(child, known) for child in children)
    return known[id(node)]


def validate(data: Mapping[str, Any], model: type[M], *, where: str) -> M:
    """
    Check values that came from elsewhere (ROS parameters, a command line) against a model.

    :param where: what the values are, for messages: 'recorder parameters'
    :raises ConfigError: naming the key
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise _first_mistake(error, model, where, None) from error


def load_parameters(path: Path | str, model: type[M]) -> M:
    """
    Read the parameters of a node from the file that it is started with, of this node alone.

    :raises ConfigError: as `load` does
    """
    node = create_model('Node', __base__=Model, ros__parameters=(model, ...))
    nodes = load(path, RootModel[dict[str, node]]).root  # type: ignore[valid-type]
    if len(nodes) != 1:
        raise ConfigError(path, found=', '.join(nodes) or 'nothing',
                          expected='the parameters of one node')
    parameters: M = next(iter(nodes.values())).ros__parameters  # type: ignore[attr-defined]
    return parameters


def _first_mistake(error: ValidationError, model: type[BaseModel], where: str,
                   root: yaml.Node | None) -> ConfigError:
    mistakes = error.errors(include_url=False)
    mistake = next((m for m in mistakes if _stands_for_missing(m, mistakes)), mistakes[0])
    cause = mistake.get('ctx', {}).get('error')
    location: Location = mistake['loc']
    found = mistake.get('input')
    if isinstance(cause, PlacedError):
        location, found = location + cause.location, cause.found
    line = f':{_line(root, location)}' if root is not None else ''
    key = '.'.join(str(part) for part in location) or 'file'
    more = f' (and {error.error_count() - 1} more)' if error.error_count() > 1 else ''
    if mistake['type'] == 'extra_forbidden':
        known = _known_keys(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f' (did you mean {near[0]!r}?)' if near else ''
        expected = f'one of {", ".join(known)}' if known else 'no such key'
        return ConfigError(
            f'{where}{line}: {key}', found=f'an unknown key{hint}', expected=expected + more)
    if mistake['type'] == 'missing':
        return ConfigError(f'{where}{line}: {key}', found='nothing', expected='this key' + more)
    message = mistake['msg'].removeprefix('Value error, ').removeprefix('Input should be ')
    return ConfigError(
        f'{where}{line}: {key}', found=repr(found),
        expected=message[:1].lower() + message[1:] + more)


def _stands_for_missing(mistake: ErrorDetails, mistakes: list[ErrorDetails]) -> bool:
    """Tell whether a key is unknown because one that is missing beside it was misspelt so."""
    place, key = mistake['loc'][:-1], mistake['loc'][-1:]
    missing = [str(m['loc'][-1]) for m in mistakes
               if m['type'] == 'missing' and m['loc'][:-1] == place]
    return (mistake['type'] == 'extra_forbidden'
            and bool(difflib.get_close_matches(str(key[0]), missing, n=1)))


def _known_keys(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys that the model at a location has; none where there is no model."""
    current: Any = model
    for part in location:
        fields = getattr(current, 'model_fields', None)
        if fields is not None and part in fields:
            current = fields[part].annotation
        elif fields is not None and 'root' in fields:  # a mapping whose keys may be any
            current = fields['root'].annotation
        elif fields is None:
            continue
        while getattr(current, '__args__', None) and not hasattr(current, 'model_fields'):
            models = [a for a in current.__args__ if hasattr(a, 'model_fields')]
            nested = [a for a in current.__args__ if getattr(a, '__args__', None)]
            if not (models or nested):
                break
            current = (models or nested)[0]
    return list(getattr(current, 'model_fields', {}))


def _line(root: yaml.Node | None, location: Location) -> int:
    """Return the line, from 1, of the deepest node of a location that stands in the file."""
    node, line = root, 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
