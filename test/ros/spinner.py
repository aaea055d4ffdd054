# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes of a test that spin beside it."""
import threading

from rclpy.executors import MultiThreadedExecutor
from rclpy.executors import SingleThreadedExecutor
from rclpy.task import Future

from active_collection.nodes.rclpy_internals import threads_of

#: A callback that does not return keeps its test from ending.
DEADLINE_S = 60.0


class Spinner:
    """
    Spins nodes in a thread of its own until closed.

    :param nodes: what spins; destroyed with the spinner
    :param threads: in which callbacks run
    """

    def __init__(self, *nodes, threads=4):
        self.nodes = []
        self.executor = (SingleThreadedExecutor() if threads == 1
                         else MultiThreadedExecutor(num_threads=threads))
        for node in nodes:
            self.add(node)
        self._ending = Future()
        self._thread = threading.Thread(
            target=self.executor.spin_until_future_complete, args=[self._ending], daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def add(self, node):
        self.nodes.append(node)
        self.executor.add_node(node)

    def close(self):
        """
        End the spinning, then the callbacks, then what both need.

        rclpy's own shutdown waits for neither: it takes the guard condition away with which a
        callback at work wakes the executor, and the exception in its thread fails the test.
        """
        self._ending.set_result(None)
        self._thread.join(timeout=DEADLINE_S)
        assert not self._thread.is_alive(), 'a callback has not returned'
        threads = threads_of(self.executor)
        if threads is not None:
            threads.shutdown(wait=True)
        self.executor.shutdown()
        for node in self.nodes:
            node.destroy_node()
