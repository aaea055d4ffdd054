# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The definition of any installed message type, as a bag carries it: text, dependencies, hash."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from active_collection.mcap.records import Schema

SEPARATOR = '=' * 80 + '\n'
TYPE = re.compile(r'([A-Za-z][A-Za-z0-9_]*)/(msg|srv|action)/([A-Za-z][A-Za-z0-9_]*)')
HEADERS = frozenset({'Header', 'std_msgs/Header', 'std_msgs/msg/Header'})
PRIMITIVES = frozenset({
    'bool', 'byte', 'char', 'float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32',
    'uint32', 'int64', 'uint64', 'string', 'wstring'})


@dataclass(frozen=True, slots=True)
class Definition:
    """
    A message type's definition.

    :param type: 'sensor_msgs/msg/Image'
    :param encoding: 'ros2msg' or 'ros2idl'; empty where the type is not installed here
    :param text: its own text and that of every type in it
    :param type_hash: 'RIHS01_…'; empty where the ROS 2 release has none
    """

    type: str
    encoding: str = ''
    text: str = ''
    type_hash: str = ''

    def schema(self) -> Schema | None:
        """Return it as an MCAP file carries it; None where the type is not installed here."""
        return Schema(0, self.type, self.encoding, self.text) if self.encoding else None

    @property
    def begins_with_header(self) -> bool:
        """Tell whether the first field is a std_msgs/Header, as far as the text tells."""
        if self.encoding != 'ros2msg':
            return False
        for line in self.text.split(SEPARATOR, 1)[0].splitlines():
            words = line.split('#', 1)[0].split()
            if len(words) >= 2 and '=' not in ''.join(words[1:]):
                return words[0] in HEADERS
        return False


class Definitions:
    """
    Definitions of installed types, read from the files that each package installs with them.

    :param prefixes: installation prefixes, the first wins: AMENT_PREFIX_PATH
    """

    def __init__(self, prefixes: Sequence[Path]) -> None:
        self._prefixes = tuple(prefixes)
        self._known: dict[str, Definition] = {}

    def get(self, type_name: str) -> Definition:
        """
        Return a type's definition; one with an empty text where it is not installed.

        A bag can hold such a topic's bytes all the same, and someone who has the type reads them.
        """
        if type_name not in self._known:
            self._known[type_name] = self._read(type_name)
        return self._known[type_name]

    def _read(self, type_name: str) -> Definition:
        if not TYPE.fullmatch(type_name):
            return Definition(type_name)
        for encoding, suffix in (('ros2msg', '.msg'), ('ros2idl', '.idl')):
            texts = self._texts(type_name, suffix)
            if texts:
                return Definition(
                    type_name, encoding, _joined(texts, encoding), self._hash(type_name))
        return Definition(type_name)

    def _texts(self, type_name: str, suffix: str) -> dict[str, str]:
        """Return the text of a type and of all types in it; nothing if one of them is missing."""
        texts: dict[str, str] = {}
        wanted = [type_name]
        while wanted:
            name = wanted.pop(0)
            if name in texts:
                continue
            path = self._find(name, suffix)
            if path is None:
                return {}
            text = path.read_text(encoding='utf-8')
            texts[name] = text
            wanted += _types_in_msg(text, name) if suffix == '.msg' else _types_in_idl(text)
        return texts

    def _find(self, type_name: str, suffix: str) -> Path | None:
        for prefix in self._prefixes:
            path = prefix / 'share' / f'{type_name}{suffix}'
            if path.is_file():
                return path
        return None

    def _hash(self, type_name: str) -> str:
        path = self._find(type_name, '.json')
        if path is None:
            return ''
        try:
            hashes = json.loads(path.read_text(encoding='utf-8'))['type_hashes']
            return next(str(h['hash_string']) for h in hashes if h['type_name'] == type_name)
        except (OSError, ValueError, KeyError, TypeError, StopIteration):
            return ''


def from_sources(type_name: str, type_hash: str,
                 sources: Mapping[str, tuple[str, str]]) -> Definition:
    """
    Return a definition as the type description service of a publisher's node tells it.

    :param sources: type name to encoding ('msg' or 'idl') and text, of the type and all in it
    :return: without a text where they are not all of one encoding
    """
    encodings = {encoding for encoding, _ in sources.values()}
    if type_name not in sources or encodings not in ({'msg'}, {'idl'}):
        return Definition(type_name, type_hash=type_hash)
    first = {type_name: sources[type_name][1]}
    texts = first | {name: text for name, (_, text) in sources.items() if name != type_name}
    encoding = f'ros2{encodings.pop()}'
    return Definition(type_name, encoding, _joined(texts, encoding), type_hash)


def _joined(texts: dict[str, str], encoding: str) -> str:
    """Put the texts into one, as rosbag2 does: MSG without, IDL with a heading on the first."""
    texts = {name: text.replace('\r\n', '\n') for name, text in texts.items()}
    first, *others = texts
    if encoding == 'ros2idl':
        return '\n'.join(f'{SEPARATOR}IDL: {name}\n{text}' for name, text in texts.items())
    parts = [texts[first]]
    parts += [f'{SEPARATOR}MSG: {name.replace("/msg/", "/")}\n{texts[name]}' for name in others]
    return '\n'.join(parts)


def _types_in_msg(text: str, of: str) -> list[str]:
    package = of.split('/', 1)[0]
    found = []
    for line in text.splitlines():
        words = line.split('#', 1)[0].split()
        if len(words) < 2:
            continue
        name = re.split(r'[\[<]', words[0], maxsplit=1)[0]
        if name in PRIMITIVES:
            continue
        parts = name.split('/')
        if name == 'Header':
            found.append('std_msgs/msg/Header')
        elif len(parts) == 1:
            found.append(f'{package}/msg/{name}')
        else:
            found.append(f'{parts[0]}/msg/{parts[-1]}')
    return found


def _types_in_idl(text: str) -> list[str]:
    return [f'{package}/{kind}/{name}' for package, kind, name in re.findall(
        r'#include\s+"([^/"]+)/(msg|srv|action)/([^/".]+)\.idl"', text)]
