# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which topics are recorded."""
from __future__ import annotations

import re
from collections.abc import Callable

from active_collection.recording.settings import RecorderSettings

#: Of every robot, wherever they stand.
GLOBAL = frozenset({'/tf', '/tf_static'})


class TopicSelection:
    """
    The topics that a recorder's settings select.

    :param namespace: the robot's: '/robot_1', or '/'
    :param resolve: makes a name fully qualified, remappings included
    """

    def __init__(self, settings: RecorderSettings, *, namespace: str,
                 resolve: Callable[[str], str]) -> None:
        events = settings.high_uncertainty_topic
        self.events = frozenset(map(resolve, [events] if events else []))
        self._listed = self.events.union(map(resolve, (
            *settings.topics, *settings.required_topics,
            *([settings.actor_topic] if settings.actor_topic else []))))
        self._regex = re.compile(settings.regex) if settings.regex else None
        self._all = not settings.topics and not settings.regex
        self._exclude = tuple(map(re.compile, settings.exclude))
        self._prefix = namespace.rstrip('/') + '/'
        self.required = tuple(map(resolve, settings.required_topics))

    def wants(self, name: str) -> bool:
        """Tell whether a topic is recorded, by its fully qualified name."""
        if name in self._listed:
            return True
        if '/_' in name or any(regex.fullmatch(name) for regex in self._exclude):
            return False
        if self._regex is not None and self._regex.fullmatch(name):
            return True
        return self._all and (name.startswith(self._prefix) or name in GLOBAL)
