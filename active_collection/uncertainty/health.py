# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What an uncertainty node says about itself on /diagnostics."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How well a node does; the values are those of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1


@dataclass(frozen=True, slots=True)
class Report:
    """
    One diagnostic status.

    :param message: one line for a person
    :param values: name to value, both texts
    """

    level: Level
    message: str
    values: tuple[tuple[str, str], ...]


class Health:
    """Counts what happens between two reports. One thread owns it."""

    def __init__(self) -> None:
        self._estimates = 0
        self._dropped_before = 0
        self._lost_before: dict[str, int] = {}
        self._latencies: list[float] = []
        self._problem = ''

    def scored(self, latency_s: float) -> None:
        """Count an estimate that came this long after its observation (s)."""
        self._estimates += 1
        self._latencies.append(latency_s)

    def failed(self, problem: str) -> None:
        """Note why a message or an observation could not be used."""
        self._problem = problem

    def report(self, *, ensemble_id: str, loading_problem: str, missing_topics: Sequence[str],
               silent_topics: Sequence[str], is_lost: bool, dropped: int, dropped_problem: str,
               topic_problems: Mapping[str, str] | None = None,
               lost: Mapping[str, int] | None = None) -> Report:
        """
        Say how things stand and count anew.

        :param ensemble_id: the ensemble in use; empty without one
        :param loading_problem: why a newer ensemble was refused; empty if none was
        :param missing_topics: topics that the ensemble asks for and nobody publishes
        :param silent_topics: others of which nothing has come for a while
        :param is_lost: high for so long that the threshold does not follow
        :param dropped: observations dropped since the start
        :param dropped_problem: why the newest of them was
        :param topic_problems: topic to why it cannot be received as it should
        :param lost: topic to the messages of it that were lost since it was subscribed to
        """
        newly_dropped = max(0, dropped - self._dropped_before)
        problems = []
        if not ensemble_id:
            problems.append('no ensemble yet: nothing is scored')
        if loading_problem:
            problems.append(f'refused: {loading_problem}')
        if missing_topics:
            problems.append(f'not published: {", ".join(missing_topics)}')
        if silent_topics:
            problems.append(f'nothing received of: {", ".join(silent_topics)}')
        problems += [f'{topic}: {problem}' for topic, problem in (topic_problems or {}).items()]
        if is_lost:
            problems.append('high for most of the last threshold.patience steps: the threshold '
                            'stays where it is')
        lost = lost or {}
        problems += [f'{topic}: {count - self._lost_before.get(topic, 0)} messages lost'
                     for topic, count in lost.items() if count > self._lost_before.get(topic, 0)]
        if newly_dropped:
            problems.append(f'{newly_dropped} observations dropped, last: {dropped_problem}')
        if self._problem:
            problems.append(self._problem)
        if ensemble_id and problems:
            problems.insert(0, f'scoring with {ensemble_id}')
        latest = sorted(self._latencies)
        values = (
            ('ensemble_id', ensemble_id),
            ('estimates', str(self._estimates)),
            ('dropped', str(dropped)),
            ('lost', str(sum(lost.values()))),
            ('latency_median_ms', f'{1e3 * latest[len(latest) // 2]:.2f}' if latest else ''),
            ('latency_max_ms', f'{1e3 * latest[-1]:.2f}' if latest else ''),
        )
        self._dropped_before = dropped
        self._lost_before = dict(lost)
        self._latencies.clear()
        self._problem = ''
        return Report(Level.WARN if problems else Level.OK,
                      '; '.join(problems) or f'scoring with {ensemble_id}', values)
