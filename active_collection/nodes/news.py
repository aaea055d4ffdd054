# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a log has not said yet: a state that lasts is one line, however often it is met."""
from __future__ import annotations

from collections.abc import Hashable

#: Subjects that are remembered: names come from the network, and anybody can make some up.
MOST_SUBJECTS = 1000


class News:
    """What was last said of each subject."""

    def __init__(self) -> None:
        self._said: dict[str, Hashable] = {}

    def is_new(self, subject: str, gist: Hashable) -> bool:
        """
        Tell whether something else was last said of a subject, and remember it.

        :param gist: what does not change with the wording, counts for instance
        """
        is_new = subject not in self._said or self._said[subject] != gist
        self._said.pop(subject, None)
        self._said[subject] = gist
        while len(self._said) > MOST_SUBJECTS:
            self._said.pop(next(iter(self._said)))
        return is_new

    def forget(self, subject: str) -> None:
        """Take whatever is said next of a subject as new."""
        self._said.pop(subject, None)
