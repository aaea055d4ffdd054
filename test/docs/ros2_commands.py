# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a `ros2` command names launch files, nodes, parameters and interfaces that there are."""
from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import pairwise

import yaml
from blocks import ROOT
from blocks import Wrong
from blocks import shares
from pydantic import ValidationError

from active_collection.collecting.console import options as operator_keys
from active_collection.errors import ActiveCollectionError
from active_collection.nodes.catalogue import NODES
from active_collection.setting import settings_of

sys.path.insert(0, str(ROOT / 'docs'))
from generator import interfaces


def ros2(arguments: list[str]) -> None:
    """
    Look at the arguments of `ros2`.

    :raises Wrong: where the command would not work
    """
    known: dict[tuple[str, ...], Callable[[list[str]], None]] = {
        ('launch',): _launch, ('run',): _run, ('topic', 'echo'): _topic, ('topic', 'hz'): _topic,
        ('service', 'call'): _service, ('action', 'send_goal'): _action, ('param', 'set'): _param,
        ('param', 'get'): _param, ('param', 'describe'): _param,
        ('pkg', 'prefix'): lambda _: None, ('node', 'list'): lambda _: None,
        ('topic', 'list'): lambda _: None, ('bag', 'info'): lambda _: None,
        ('bag', 'play'): lambda _: None, ('interface', 'show'): _interface,
        ('lifecycle', 'set'): lambda _: None, ('param', 'list'): lambda _: None}
    for words, look in known.items():
        if tuple(arguments[:len(words)]) == words:
            look(arguments[len(words):])
            return
    raise Wrong(f'ros2 {" ".join(arguments[:2])}: not known here')


def _launch(arguments: list[str]) -> None:
    package, file, *given = arguments
    if package not in {'active_collection', 'point_robot'}:
        return
    text = '\n'.join((share / 'launch' / file).read_text() for share in shares(package)
                     if (share / 'launch' / file).is_file())
    if not text:
        raise Wrong(f'ros2 launch {package} {file}: no such file')
    # Those that all of our launch files have.
    text += (ROOT / 'active_collection' / 'nodes' / 'launching' / 'actions.py').read_text()
    for argument in given:
        name, assigned, _ = argument.partition(':=')
        if assigned and f"'{name}'" not in text:
            raise Wrong(f'ros2 launch {file}: no argument {name}')


def _run(arguments: list[str]) -> None:
    package, executable, *rest = arguments
    if package != 'active_collection':
        return
    if executable == 'operator_keys':
        try:
            operator_keys.parse(rest)
        except (ActiveCollectionError, SystemExit) as error:
            raise Wrong(f'ros2 run {package} {executable}: {error}') from error
        return
    if executable not in NODES and executable != 'demo':
        raise Wrong(f'ros2 run {package} {executable}: no such executable')
    for flag, value in pairwise(rest):
        if flag == '-p':
            name, _, text = value.partition(':=')
            _parameter(executable, name, text)


def _parameter(node: str, name: str, text: str | None = None) -> None:
    if node not in NODES:
        raise Wrong(f'{node}: no such node')
    settings = NODES[node].settings()
    if name == 'use_sim_time':
        return
    if name not in {setting.name for setting in settings_of(settings)}:
        raise Wrong(f'{node}: no parameter {name}')
    if text is None or 'SUBSTITUTED' in text or '$' in text:
        return
    values: dict[str, object] = {}
    inner = values
    *parents, last = name.split('.')
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = yaml.safe_load(text)
    try:
        settings.model_validate(values)
    except ValidationError as error:
        wrong = [e for e in error.errors() if '.'.join(map(str, e['loc'])).startswith(name)]
        if wrong:
            raise Wrong(f'{node}: {name}: {wrong[0]["msg"]}') from error


def _look_up(name: str) -> str:
    """Return the type behind a full name: that of the relative name, in whatever namespace."""
    for node in NODES.values():
        for endpoint in node.endpoints:
            if re.fullmatch(rf'(/[\w$]+)*/{re.escape(endpoint.name.lstrip("/"))}', name):
                return endpoint.type
    raise Wrong(f'{name}: of no node')


def _topic(arguments: list[str]) -> None:
    for name in arguments:
        if name.startswith('/'):
            _look_up(name)


def _fields(kind: str, part: str, text: str) -> None:
    entries = interfaces.read(next(ROOT.glob(f'*/{kind}.*'))).parts[part]
    names = {entry.name: entry for entry in entries if not entry.value}
    values = yaml.safe_load(text)
    for name in values or {}:
        if name not in names:
            raise Wrong(f'{kind}: no field {name}')


def _call(arguments: list[str], folder: str, part: str) -> None:
    arguments = [a for a in arguments if not a.startswith('--')]
    name, kind, *text = arguments
    wanted = _look_up(name)
    package, _, short = kind.rpartition('/')
    if short != wanted.rpartition('/')[2]:
        raise Wrong(f'{name}: found {kind}, expected {wanted}')
    if package.startswith('active_collection'):
        if package != f'active_collection/{folder}':
            raise Wrong(f'{kind}: expected active_collection/{folder}/{short}')
        if text:
            _fields(short, part, text[0])


def _service(arguments: list[str]) -> None:
    _call(arguments, 'srv', 'Request')


def _action(arguments: list[str]) -> None:
    _call(arguments, 'action', 'Goal')


def _param(arguments: list[str]) -> None:
    node, name, *value = arguments
    _parameter(node.rpartition('/')[2], name, value[0] if value else None)


def _interface(arguments: list[str]) -> None:
    package, folder, name = arguments[0].split('/')
    if package == 'active_collection' and not list((ROOT / folder).glob(f'{name}.*')):
        raise Wrong(f'{arguments[0]}: no such interface')
