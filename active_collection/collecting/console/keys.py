# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which key does what, and which key a terminal has sent."""
from __future__ import annotations

import re
from collections.abc import Mapping

from active_collection.errors import ConfigError
from active_collection.registry import unknown

#: What keys can do, in the order in which they are shown, and the keys that do it.
DEFAULTS = {
    'ready': 'space', 'success': 's', 'failure': 'f', 'discard': 'd', 'redo': 'r', 'undo': 'u',
    'pause': 'p', 'quit': 'q'}

_CONTROL = {' ': 'space', '\n': 'enter', '\r': 'enter', '\t': 'tab', '\x7f': 'backspace',
            '\x08': 'backspace', '\x1b': 'escape'}
_SEQUENCES = {
    '[A': 'up', '[B': 'down', '[C': 'right', '[D': 'left', 'OA': 'up', 'OB': 'down',
    'OC': 'right', 'OD': 'left', '[H': 'home', '[F': 'end', '[1~': 'home', '[4~': 'end',
    '[2~': 'insert', '[3~': 'delete', '[5~': 'pageup', '[6~': 'pagedown',
    **{f'O{letter}': f'f{number}' for number, letter in enumerate('PQRS', 1)},
    **{f'[{code}~': f'f{number}' for number, code in enumerate(
        (11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 23, 24), 1)}}
#: Keys with a name; any other is the character that it types.
NAMED = tuple(sorted({*_CONTROL.values(), *_SEQUENCES.values()}))
_ONE = re.compile(r'\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~])|.', re.DOTALL)


def typed(text: str) -> list[str]:
    """
    Return the names of the keys that a terminal sent, in order; empty names for unknown ones.

    :param text: whole sequences: what came at once
    """
    names = []
    for key in _ONE.findall(text):
        if len(key) > 1:
            names.append(_SEQUENCES.get(key[1:], ''))
        else:
            names.append(_CONTROL.get(key, key if key.isprintable() else ''))
    return names


class Keys:
    """
    Which key does what.

    :param by_action: action to key; every action has one
    """

    def __init__(self, by_action: Mapping[str, str]) -> None:
        self.by_action = dict(by_action)
        self._actions = {key: action for action, key in by_action.items()}

    def action(self, key: str) -> str:
        """Return what a key does; empty where that is nothing."""
        return self._actions.get(key, '')


def keys(text: str) -> Keys:
    """
    Return the keys as configured: 'ready=enter,discard=x'; the others stay as they are.

    :raises ConfigError: for what is no action or no key, and for a key that would do two things
    """
    chosen = dict(DEFAULTS)
    for part in filter(None, (piece.strip() for piece in text.split(','))):
        action, equals, key = (piece.strip() for piece in part.partition('='))
        if not equals:
            raise ConfigError('operator_keys: --keys', found=repr(part),
                              expected="an action, =, and a key: 'ready=enter'")
        if action not in DEFAULTS:
            raise unknown('operator_keys: --keys', action, list(DEFAULTS))
        if key not in NAMED and not (len(key) == 1 and key.isprintable()):
            raise ConfigError(f'operator_keys: --keys {action}', found=repr(key),
                              expected=f'a character or one of {", ".join(NAMED)}')
        chosen[action] = key
    for key in chosen.values():
        same = [other for other, its in chosen.items() if its == key]
        if len(same) > 1:
            raise ConfigError('operator_keys: --keys', found=f'{key} for {" and ".join(same)}',
                              expected='a key of its own for each')
    return Keys(chosen)
