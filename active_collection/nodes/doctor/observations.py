# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Make observations of the live topics as the newest ensemble asks for them."""
from __future__ import annotations

from pathlib import Path

from rclpy.node import Node

from active_collection.bags.alignment import Observation
from active_collection.bags.alignment import ObservationAligner
from active_collection.bags.encoders import load_encoders
from active_collection.errors import ActiveCollectionError
from active_collection.nodes.doctor.recording import RecordingTrial
from active_collection.nodes.uncertainty.observation_stream import ObservationStream
from active_collection.pipeline.doctor.sighting import ObservationsSeen
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble_directory import newest
from active_collection.uncertainty.ensemble_directory import read_description

#: A topic of which nothing came for so long (s) is silent: longer than any look takes.
EVER_S = 1e6
MOST_PROBLEMS = 10


class ObservationTrial:
    """
    The uncertainty node's own subscriptions and alignment, without the ensemble's members.

    :param path: the ensemble's directory
    """

    def __init__(self, node: Node, path: Path) -> None:
        self._node = node
        self._path = path
        self._problem = ''
        self._unusable: dict[str, None] = {}
        self._description: EnsembleDescription | None = None
        self._stream: ObservationStream | None = None
        try:
            self._description = read_description(path)
            specification = self._description.observation
            self._stream = ObservationStream(
                node, self._description, ObservationAligner(
                    specification, sizes=self._description.sizes,
                    encoders=load_encoders(specification, path)),
                _never_mind, self._note)
        except ActiveCollectionError as error:
            self._problem = str(error)

    @classmethod
    def of(cls, node: Node, ensembles: Path) -> ObservationTrial | None:
        """Return a trial of the newest of a directory of ensembles; None where none is seen."""
        try:
            path = newest(ensembles)
        except ActiveCollectionError:  # the look at the data says why
            return None
        return None if path is None else cls(node, path)

    def poll(self) -> None:
        """Subscribe to what has appeared; give observations whose wait is over."""
        if self._stream is not None:
            self._stream.poll()

    def seen(self, recording: RecordingTrial) -> ObservationsSeen:
        """
        Return what became of it.

        :param recording: knows which topics are recorded
        """
        if self._stream is None or self._description is None:
            return ObservationsSeen(ensemble=str(self._path), problem=self._problem)
        specification, statistics = self._description.observation, self._stream.statistics
        full = self._node.resolve_topic_name
        return ObservationsSeen(
            ensemble=str(self._path), latched=tuple(map(full, specification.latched_topics)),
            missing=tuple(map(full, self._stream.missing)),
            silent=tuple(map(full, self._stream.silent_for(EVER_S))),
            unusable=tuple(self._unusable), made=statistics.observations,
            dropped=statistics.dropped, dropped_problem=statistics.problem,
            unrecorded=tuple(name for name in map(full, specification.topics)
                             if not recording.wants(name)))

    def _note(self, problem: str) -> None:
        if len(self._unusable) < MOST_PROBLEMS:
            self._unusable[problem] = None


def _never_mind(observation: Observation, received_ns: int) -> None:
    """Let an observation go: that it could be made is all that counts."""
