# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the scheduler took an assignment back while its robot works on it."""
from __future__ import annotations

import threading
from collections.abc import Mapping

from active_collection.collecting.collection_robot import TakenError
from active_collection.collecting.collection_robot import Work


class LeaseWatch:
    """
    Compares the leases that the scheduler tells of with the one that is being worked on.

    A lease that is gone before its last known deadline was taken: by an operator, or for something
    of higher priority. One that is gone after it has lapsed, because the network or the scheduler
    was away: that is no reason to stop, for its episode counts all the same. All times are the
    scheduler's own, so that no clocks are compared. One thread may `see` while another works.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: Work | None = None
        self._deadline_ns = 0
        self._taken = ''

    def follow(self, work: Work | None) -> None:
        """Watch an assignment from here on; None for none."""
        with self._lock:
            self._work = work
            self._deadline_ns = work.deadline_ns if work else 0
            self._taken = ''

    def see(self, stamp_ns: int, deadlines: Mapping[str, int]) -> None:
        """
        Take in what the scheduler tells.

        :param stamp_ns: when it told it (ns)
        :param deadlines: assignment id to deadline (ns) of every lease that is out
        """
        with self._lock:
            if self._work is None or stamp_ns <= self._work.issued_ns:
                return
            if self._work.assignment_id in deadlines:
                self._deadline_ns = deadlines[self._work.assignment_id]
            elif stamp_ns < self._deadline_ns:
                self._taken = self._work.assignment_id
            else:
                self._work = None

    def check(self) -> None:
        """
        Pass while the assignment stands.

        :raises TakenError: where it was taken back
        """
        with self._lock:
            if self._taken:
                raise TakenError(f'the scheduler took assignment {self._taken} back')
