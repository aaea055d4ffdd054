# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The one thread that writes an episode, and the queue that leads to it."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable

from active_collection.errors import RecordingError
from active_collection.recording.bag_writer import BagWriter
from active_collection.recording.message_queue import MessageQueue
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.metadata import BagSummary
from active_collection.recording.metadata import Labels

#: Longest sleep of the thread, so that topics added meanwhile do not wait (s).
LONGEST_WAIT_S = 0.1


class EpisodeWriter:
    """
    Takes an episode's messages from any thread and writes them in one of its own.

    The thread is the only one that touches the bag. An error ends the writing, not the
    program: what is in whole chunks is kept, the rest is counted as dropped.

    :param bag: the open bag
    :param queue: the queue, empty
    :param monotonic: monotonic time (s)
    """

    def __init__(self, bag: BagWriter, queue: MessageQueue, *,
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self._bag = bag
        self._queue = queue
        self._monotonic = monotonic
        self._added: list[Topic] = []
        self._adding = threading.Lock()
        self._error: Exception | None = None
        self._summary: BagSummary | None = None
        self._labels: Callable[[BagSummary], Labels] = _no_labels
        self._thread = threading.Thread(target=self._run, name='episode_writer', daemon=True)
        self._thread.start()

    @property
    def error(self) -> Exception | None:
        """Return the error that ended the writing, if one did."""
        return self._error

    @property
    def warning(self) -> str:
        """Return what is amiss with the bag's settings; empty where nothing is."""
        return self._bag.warning

    @property
    def closed(self) -> bool:
        """Tell whether it takes no more messages."""
        return self._queue.closed

    @property
    def is_writing(self) -> bool:
        """Tell whether the thread may still touch the bag."""
        return self._thread.is_alive()

    @property
    def fill(self) -> float:
        """Return the share of the queue in use, 0 to 1."""
        return self._queue.fill

    def add_topic(self, topic: Topic) -> None:
        """Add a topic, before its first message, or state anew what its publishers offer."""
        with self._adding:
            self._added.append(topic)

    def put(self, message: Message) -> bool:
        """Hand a message over without waiting; False where it is closed or full."""
        return self._queue.put(message)

    def written(self) -> dict[str, tuple[int, int]]:
        """Return topic to (messages, serialized bytes) in whole chunks."""
        return self._bag.written()

    def finish(self, timeout_s: float,
               labels: Callable[[BagSummary], Labels] | None = None) -> BagSummary:
        """
        Write what is in the queue, close the bag and say what it holds.

        :param timeout_s: longest wait (s)
        :param labels: metadata records of a bag without an error; called in the writer's thread
        :raises RecordingError: where that takes longer or the bag cannot be closed
        """
        self._labels = labels or _no_labels
        self._queue.close()
        self._thread.join(timeout_s)
        files = ', '.join(self._bag.files)
        if self._thread.is_alive():
            raise RecordingError(files, found=f'{len(self._queue)} messages still to be written '
                                 f'after {timeout_s:g} s', expected='a disk that keeps up')
        if self._summary is None:
            raise RecordingError(files, found=str(self._error), expected='a disk that can be '
                                 'written') from self._error
        return self._summary

    def information(self, summary: BagSummary) -> dict[str, object]:
        """Return rosbag2's description of the bag."""
        return self._bag.information(summary)

    def _run(self) -> None:
        try:
            self._write_all()
            self._bag.write_held()
        except Exception as error:  # whatever it is, what is in the file is to be closed
            self._error = error
            self._queue.close()
        try:
            self._add_topics()
            # What is said of an episode that ended well does not hold for one that did not.
            self._summary = (self._bag.finish(self._labels) if self._error is None
                             else self._bag.finish())
        except Exception as error:
            self._error = self._error or error
        # They know the episode, which knows this: each episode would wait for the garbage
        # collector, which comes by when there are thousands of such objects.
        self._labels = _no_labels

    def _write_all(self) -> None:
        wait = LONGEST_WAIT_S
        while True:
            # Asked before taking: what is put before the close is in what is taken after it.
            last = self._queue.closed
            messages = self._queue.take(min(wait, LONGEST_WAIT_S))
            self._add_topics()
            now = self._monotonic()
            for message in messages:
                self._bag.write(message, now)
            wait = self._bag.keep_durable(now)
            if last and not messages:
                return

    def _add_topics(self) -> None:
        with self._adding:
            added, self._added = self._added, []
        for topic in added:
            self._bag.add_topic(topic)


def _no_labels(summary: BagSummary) -> Labels:
    return {}
