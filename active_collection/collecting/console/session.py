# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The operator's terminal and their console, turn by turn."""
from __future__ import annotations

import os
import queue
from collections.abc import Callable

from active_collection.collecting.console.heard import Told
from active_collection.collecting.console.keys import typed
from active_collection.collecting.console.operator_console import OperatorConsole
from active_collection.collecting.console.requests import Request
from active_collection.collecting.console.screen import render
from active_collection.collecting.console.screen import to_ansi
from active_collection.collecting.console.terminal import Terminal

#: How long a turn waits for a key (s).
TURN_S = 0.05
#: Turns after which the screen is drawn anew although nothing has changed.
REDRAW_TURNS = 40
#: So many keys at once were not typed.
PASTED = 8


class Session:
    """
    Shows what is told and asks for what the keys say, in one thread.

    :param told: what peers tell and answer, from any thread
    :param ask: makes a request under a number; its answer comes through `told`
    """

    def __init__(self, terminal: Terminal, console: OperatorConsole, *,
                 told: queue.SimpleQueue[Told], ask: Callable[[int, Request], None], robot: str,
                 operator: str) -> None:
        self._terminal = terminal
        self._console = console
        self._told = told
        self._ask = ask
        self._robot = robot
        self._operator = operator
        self._shown: tuple[list[str], tuple[int, int]] | None = None
        self._turns = 0

    def turn(self) -> bool:
        """
        Take what has come, and tell whether to go on.

        :raises TerminalLostError: where the terminal is gone
        """
        pressed = typed(self._terminal.read(TURN_S))
        # What was told before a key was seen is what the key is about.
        while not self._told.empty():
            self._console.hear(self._told.get())
        if len(pressed) > PASTED:
            self._console.notice = f'{len(pressed)} keys at once: nothing was done'
            pressed = []
        for key in pressed:
            if self._console.keys.action(key) == 'quit':
                return False
            self._console.press(key)
        due = self._console.due()
        if due is not None:
            self._ask(*due)
        self._draw()
        return True

    def _draw(self) -> None:
        columns, rows = self._terminal.size()
        lines = to_ansi(
            render(self._console, robot=self._robot, operator=self._operator, columns=columns,
                   rows=rows),
            columns=columns, is_coloured='NO_COLOR' not in os.environ)
        self._turns += 1
        if self._turns % REDRAW_TURNS and self._shown == (lines, (columns, rows)):
            return
        self._terminal.show(lines)
        self._shown = lines, (columns, rows)
