# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The program operator_keys on a terminal of a test's own, which types and reads the screen."""
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from contextlib import suppress
from pathlib import Path

from ament_index_python.packages import get_package_prefix
from fleet_peers import until

from active_collection.collecting.console.operator_console import HELD_S

PROGRAM = (Path(get_package_prefix('active_collection'))
           / 'lib' / 'active_collection' / 'operator_keys')
CLEAR = re.compile(r'\x1b\[[KJ]')
STYLE = re.compile(r'\x1b\[[0-9;]*m')


class OperatorTerminal:
    """
    A pseudo-terminal in which operator_keys runs.

    :param log: file that takes what it says on its standard error
    """

    def __init__(self, log, *arguments, columns=80, rows=24):
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        self.log = log
        self._sent = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        with log.open('wb') as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), *arguments], stdin=self.slave, stdout=self.slave,
                stderr=errors, start_new_session=True, preexec_fn=_take,  # noqa: PLW1509
                env={**os.environ, 'TERM': 'xterm'})

    def _read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            self._sent += data

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def press_twice(self, key, name):
        """Press a destructive key as a person does: again, no sooner than a finger can."""
        self.press(key, name)
        self.shows(f'Press {key} again within 2 s')
        again = time.monotonic() + 2 * HELD_S
        until(lambda: time.monotonic() > again)
        self.type(key)

    @property
    def sent(self):
        """Return all that it wrote so far."""
        return bytes(self._sent).decode(errors='replace')

    @property
    def screen(self):
        """Return the rows of the newest whole screen."""
        frames = self.sent.split('\x1b[H')
        whole = next((frame for frame in reversed(frames[1:]) if '\x1b[J' in frame), '')
        text = CLEAR.sub('', STYLE.sub('', whole))
        return [row.strip('\r').rstrip() for row in text.split('\n')]

    def shows(self, words, seconds=60.0):
        """Wait until words stand in one row or, folded, over several."""
        try:
            until(lambda: words in ' '.join(' '.join(self.screen).split()), seconds, repr(words))
        except AssertionError as error:
            raise AssertionError('\n'.join(
                [str(error), *self.screen, self.log.read_text()])) from None

    def press(self, key, name):
        """Press a key as a person does, once the screen says that it counts."""
        self.shows(f'[{key}] {name}')
        self.type({'space': ' ', 'pagedown': '\x1b[6~'}.get(key, key))

    @property
    def is_restored(self):
        """Tell whether the terminal is as it was: its settings, its cursor, its own screen."""
        return (termios.tcgetattr(self.slave) == self.before
                and self.sent.rstrip().endswith('\x1b[0m\x1b[?25h\x1b[?1049l'))

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(timeout=60)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for number in (self.slave, self.master):
            with suppress(OSError):  # the test has closed it
                os.close(number)


def _take():
    """Make the terminal the one that the process belongs to."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
