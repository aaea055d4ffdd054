# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Force files to disk without holding up the thread that writes them."""
from __future__ import annotations

import os
import threading


class BackgroundSync:
    """
    A thread that does nothing but fdatasync.

    A sync lasts as long as the disk likes, half a second of silence on a busy one; the writer goes
    on meanwhile, and the queue before it stays empty. Requests that come during a sync become one.
    """

    def __init__(self) -> None:
        self._wanted = -1
        self._closing = False
        self._error: OSError | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name='sync', daemon=True)
        self._thread.start()

    def request(self, descriptor: int) -> None:
        """
        Force to disk what has been written to a file so far, soon.

        :param descriptor: of the file; may be closed after the call
        :raises OSError: where an earlier sync has failed: its data may be gone
        """
        with self._changed:
            if self._error is not None:
                raise self._error
            if self._wanted >= 0:
                os.close(self._wanted)
            self._wanted = os.dup(descriptor)
            self._changed.notify()

    def close(self) -> None:
        """
        Do what is still requested and end the thread.

        :raises OSError: where a sync has failed
        """
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._wanted < 0 and not self._closing:
                    self._changed.wait()
                descriptor, self._wanted = self._wanted, -1
            if descriptor < 0:
                return
            try:
                os.fdatasync(descriptor)
            except OSError as error:
                with self._changed:
                    self._error = error
            finally:
                os.close(descriptor)
