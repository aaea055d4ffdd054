# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Definitions of message types as their publishers have them, where this machine has others."""
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node

from active_collection.recording.definitions import Definition
from active_collection.recording.definitions import Definitions
from active_collection.recording.definitions import from_sources

try:
    from type_description_interfaces.srv import GetTypeDescription
except ImportError:  # Humble, whose publishers tell no hashes either
    GetTypeDescription = None

#: A publisher's node that has not answered after this has no such service (s).
ANSWER_S = 2.0
#: An answer that has not come after this is asked for again: a server can hear of a client later
#: than that of the server, and its answer is then lost (s).
RETRY_S = 0.3
UNKNOWN_NODE = '_NODE_NAME_UNKNOWN_'


@dataclass
class _Question:
    """
    What a publisher's node is asked.

    :param definition: the answer; without a text where none came
    """

    definition: Definition
    began_at: float
    asked_at: float = 0.0
    client: Any = None
    future: Any = None
    answered: bool = False


@dataclass(frozen=True)
class ToldDefinition:
    """
    A definition as far as it is known.

    :param definition: without a text while it is awaited, or where nobody tells it
    :param problem: what is amiss with it; empty where nothing is
    :param is_awaited: whether its publisher is still being asked
    """

    definition: Definition
    problem: str = ''
    is_awaited: bool = False


class PublisherDefinitions:
    """
    The definition that a bag is to carry: that which the publisher's bytes were made with.

    The middleware matches types by name alone, so a robot and its workstation with different
    releases of a package talk to each other, and bytes with the wrong definition are unreadable.
    Where the publisher's hash is not that of the type installed here, its node is asked for the
    definition.
    """

    def __init__(self, node: Node, installed: Definitions) -> None:
        self._node = node
        self._installed = installed
        self._group = MutuallyExclusiveCallbackGroup()
        self._asked: dict[tuple[str, str], _Question] = {}

    def of(self, type_name: str, publishers: Sequence[Any]) -> ToldDefinition:
        """
        Return a type's definition as publishers have it; while it is awaited, ask again.

        :param publishers: TopicEndpointInfo of those that publish this type
        """
        installed = self._installed.get(type_name)
        told: dict[str, Any] = {}
        for publisher in publishers:
            told.setdefault(type_hash(publisher), publisher)
        told.pop('', None)
        if not installed.type_hash or not told:
            return ToldDefinition(installed)
        if installed.type_hash in told:
            del told[installed.type_hash]
            return ToldDefinition(installed, ''.join(
                f'{_name(publisher)} has another definition of {type_name}; its messages will '
                'not be readable' for publisher in list(told.values())[:1]))
        told_hash, publisher = next(iter(told.items()))
        question = self._asked.get((type_name, told_hash))
        if question is None:
            question = self._asked[type_name, told_hash] = _Question(
                Definition(type_name, type_hash=told_hash), time.monotonic(),
                answered=GetTypeDescription is None)
        if not question.answered:
            self._ask(question, publisher)
        if question.definition.text or not question.answered:
            return ToldDefinition(question.definition, is_awaited=not question.answered)
        return ToldDefinition(question.definition, (
            f'{_name(publisher)} has another definition of {type_name} than this machine '
            'and does not tell it; recorded without a definition'))

    def is_settled(self) -> bool:
        """Tell whether no answer is under way."""
        return all(question.answered or time.monotonic() - question.began_at > ANSWER_S
                   for question in list(self._asked.values()))

    def close(self) -> None:
        """Wait for no answer any longer."""
        for question in self._asked.values():
            self._release(question)
        self._asked.clear()

    def _ask(self, question: _Question, publisher: Any) -> None:
        """Ask, or look whether the answer is there."""
        now = time.monotonic()
        if question.client is None and publisher.node_name != UNKNOWN_NODE:
            question.client = self._node.create_client(
                GetTypeDescription, f'{_name(publisher)}/get_type_description',
                callback_group=self._group)
        if question.future is not None and question.future.done():
            question.definition = _answered(question.definition, question.future.result())
            question.answered = True
        elif now - question.began_at > ANSWER_S:
            question.answered = True
        elif (question.client is not None and now - question.asked_at > RETRY_S
                and question.client.service_is_ready()):
            question.asked_at = now
            question.future = question.client.call_async(GetTypeDescription.Request(
                type_name=question.definition.type, type_hash=question.definition.type_hash,
                include_type_sources=True))
        if question.answered:
            self._release(question)

    def _release(self, question: _Question) -> None:
        client, question.client = question.client, None
        if client is not None:
            self._node.destroy_client(client)


def type_hash(publisher: Any) -> str:
    """Return the hash of the type that a publisher was made with; '' where it does not tell."""
    told = getattr(publisher, 'topic_type_hash', None)  # not in Humble
    if told is None or told.version != 1:
        return ''
    return f'RIHS01_{bytes(told.value).hex()}'


def _answered(asked: Definition, response: Any) -> Definition:
    if response is None or not response.successful:
        return asked
    return from_sources(asked.type, asked.type_hash, {
        source.type_name: (source.encoding, source.raw_file_contents)
        for source in response.type_sources})


def _name(publisher: Any) -> str:
    return f'{publisher.node_namespace.rstrip("/")}/{publisher.node_name}'
