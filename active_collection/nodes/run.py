# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Run one node as a process: start, spin, stop cleanly when a signal asks it to."""
from __future__ import annotations

import faulthandler
import os
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from queue import SimpleQueue
from typing import Any

import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor
from rclpy.executors import ExternalShutdownException
from rclpy.executors import MultiThreadedExecutor
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.errors import SecondNodeError
from active_collection.nodes.process_start import ENDING
from active_collection.nodes.process_start import is_ignored
from active_collection.nodes.rclpy_internals import RCLError
from active_collection.nodes.rclpy_internals import threads_of
from active_collection.nodes.unexpected import FatalError
from active_collection.nodes.unexpected import unexpected_of

#: A node that has not closed after this is ended all the same; what it had written is safe.
CLOSE_LIMIT_S = 10.0

#: And how much later one that not even Python can end (s).
HARD_LIMIT_S = 2.0

#: How soon a signal is seen that came as the main thread was about to wait, which does not wake
#: it then (s).
LOOK_S = 0.5

#: After an unexpected error: what fails at every turn must not take a whole core (s).
PAUSE_S = 0.01

#: Where in its own source rcl found a mistake.
_WHERE_IN_RCL = re.compile(r', at [\w./-]+:\d+')


def run(create: Callable[[], Node], arguments: list[str] | None = None, *,
        threads: int = 1) -> int:
    """
    Run a node until a signal asks it to stop, and return the exit status of the process.

    The signals are SIGINT, SIGTERM, and SIGHUP, which a terminal that is closed sends. A second
    one ends at once a node that is still starting; one that is closing goes on in order.

    The executor spins in a thread of its own, so that a signal reaches the main thread at once
    and the node can still use its services while it closes: `close()`, where the node has one, is
    called in the main thread while the executor goes on.

    :param create: makes the node once rclpy is initialised
    :param arguments: command line as rclpy takes it; None: that of the process
    :param threads: threads of the executor
    :return: 0 after a signal; 2 where the node cannot start, or another process runs it already,
        after one line on stderr; 1 after a FatalError in a callback, which is logged; any other
        error there is logged and shown on /diagnostics, and the node goes on
    """
    # A signal may come while the handler of the one before it is at work: an Event, whose lock is
    # not taken twice, would then wait for ever. This queue's `put` may be entered again.
    stop: SimpleQueue[None] = SimpleQueue()
    has_started = False

    def asked_to_stop(*_: object) -> None:
        if not has_started and not stop.empty():
            os._exit(0)  # nothing is open yet, and what it starts with may take long
        stop.put(None)

    _answer(asked_to_stop)
    try:
        node = _start(create, arguments)
    except ActiveCollectionError as error:
        print(error, file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    has_started = True
    executor: Executor = (
        SingleThreadedExecutor() if threads == 1 else MultiThreadedExecutor(num_threads=threads))
    executor.add_node(node)
    failures: list[BaseException] = []
    ending: Future[None] = Future()

    def spin() -> None:
        try:
            _spin(node, executor, ending)
        except SecondNodeError as error:
            failures.append(error)
        except BaseException as error:
            cause = error.__cause__ if isinstance(error, FatalError) else None
            failures.append(cause or error)
            node.get_logger().fatal(f'{type(failures[0]).__name__}: {failures[0]}')
        finally:
            stop.put(None)

    spinner = threading.Thread(target=spin, name='executor', daemon=True)
    spinner.start()
    _await(stop)
    _close(node, executor, spinner, ending)
    # Another one that comes while Python shuts down, which takes handlers away, is no other end.
    _answer(signal.SIG_IGN)
    if failures and isinstance(failures[0], SecondNodeError):
        print(failures[0], file=sys.stderr)
        return 2
    if failures and not isinstance(failures[0], (KeyboardInterrupt, SystemExit)):
        sys.excepthook(type(failures[0]), failures[0], failures[0].__traceback__)
        return 1
    return 0


def _await(stop: SimpleQueue[None]) -> None:
    """Wait until the process is to end."""
    while True:
        with suppress(Empty):
            return stop.get(timeout=LOOK_S)


def _spin(node: Node, executor: Executor, ending: Future[None]) -> None:
    """
    Run callbacks until the end.

    What comes from outside reaches code that did not foresee it: a message that the middleware
    cannot read, a third party's class. That costs the callback, and not the node.

    :raises FatalError: what a callback ends the process with
    :raises SecondNodeError: where another process runs the node already
    """
    unexpected = unexpected_of(node)
    while not ending.done():
        try:
            executor.spin_until_future_complete(ending)
        except ExternalShutdownException:
            return
        except (FatalError, SecondNodeError):
            raise
        except Exception as error:
            unexpected.note('callback', error)
            time.sleep(PAUSE_S)
        else:
            return


def _answer(handler: Any) -> None:
    """Set what the signals do that ask the process to end."""
    for number in ENDING:
        if not is_ignored(number):
            signal.signal(number, handler)


def _start(create: Callable[[], Node], arguments: list[str] | None) -> Node:
    """Initialise rclpy and make the node; what rcl refuses becomes an error of one line."""
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except (RuntimeError, ValueError) as error:
        raise ConfigError('ROS command line', found=_WHERE_IN_RCL.split(str(error))[0]) from error
    try:
        return _created(create)
    except ParameterException as error:
        raise ConfigError('parameters', found=str(error)) from error
    except ValueError as error:
        if 'PARAMETER_NOT_SET' not in str(error):
            raise
        raise ConfigError(
            'parameters', found='an empty list, which has no type in ROS 2',
            expected='a list with an entry; leave the parameter out for none') from error


def _created(create: Callable[[], Node]) -> Node:
    """Make the node; a name that rcl, the middleware or rclpy refuses is the user's mistake."""
    try:
        # What a node that was not made leaves behind is no news beside why it was not made. For
        # good: to put the filters back would take back those that the node sets for libraries.
        warnings.filterwarnings('ignore', message='Failed to fini', category=RuntimeWarning)
        return create()
    except NameValidationException as error:
        said = [line.strip() for line in str(error).splitlines()]
        raise ConfigError('node', found=' '.join(said[:2])) from error
    except RCLError as error:
        raise ConfigError('node', found=_WHERE_IN_RCL.split(str(error))[0]) from error


def _close(node: Node, executor: Executor, spinner: threading.Thread,
           ending: Future[None]) -> None:
    watchdog = threading.Timer(CLOSE_LIMIT_S, _give_up, args=[node.get_name()])
    watchdog.daemon = True
    watchdog.start()
    # Fast DDS now and then waits for ever as it is taken down, and holds the lock without which no
    # other thread of Python runs: C code ends the process then, and shows where it was.
    faulthandler.dump_traceback_later(CLOSE_LIMIT_S + HARD_LIMIT_S, exit=True, file=2)
    close: Any = getattr(node, 'close', None)
    try:
        if close is not None:
            close()
    except Exception as error:
        node.get_logger().error(f'closing: {type(error).__name__}: {error}')
    # rclpy's shutdown does not wait for the callback at work, but takes the guard condition away
    # that it wakes the executor with afterwards.
    ending.set_result(None)
    spinner.join(timeout=2.0)
    if not spinner.is_alive():
        _let_finish(executor)
    executor.shutdown(timeout_sec=1.0)
    node.destroy_node()
    rclpy.try_shutdown()
    watchdog.cancel()
    faulthandler.cancel_dump_traceback_later()


def _let_finish(executor: Executor) -> None:
    """
    Wait for callbacks that are with an executor's threads but have not begun.

    rclpy's shutdown waits for those at work only, and takes away what the others begin with: each
    would leave an exception that was never retrieved.
    """
    threads = threads_of(executor)
    if threads is not None:
        threads.shutdown(wait=True)


def _give_up(name: str) -> None:
    print(f'{name}: not closed after {CLOSE_LIMIT_S:g} s, ended', file=sys.stderr, flush=True)
    os._exit(1)
