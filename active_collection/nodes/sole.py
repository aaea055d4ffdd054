# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Sees that a node of which there is to be one is one: the second steps back, or both say so."""
from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.clock import ClockType
from rclpy.node import Node

from active_collection.errors import SecondNodeError
from active_collection.errors import shorten
from active_collection.msg import NodeInstance
from active_collection.nodes import qos
from active_collection.nodes.alarm import Alarm
from active_collection.nodes.rclpy_internals import taken
from active_collection.nodes.rivals import BEAT_S
from active_collection.nodes.rivals import SETTLED_BEATS
from active_collection.nodes.rivals import Claim
from active_collection.nodes.rivals import Rivals
from active_collection.nodes.rivals import Verdict

#: What a person can do who wants both of what a robot has one of.
OTHER_ROBOT = 'give one robot another name (robot:=arm_2, or -r __ns:=/arm_2)'
#: A node that starts listens this long for one that is there, before it does anything (s). Most
#: hear it within 0.2 s; where the first packets cross, 1.5 s later.
LISTEN_S = 0.5
LOOK_S = 0.02


class Sole:
    """
    Tells on a latched topic that this process runs a node, and hears who else does.

    Where another one was there first, `listen` or later a callback raises SecondNodeError, which
    ends the process with status 2. Two that were parted for longer than both took to settle are
    both told of, in the log and on /diagnostics, for as long as they are two.

    :param role: what there is to be one of, as a topic's name: 'recorder' for one in a namespace,
        '~' for one of the node's own name
    :param remedy: what a person can do who wants both
    :param changed: called when another one has settled beside this, and when it is gone
    """

    def __init__(self, node: Node, role: str, *, remedy: str,
                 changed: Callable[[], None] = lambda: None) -> None:
        self.instance_id = secrets.token_hex(8)
        self._node = node
        self._remedy = remedy
        self._changed = changed
        self._host, self._process = socket.gethostname(), os.getpid()
        self._began = time.monotonic()
        self._said = -1
        self._rivals = Rivals(self.instance_id)
        self._two = Alarm(node, 'one of its name')
        group = MutuallyExclusiveCallbackGroup()
        self._publisher = node.create_publisher(NodeInstance, f'{role}/_instance', qos.LATCHED)
        self._subscription = node.create_subscription(
            NodeInstance, f'{role}/_instance', self._on_claim, qos.LATCHED, callback_group=group)
        self._say()
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # ROS time may stand still
        self._timer = node.create_timer(BEAT_S, self._beat, callback_group=group, clock=steady)

    @property
    def yields(self) -> bool:
        """Tell whether another one has settled beside this that goes on, while this rests."""
        return any(claim.instance_id < self.instance_id
                   for claim in self._rivals.settled(time.monotonic()))

    @property
    def others(self) -> str:
        """Return where those run that have settled beside this; empty where none has."""
        return '; '.join(claim.where for claim in self._rivals.settled(time.monotonic()))

    def listen(self, seconds: float = LISTEN_S) -> None:
        """
        Return once nobody has said for a moment that they were there first.

        To be called while the node is made, before it serves or writes anything.

        :param seconds: since the start
        :raises SecondNodeError: where somebody was
        """
        while time.monotonic() - self._began < seconds:
            for message, _ in taken(self._subscription, NodeInstance):
                self._on_claim(message)
            time.sleep(LOOK_S)

    def _beats(self) -> int:
        return min(int((time.monotonic() - self._began) / BEAT_S), SETTLED_BEATS)

    def _say(self) -> None:
        self._said = self._beats()
        self._publisher.publish(NodeInstance(
            instance_id=self.instance_id, beats=self._said, host=self._host,
            process=self._process))

    def _beat(self) -> None:
        rivals = self._rivals.settled(time.monotonic())
        if rivals or self._said < self._beats():
            self._say()
        elif self._said == SETTLED_BEATS:
            self._timer.cancel()  # until there is another
        self._tell(rivals)

    def _on_claim(self, message: NodeInstance) -> None:
        claim = Claim(message.instance_id, message.beats, _place(message.host, message.process))
        verdict = self._rivals.hear(claim, own_beats=self._beats(), now_s=time.monotonic())
        if verdict is Verdict.STEP_BACK:
            raise SecondNodeError(
                self._node.get_fully_qualified_name(),
                found=f'another one, which was there first: on {claim.where}',
                expected=f'one: end that one, or {self._remedy}')
        if verdict is Verdict.BOTH and self._timer.is_canceled():
            self._timer.reset()

    def _tell(self, rivals: list[Claim]) -> None:
        was_two = bool(self._two.line)
        name = self._node.get_fully_qualified_name()
        own, others = (_place(self._host, self._process),
                       '; '.join(claim.where for claim in rivals))
        self._two.tell(f'{name} is there more than once: here ({own}) and on {others}; '
                       f'end one, or {self._remedy}' if rivals else '')
        if was_two != bool(rivals):
            self._changed()


def _place(host: str, process: int) -> str:
    return f'{shorten(host)}, process {process}'
