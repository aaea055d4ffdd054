# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Turn the raw bytes of a message into an object, by the definition that its bag carries."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any
from typing import cast

from rosbags.typesys import Stores
from rosbags.typesys import get_types_from_idl
from rosbags.typesys import get_types_from_msg
from rosbags.typesys import get_typestore

from active_collection.bags.storage import Connection
from active_collection.errors import BagError
from active_collection.mcap.limits import Buffer

Decoder = Callable[[Buffer], Any]

#: Types of bags without definitions (sqlite3 before Iron) are taken from here.
_FALLBACK = Stores.ROS2_JAZZY
_IDL_SEPARATOR = '=' * 80 + '\n'


def decoder(connection: Connection, *, where: str) -> Decoder:
    """
    Return what turns a message's bytes into an object with the message's fields as attributes.

    :param connection: the topic, with its type and, where the bag has it, its definition
    :param where: bag and topic, for messages
    :raises BagError: where the type or the serialization is unknown or the definition corrupt
    """
    if connection.encoding not in {'cdr', 'ros1'}:
        raise BagError(where, found=f'messages serialized as {connection.encoding!r}',
                       expected='cdr or ros1')
    try:
        return _decoder(connection.type, connection.form, connection.definition,
                        connection.encoding == 'ros1')
    except Exception as error:  # the parser raises whatever a strange definition makes it raise
        raise BagError(where, found=f'type {connection.type} ({type(error).__name__}: {error})',
                       expected='a type whose definition the bag carries') from error


def defined(connection: Connection, *, where: str) -> Connection:
    """
    Return a connection with the definition of its type: its bag's own, else that of ROS 2.

    Lines end as everywhere else: few readers know those of Windows.

    :raises BagError: where there is none
    """
    if connection.form and not _is_known(connection.type, connection.definition):
        return replace(connection, definition=_lines(connection.definition))
    try:
        text = get_typestore(_FALLBACK).generate_msgdef(connection.type)[0]
    except Exception as error:  # the store raises KeyError or its own errors
        raise BagError(where, found=f'no definition of {connection.type}',
                       expected='a type that ROS 2 or the bag defines') from error
    return replace(connection, form='msg', definition=text)


@lru_cache(maxsize=1024)
def _decoder(msgtype: str, form: str, text: str, ros1: bool) -> Decoder:
    """Parse a definition once: a thousand bags of one robot share it."""
    if not form or _is_known(msgtype, text):
        store = get_typestore(Stores.ROS1_NOETIC if ros1 else _FALLBACK)
    else:
        store = get_typestore(Stores.EMPTY)
        store.register(_types(msgtype, form, _lines(text)))
    if msgtype not in store.fielddefs:
        raise KeyError(msgtype)
    deserialize = store.deserialize_ros1 if ros1 else store.deserialize_cdr
    return cast('Decoder', lambda raw: deserialize(raw, msgtype))


def _is_known(msgtype: str, text: str) -> bool:
    """Tell whether a definition is empty, and ROS 2 has one: many writers leave these out."""
    return not text.strip() and msgtype in get_typestore(_FALLBACK).fielddefs


def _lines(text: str) -> str:
    return text.replace('\r\n', '\n').replace('\r', '\n')


def _types(msgtype: str, form: str, text: str) -> dict[str, Any]:
    if form == 'msg':
        return dict(get_types_from_msg(text, msgtype))
    if not text.startswith(f'{_IDL_SEPARATOR}IDL: '):
        return dict(get_types_from_idl(text))
    types: dict[str, Any] = {}
    for part in text.split(_IDL_SEPARATOR)[1:]:
        types.update(get_types_from_idl(part.split('\n', 1)[1]))
    return types
