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

#: What ends an attempt, or judges one that has ended.
JUDGEMENTS = ('success', 'failure', 'discard')
WORDS = ('ready', *JUDGEMENTS)


class OperatorDesk:
    """
    The services ~/ready, ~/success, ~/failure, ~/discard, ~/pause and ~/resume of the agent.

    A word counts only while somebody listens for it, and once; to whoever says it at another time
    the service answers that nothing waits for it.

    :param look_s: how often a wait lets its check look (s)
    """

    def __init__(self, node: Node, *, look_s: float) -> None:
        self._look_s = look_s
        self._changed = threading.Condition()
        self._listening: frozenset[str] = frozenset()
        self._said = ''
        self._is_paused = False
        for word in WORDS:
            node.create_service(Trigger, f'~/{word}', partial(self._on_word, word))
        for command, paused in (('pause', True), ('resume', False)):
            node.create_service(Trigger, f'~/{command}', partial(self._on_pause, paused))

    @property
    def is_paused(self) -> bool:
        """Tell whether the robot is to ask for no more work."""
        return self._is_paused

    @property
    def said(self) -> str:
        """Return the word that was said since somebody listens; empty for none."""
        return self._said

    @contextmanager
    def listening(self, words: Collection[str]) -> Iterator[None]:
        """Let these words count within a `with` block."""
        with self._changed:
            self._listening, self._said = frozenset(words), ''
        try:
            yield
        finally:
            with self._changed:
                self._listening = frozenset()

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
        with self._changed:
            response.success = word in self._listening and not self._said
            if response.success:
                self._said = word
                self._changed.notify_all()
                response.message = word
            else:
                waits = ' or '.join(w for w in WORDS if w in self._listening)
                response.message = (f'nothing waits for {word!r}'
                                    + (f', only for {waits}' if waits else ''))
        return response

    def _on_pause(self, paused: bool, request: Trigger.Request,
                  response: Trigger.Response) -> Trigger.Response:
        del request
        with self._changed:
            self._is_paused = paused
            self._changed.notify_all()
        response.success = True
        response.message = ('asks for no more work once it is done with what it has'
                            if paused else 'asks for work')
        return response
