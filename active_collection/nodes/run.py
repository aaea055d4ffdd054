# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Run one node as a process: start, spin, stop cleanly on SIGINT and SIGTERM."""
from __future__ import annotations

import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor
from rclpy.executors import ExternalShutdownException
from rclpy.executors import MultiThreadedExecutor
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError

RCLError = rclpy_implementation.RCLError

#: A node that has not closed after this is ended all the same; what it had written is safe.
CLOSE_LIMIT_S = 10.0

#: Where in its own source rcl found a mistake.
_WHERE_IN_RCL = re.compile(r', at [\w./-]+:\d+')


def run(create: Callable[[], Node], arguments: list[str] | None = None, *,
        threads: int = 1) -> int:
    """
    Run a node until a signal asks it to stop, and return the exit status of the process.

    The executor spins in a thread of its own, so that a signal reaches the main thread at once
    and the node can still use its services while it closes: `close()`, where the node has one, is
    called in the main thread while the executor goes on.

    :param create: makes the node once rclpy is initialised
    :param arguments: command line as rclpy takes it; None: that of the process
    :param threads: threads of the executor
    :return: 0 after a signal; 2 where the node cannot start, after one line on stderr;
        1 after an unexpected error in a callback, which is logged
    """
    stop = threading.Event()
    previous = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        node = _start(create, arguments)
    except ActiveCollectionError as error:
        print(error, file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    executor: Executor = (
        SingleThreadedExecutor() if threads == 1 else MultiThreadedExecutor(num_threads=threads))
    executor.add_node(node)
    failures: list[BaseException] = []
    ending: Future[None] = Future()

    def spin() -> None:
        try:
            executor.spin_until_future_complete(ending)
        except ExternalShutdownException:
            pass
        except BaseException as error:
            failures.append(error)
            node.get_logger().fatal(f'{type(error).__name__}: {error}')
        finally:
            stop.set()

    spinner = threading.Thread(target=spin, name='executor', daemon=True)
    spinner.start()
    stop.wait()
    _close(node, executor, spinner, ending)
    for number, handler in previous.items():
        signal.signal(number, handler)
    if failures and not isinstance(failures[0], (KeyboardInterrupt, SystemExit)):
        sys.excepthook(type(failures[0]), failures[0], failures[0].__traceback__)
        return 1
    return 0


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
    executor.shutdown(timeout_sec=1.0)
    node.destroy_node()
    rclpy.try_shutdown()
    watchdog.cancel()


def _give_up(name: str) -> None:
    print(f'{name}: not closed after {CLOSE_LIMIT_S:g} s, ended', file=sys.stderr, flush=True)
    os._exit(1)
