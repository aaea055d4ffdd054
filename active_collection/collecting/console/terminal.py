# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The terminal that an operator sits at: keys as they are pressed, a screen, all put back."""
from __future__ import annotations

import os
import select
import termios
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from active_collection.errors import ConfigError

#: Bytes of one write: a terminal that takes nothing any more must not hold up the end.
CHUNK = 512
#: How long a terminal may take nothing before a screen is dropped (s).
STALLED_S = 0.5
#: Bytes of keys that are read at once.
MOST_BYTES = 4096
_BEGIN = '\x1b[?1049h\x1b[?25l\x1b[2J'
_END = '\x1b[0m\x1b[?25h\x1b[?1049l'
_INPUT, _LOCAL, _CHARACTERS = 0, 3, 6


class TerminalLostError(Exception):
    """The terminal is gone: its window was closed, its connection broke."""


class Terminal:
    """
    A terminal in which keys come one by one and nothing is echoed, until it is closed.

    :param source: file descriptor of the keys
    :param sink: file descriptor of the screen
    :raises ConfigError: where one of them is no terminal, or a terminal that cannot be steered
    """

    def __init__(self, source: int, sink: int) -> None:
        for what, number in (('input', source), ('output', sink)):
            if not os.isatty(number):
                raise ConfigError(
                    f'operator_keys: standard {what}', found='no terminal',
                    expected='one: run it in a terminal, over SSH with ssh -t')
        if os.environ.get('TERM', 'dumb') == 'dumb':
            raise ConfigError('operator_keys: TERM', found=os.environ.get('TERM', 'nothing'),
                              expected='a terminal that can be steered: export TERM=xterm')
        self._source = source
        self._sink = sink
        self._before: list[Any] | None = None

    def open(self) -> None:
        """Take the terminal: keys one by one, no echo, a screen of its own."""
        self._before = termios.tcgetattr(self._source)
        attributes = termios.tcgetattr(self._source)
        attributes[_LOCAL] &= ~(termios.ICANON | termios.ECHO)
        attributes[_INPUT] &= ~termios.IXON
        # Ctrl-C still ends it; a process that was stopped would keep the terminal as it is.
        for name in (termios.VSUSP, termios.VQUIT):
            attributes[_CHARACTERS][name] = b'\0'
        attributes[_CHARACTERS][termios.VMIN] = 1
        attributes[_CHARACTERS][termios.VTIME] = 0
        termios.tcsetattr(self._source, termios.TCSANOW, attributes)
        self._write(_BEGIN)

    def close(self) -> None:
        """Put everything back as it was. May be called twice, and when the terminal is gone."""
        before, self._before = self._before, None
        if before is None:
            return
        with suppress(OSError, termios.error):
            self._write(_END)
        with suppress(OSError, termios.error):
            termios.tcsetattr(self._source, termios.TCSANOW, before)

    def size(self) -> tuple[int, int]:
        """Return columns and rows."""
        with suppress(OSError):
            columns, rows = os.get_terminal_size(self._sink)
            if columns and rows:
                return columns, rows
        return 80, 24

    def read(self, seconds: float) -> str:
        """
        Return what was typed within a time; empty for nothing.

        :raises TerminalLostError: where it is gone
        """
        ready, _, _ = select.select([self._source], [], [], seconds)
        if not ready:
            return ''
        try:
            data = os.read(self._source, MOST_BYTES)
        except OSError as error:
            raise TerminalLostError from error
        if not data:
            raise TerminalLostError
        return data.decode('utf-8', errors='replace')

    def show(self, lines: Sequence[str]) -> None:
        """
        Show a screen.

        :param lines: with their colours, none longer than a row, no more than there are rows
        :raises TerminalLostError: where it is gone
        """
        # Rows are cleared before they are written: behind a full one its last cell would go.
        *above, last = lines or ['']
        try:
            self._write('\x1b[H' + ''.join(f'\x1b[K{line}\r\n' for line in above)
                        + f'\x1b[J{last}\x1b[0m')
        except OSError as error:
            raise TerminalLostError from error

    def _write(self, text: str) -> None:
        data = text.encode()
        while data:
            _, ready, _ = select.select([], [self._sink], [], STALLED_S)
            if not ready:
                return
            data = data[os.write(self._sink, data[:CHUNK]):]
