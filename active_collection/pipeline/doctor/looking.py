# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Have a robot looked at by a process of its own, which a middleware that hangs cannot hold up."""
from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from typing import Any

from pydantic import Field

from active_collection.config import Model
from active_collection.config import validate
from active_collection.errors import ActiveCollectionError
from active_collection.pipeline.doctor.sighting import Sighting

#: The process that looks. It prints a JSON object a line: {"stage": ...} before everything that
#: may hang, then {"sighting": ...}.
MODULE = 'active_collection.nodes.doctor'
#: Runs it without the working directory in Python's path: in a checkout, that would hide the
#: package that is built.
PROGRAM = f"""
import runpy, sys
sys.path = [entry for entry in sys.path if entry]
runpy.run_module({MODULE!r}, run_name='__main__', alter_sys=True)
"""
#: How Fast DDS paints its errors.
COLOURS = re.compile(r'\x1b\[[0-9;]*m')


class LookingError(ActiveCollectionError):
    """A robot could not be looked at."""


class Question(Model):
    """
    What is to be looked at.

    `robot`: namespace, '/arm_1'. `seconds`: how long to listen to topics (s). `limit_s`: the
    process ends itself after this (s). `parameters`: of each node, by the name of its executable,
    that are taken where the node does not tell its own. `ensembles`: directory of ensembles, or
    one, where the uncertainty node does not tell it; empty: none.
    """

    robot: str = Field(pattern=r'^(/[A-Za-z_]\w*)+$')
    seconds: float = Field(gt=0)
    limit_s: float = Field(gt=0)
    parameters: dict[str, dict[str, Any]] = {}
    ensembles: str = ''


class Looking:
    """
    A look that goes on; use `answer`, or `stop`.

    :param question: what to look at
    """

    def __init__(self, question: Question) -> None:
        self._question = question
        self._deadline = time.monotonic() + question.limit_s
        self._stage = 'its start'
        self._answer: dict[str, Any] | None = None
        self._process = subprocess.Popen(
            [sys.executable, '-c', PROGRAM, question.model_dump_json()],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._errors: list[str] = []
        self._readers = [
            threading.Thread(target=reader, daemon=True)
            for reader in (self._read, self._read_errors)]
        for thread in self._readers:
            thread.start()

    def answer(self) -> Sighting:
        """
        Wait for what is seen.

        :raises LookingError: where the process hangs, fails or says what is not understood
        """
        try:
            self._readers[0].join(max(0.0, self._deadline - time.monotonic()))
            if self._answer is not None:
                return validate(self._answer, Sighting, where='what the process saw')
            if self._readers[0].is_alive():
                raise LookingError(
                    f'looking at {self._question.robot}', found=f'no end of {self._stage} within '
                    f'{self._question.limit_s:g} s', expected='a middleware that answers')
        finally:
            self.stop()
        said = self._errors[-1] if self._errors else f'status {self._process.returncode}'
        raise LookingError(f'looking at {self._question.robot}: {self._stage}', found=said,
                           expected='a ROS 2 that works')

    def stop(self) -> None:
        """End the process, if it has not ended by itself."""
        self._process.kill()
        self._process.wait()
        for thread in self._readers:
            thread.join(1.0)

    def _read(self) -> None:
        for line in self._process.stdout or ():
            try:
                said = json.loads(line)
            except ValueError:  # a library's word
                continue
            if isinstance(said, dict):
                self._stage = str(said.get('stage', self._stage))
                self._answer = said.get('sighting', self._answer)

    def _read_errors(self) -> None:
        for line in self._process.stderr or ():
            text = COLOURS.sub('', line).strip()
            self._errors = [*self._errors[-20:], *([text] if text else [])]
