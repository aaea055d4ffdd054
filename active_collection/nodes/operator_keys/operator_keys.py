# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The program `operator_keys`: a robot's operator at a terminal."""
from __future__ import annotations

import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from diagnostic_msgs.msg import KeyValue
from rclpy.client import Client
from rclpy.node import Node
from std_srvs.srv import Trigger

from active_collection.collecting.console.heard import Told
from active_collection.collecting.console.operator_console import OperatorConsole
from active_collection.collecting.console.options import Options
from active_collection.collecting.console.options import parse
from active_collection.collecting.console.requests import Amend
from active_collection.collecting.console.requests import Pause
from active_collection.collecting.console.requests import Repeat
from active_collection.collecting.console.requests import Request
from active_collection.collecting.console.requests import Tell
from active_collection.collecting.console.session import Session
from active_collection.collecting.console.terminal import Terminal
from active_collection.collecting.console.terminal import TerminalLostError
from active_collection.collecting.console.told import Answer
from active_collection.episode import REDONE
from active_collection.errors import ActiveCollectionError
from active_collection.msg import Assignment
from active_collection.msg import Episode
from active_collection.msg import RecorderStatus
from active_collection.msg import RobotStatus
from active_collection.msg import SchedulerState
from active_collection.names import robot_of
from active_collection.nodes import conversions
from active_collection.nodes import qos
from active_collection.nodes.executable import own_arguments
from active_collection.nodes.operator_keys import console_messages
from active_collection.nodes.run import run
from active_collection.srv import AmendEpisode
from active_collection.srv import RepeatEpisode
from active_collection.srv import TellRobot

#: How long the terminal's thread gets to end (s).
END_S = 2.0


class OperatorKeysNode(Node):
    """
    What a robot's peers tell, into a queue, and the terminal's thread, which asks them.

    :param terminal: taken here, and given back by `close`
    """

    def __init__(self, options: Options, terminal: Terminal) -> None:
        super().__init__('operator_keys', namespace=options.namespace)
        self.failure: BaseException | None = None
        self._options = options
        self._robot = robot_of(options.namespace)
        self._terminal = terminal
        self._told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._ended = threading.Event()
        recorder, scheduler = options.recorder, options.scheduler
        self._tell = self.create_client(TellRobot, 'agent/tell')
        self._pause = {paused: self.create_client(Trigger, f'agent/{word}')
                       for paused, word in ((True, 'pause'), (False, 'resume'))}
        self._amend = self.create_client(AmendEpisode, f'{recorder}/amend_episode')
        self._repeat = self.create_client(RepeatEpisode, f'{scheduler}/repeat_episode')
        for kind, name, convert, profile in (
                (RobotStatus, 'robot_status', console_messages.robot_from_msg, qos.HEARTBEAT),
                (Assignment, 'assignment', console_messages.assignment_from_msg, qos.LATCHED),
                (RecorderStatus, f'{recorder}/status', console_messages.recorder_from_msg,
                 qos.LATCHED),
                (SchedulerState, f'{scheduler}/state', console_messages.scheduler_from_msg,
                 qos.LATCHED),
                (Episode, 'episodes', conversions.episode_from_msg, qos.EPISODES)):
            self.create_subscription(kind, name, self._hearing(convert), profile)
        self._thread = threading.Thread(target=self._work, name='terminal', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the terminal back."""
        self._ended.set()
        self._thread.join(timeout=END_S)
        self._terminal.close()

    def _hearing(self, convert: Callable[[Any], Told]) -> Callable[[Any], None]:
        def hear(message: Any) -> None:
            with suppress(ActiveCollectionError):  # no valid episode: whoever counts it says so
                self._told.put(convert(message))

        return hear

    def _work(self) -> None:
        """Show and ask until the operator quits or the process is to end, which ends with it."""
        console = OperatorConsole(
            self._options.keys, clock=time.monotonic, silence_s=self._options.silence_s)
        session = Session(self._terminal, console, told=self._told, ask=self._ask,
                          robot=self._robot, operator=self._options.operator)
        try:
            self._terminal.open()
            while not self._ended.is_set() and session.turn():
                pass
        except TerminalLostError:
            pass
        except BaseException as error:
            self.failure = error
        finally:
            self._terminal.close()
            if not self._ended.is_set():
                signal.raise_signal(signal.SIGTERM)

    def _ask(self, number: int, request: Request) -> None:
        """Ask a peer; its answer comes into the queue."""
        author = self._options.operator
        if isinstance(request, Tell):
            self._call(number, self._tell, TellRobot.Request(
                word=request.word, assignment_id=request.assignment_id,
                episode_id=request.episode_id), lambda answer: answer.accepted)
        elif isinstance(request, Pause):
            self._call(number, self._pause[request.is_paused], Trigger.Request(),
                       lambda answer: answer.success)
        elif isinstance(request, Amend):
            tags = [KeyValue(key=REDONE, value=author)] if request.is_redone else []
            self._call(number, self._amend, AmendEpisode.Request(
                episode_id=request.episode_id, author=author, tags=tags,
                outcome=conversions.OUTCOME_TO_MSG[request.outcome]),
                lambda answer: answer.code == AmendEpisode.Response.ACCEPTED)
        elif isinstance(request, Repeat):
            self._call(number, self._repeat, RepeatEpisode.Request(
                robot=self._robot, episode_id=request.episode_id,
                assignment_id=request.instead_of, cancel=request.is_cancelled, author=author,
                reason='redone at the robot'), lambda answer: answer.accepted)

    def _call(self, number: int, client: Client, request: Any,
              is_accepted: Callable[[Any], bool]) -> None:
        if not client.service_is_ready():
            self._told.put(Answer(number, False, f'{client.srv_name} is not there'))
            return

        def on_answer(future: Any) -> None:
            if future.exception() is not None:
                self._told.put(Answer(number, False, str(future.exception())))
            elif not future.cancelled():
                answer = future.result()
                self._told.put(Answer(number, is_accepted(answer), answer.message))

        client.call_async(request).add_done_callback(on_answer)


def main() -> int:
    """Run the program: 0 when the operator or a signal ends it, 2 where it cannot start."""
    try:
        options = parse(own_arguments(sys.argv[1:]))
        terminal = Terminal(sys.stdin.fileno(), sys.stdout.fileno())
    except ActiveCollectionError as error:
        print(error, file=sys.stderr)
        return 2
    made: list[OperatorKeysNode] = []

    def create() -> OperatorKeysNode:
        made.append(OperatorKeysNode(options, terminal))
        return made[-1]

    try:
        status = run(create)
    finally:
        terminal.close()
    failure = made[0].failure if made else None
    if failure is not None:
        sys.excepthook(type(failure), failure, failure.__traceback__)
        return 1
    return status
