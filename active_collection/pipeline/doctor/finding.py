# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a check finds, and what it means for the whole."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Verdict(Enum):
    """How bad a finding is."""

    OK = 'ok'
    #: It works, but may not do so for ever, or not as well as it could.
    WARNING = 'warning'
    #: Episodes cannot be collected, or are worth less than they seem.
    WRONG = 'wrong'
    #: It could not be looked at, which is not the robot's fault.
    SKIPPED = 'skipped'


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One line of a doctor's report.

    Some of it is what peers and files say: line breaks become spaces, and what a terminal would
    take for a command is written out.

    :param found: what is there, with file, topic, field or parameter
    :param expected: what should be there; empty where it is
    :param remedy: what to do, best a command; empty where nothing is to be done
    """

    verdict: Verdict
    found: str
    expected: str = ''
    remedy: str = ''

    def __post_init__(self) -> None:
        for name in ('found', 'expected', 'remedy'):
            line = ' '.join(getattr(self, name).split())
            object.__setattr__(self, name, ''.join(
                each if each.isprintable() else repr(each)[1:-1] for each in line))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {**asdict(self), 'verdict': self.verdict.value}

    def __str__(self) -> str:
        wanted = f'; expected {self.expected}' if self.expected else ''
        return f'{self.found}{wanted}{f"; {self.remedy}" if self.remedy else ""}'


def ok(found: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Verdict.OK, found)


def warning(found: str, *, expected: str, remedy: str) -> Finding:
    """Return that something may become a problem."""
    return Finding(Verdict.WARNING, found, expected, remedy)


def wrong(found: str, *, expected: str, remedy: str) -> Finding:
    """Return that something has to be mended."""
    return Finding(Verdict.WRONG, found, expected, remedy)


def skipped(found: str, *, remedy: str = '') -> Finding:
    """Return why something was not looked at."""
    return Finding(Verdict.SKIPPED, found, remedy=remedy)


def exit_status(verdicts: Iterable[Verdict]) -> int:
    """Return the exit status of a report: 1 where anything is wrong."""
    return int(Verdict.WRONG in set(verdicts))
