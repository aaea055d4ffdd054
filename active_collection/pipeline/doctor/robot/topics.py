# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the topics that are to be recorded are there and can be."""
from __future__ import annotations

import difflib
from collections.abc import Iterable
from collections.abc import Iterator

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import Robot

NOT_INSTALLED = 'is not installed'


class Topics:
    """Topics that are required, those that are named, and those that cannot be recorded."""

    def look(self, subject: Robot) -> Iterable[Finding]:
        """Return a finding for each topic with which something is wrong, and one for the rest."""
        sighting = subject.sighting
        if sighting.robot not in sighting.namespaces:
            return [skipped(f'no node in {sighting.robot}')]
        if not sighting.heard and not sighting.unmatched and not sighting.problems:
            return [wrong(f'no topic would be recorded of {sighting.robot}',
                          expected='topics that its drivers publish in its namespace',
                          remedy='ros2 topic list; the recorder chooses by topics, regex and '
                          'exclude')]
        findings = list(_missing(subject))
        findings += [wrong(f'{name}: {problem}', expected='a topic that is recorded whole',
                           remedy=_help(subject, name, problem))
                     for name, problem in sorted(sighting.problems.items())]
        if sighting.heard:
            there = sorted(set(sighting.required) - set(sighting.unmatched))
            findings.append(ok(f'{len(sighting.heard)} topics would be recorded; required and '
                               f'there: {", ".join(there) or "none"}'))
        return findings


def _missing(subject: Robot) -> Iterator[Finding]:
    sighting = subject.sighting
    published = [topic.name for topic in sighting.topics if topic.publishers]
    for name in sighting.unmatched:
        if name not in sighting.problems:
            yield wrong(f'{name} is required and has no publisher{_hint(name, published)}',
                        expected='a publisher: without it no episode starts',
                        remedy=f'start its driver; ros2 topic info -v {name}; or change the '
                        'parameter required_topics')
    for name in sighting.listed:
        if name not in published and name not in sighting.unmatched:
            yield warning(f'{name} is to be recorded and has no publisher'
                          f'{_hint(name, published)}', expected='a publisher',
                          remedy=f'start its driver; ros2 topic info -v {name}; or change the '
                          'parameter topics')


def _hint(name: str, published: list[str]) -> str:
    """Return which topic may be meant: one of the same last name, or one that is spelt so."""
    last = name.rpartition('/')[2]
    same = [each for each in published if each.rpartition('/')[2] == last]
    near = difflib.get_close_matches(name, same or published, n=1, cutoff=0.4 if same else 0.8)
    return f' ({near[0]} has one)' if near else ''


def _help(subject: Robot, name: str, problem: str) -> str:
    if NOT_INSTALLED in problem:
        publishers = subject.sighting.topic(name).publishers
        package = publishers[0].type.partition('/')[0] if publishers else '<package>'
        distro = subject.distro or '<distribution>'
        return (f'sudo apt install ros-{distro}-{package.replace("_", "-")}, or build it in the '
                'workspace; then start the recorder anew')
    return f'ros2 topic info -v {name}'
