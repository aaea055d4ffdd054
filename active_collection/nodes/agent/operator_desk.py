# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a person at the robot, or a system in their place, can say to its agent."""
from __future__ import annotations

import threading
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from rclpy.node import Node
from std_srvs.srv import Trigger

from active_collection.collecting.collection_robot import Activity
from active_collection.errors import shorten
from active_collection.srv import TellRobot

#: What ends an attempt, or judges one that has ended.
JUDGEMENTS = ('success', 'failure', 'discard')
WORDS = ('ready', *JUDGEMENTS)


class OperatorDesk:
    """
    The services ~/ready, ~/success, ~/failure, ~/discard, ~/tell, ~/pause and ~/resume.

    A word counts only while somebody listens for it, and once; to whoever says it at another time
    the service answers that nothing waits for it.

    :param look_s: how often a wait lets its check look (s)
    :param activity: returns what the robot is doing: what a word is about
    :param on_change: called when other words count, and when the robot is paused or resumed
    """

    def __init__(self, node: Node, *, look_s: float, activity: Callable[[], Activity],
                 on_change: Callable[[], None]) -> None:
        self._look_s = look_s
        self._activity = activity
        self._on_change = on_change
        self._changed = threading.Condition()
        self._listening: frozenset[str] = frozenset()
        self._said = ''
        self._is_paused = False
        for word in WORDS:
            node.create_service(Trigger, f'~/{word}', partial(self._on_word, word))
        node.create_service(TellRobot, '~/tell', self._on_tell)
        for command, paused in (('pause', True), ('resume', False)):
            node.create_service(Trigger, f'~/{command}', partial(self._on_pause, paused))

    @property
    def is_paused(self) -> bool:
        """Tell whether the robot is to ask for no more work."""
        return self._is_paused

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words that count now."""
        return tuple(w for w in WORDS if w in self._listening and not self._said)

    @property
    def said(self) -> str:
        """Return the word that was said since somebody listens; empty for none."""
        return self._said

    @contextmanager
    def listening(self, words: Collection[str]) -> Iterator[None]:
        """Let these words count within a `with` block."""
        with self._changed:
            self._listening, self._said = frozenset(words), ''
        self._on_change()
        try:
            yield
        finally:
            with self._changed:
                self._listening = frozenset()
            self._on_change()

    def await_word(self, words: Collection[str], *, seconds: float,
                   check: Callable[[], None]) -> str:
        """
        Return the first of these words that is said; empty where none is in time.

        :param check: called while waiting; what it raises ends the wait and is passed on
        """
        with self.listening(words):
            self._wait(lambda: bool(self._said), seconds, check)
            return self._said

    def await_resume(self, check: Callable[[], None]) -> None:
        """Return once the robot is not paused."""
        while self._is_paused:
            self._wait(lambda: not self._is_paused, self._look_s, check)

    def _wait(self, condition: Callable[[], bool], seconds: float,
              check: Callable[[], None]) -> None:
        left_s = seconds
        while left_s > 0:
            with self._changed:
                if self._changed.wait_for(condition, timeout=min(self._look_s, left_s)):
                    return
            check()
            left_s -= self._look_s

    def _on_word(self, word: str, request: Trigger.Request,
                 response: Trigger.Response) -> Trigger.Response:
        del request
        response.success, response.message = self._say(word)
        return response

    def _on_tell(self, request: TellRobot.Request,
                 response: TellRobot.Response) -> TellRobot.Response:
        response.accepted, response.message = self._say(
            request.word, about=(request.assignment_id, request.episode_id))
        return response

    def _say(self, word: str, *, about: tuple[str, str] | None = None) -> tuple[bool, str]:
        """
        Take a word, and return whether it counts, with the word or why it does not.

        :param about: assignment and episode that it is about; None for whatever the robot is at
        """
        with self._changed:
            activity = self._activity()
            if about is not None and about != (activity.assignment_id, activity.episode_id):
                return False, f'the robot is no longer at {about[1] or about[0] or "nothing"}'
            if word not in self.words:
                waits = ' or '.join(self.words)
                return False, (f'nothing waits for {shorten(repr(word))}'
                               + (f', only for {waits}' if waits else ''))
            self._said = word
            self._changed.notify_all()
        self._on_change()
        return True, word

    def _on_pause(self, paused: bool, request: Trigger.Request,
                  response: Trigger.Response) -> Trigger.Response:
        del request
        with self._changed:
            self._is_paused = paused
            self._changed.notify_all()
        self._on_change()
        response.success = True
        response.message = ('asks for no more work once it is done with what it has'
                            if paused else 'asks for work')
        return response
