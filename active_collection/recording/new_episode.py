# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether an episode can be started, and what it is made of."""
from __future__ import annotations

from datetime import datetime
from datetime import timezone
from pathlib import Path

from active_collection.episode import EpisodeRecord
from active_collection.episode import Source
from active_collection.names import is_safe_name
from active_collection.recording.bag_writer import BagWriter
from active_collection.recording.clock_jumps import ClockJumps
from active_collection.recording.closed_episodes import check_id
from active_collection.recording.disk import DiskGuard
from active_collection.recording.episode_writer import EpisodeWriter
from active_collection.recording.kept_parts import HIGH_UNCERTAINTY
from active_collection.recording.kept_parts import TAG
from active_collection.recording.message_queue import MessageQueue
from active_collection.recording.metadata import device
from active_collection.recording.metadata import planned
from active_collection.recording.metadata import write_metadata
from active_collection.recording.open_episode import OpenEpisode
from active_collection.recording.open_episode import StartRequest
from active_collection.recording.recorder_state import Environment
from active_collection.recording.refusals import Reason
from active_collection.recording.refusals import RefusedError
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.store import EpisodeStore
from active_collection.recording.store import OpenDirectory
from active_collection.recording.write_rate import WriteRate


class NewEpisodes:
    """
    Makes the episodes of one recorder.

    :param robot: its name, for the records
    :param rate: at which episodes have filled the disk
    """

    def __init__(self, *, robot: str, store: EpisodeStore, disk: DiskGuard, rate: WriteRate,
                 environment: Environment) -> None:
        self._robot = robot
        self._store = store
        self._disk = disk
        self._rate = rate
        self._environment = environment

    def open(self, request: StartRequest, settings: RecorderSettings) -> OpenEpisode:
        """
        Return an episode that is on the disk and takes messages; a salvage finds its record.

        :param settings: of this episode, to its end
        :raises RefusedError: where it cannot be; nothing has changed
        """
        self._check(request, settings)
        record = self._record(request, settings)
        directory = self._create(record)
        try:
            return self._begin(record, directory, request, settings)
        except OSError as error:
            self._store.discard(directory)
            raise _unavailable(directory.path, error) from error

    def _check(self, request: StartRequest, settings: RecorderSettings) -> None:
        where = f'episode {request.episode_id}'.rstrip()
        if request.episode_id:
            check_id(request.episode_id)
        if request.episode_id and self._store.is_taken(request.episode_id):
            raise RefusedError(Reason.DUPLICATE, where, found='an episode of this id',
                               expected='an id that is not in use')
        if request.missing_topics and not request.allow_missing_topics:
            raise RefusedError(
                Reason.MISSING_TOPICS, where,
                found=f'no publisher of {", ".join(request.missing_topics)}',
                expected='every required topic')
        if self._environment.ros_ns() <= 0:
            raise RefusedError(Reason.UNAVAILABLE, where, found='no ROS time',
                               expected='a publisher of /clock, as use_sim_time is set')
        self._disk.check_room(self._rate.mean(), _limit_s(request, settings))

    def _record(self, request: StartRequest, settings: RecorderSettings) -> EpisodeRecord:
        now = self._environment.ros_ns()
        tags = dict(request.tags)
        if settings.policy_parts == 'uncertain' and request.source is Source.POLICY:
            tags[TAG] = HIGH_UNCERTAINTY
        return EpisodeRecord(
            episode_id=request.episode_id or self._make_id(now), scenario=request.scenario,
            robot=self._robot, source=request.source, started_ns=now,
            assignment_id=request.assignment_id, operator=request.operator, notes=request.notes,
            tags=tags, versions=dict(self._environment.versions),
            missing_topics=request.missing_topics)

    def _make_id(self, now_ns: int) -> str:
        stamp = datetime.fromtimestamp(now_ns / 1e9, tz=timezone.utc).strftime('%Y%m%dT%H%M%S')
        robot = ''.join(c if is_safe_name(c) or c == '.' else '_' for c in self._robot)[:32]
        return f'{stamp}-{robot or "robot"}-{self._environment.token()}'

    def _create(self, record: EpisodeRecord) -> OpenDirectory:
        try:
            return self._store.create(record.episode_id, record.started_ns)
        except FileExistsError as error:
            raise RefusedError(
                Reason.DUPLICATE, f'episode {record.episode_id}', found=str(error),
                expected='an id that is not in use') from error
        except OSError as error:
            raise _unavailable(self._store.root, error) from error

    def _begin(self, record: EpisodeRecord, directory: OpenDirectory,
               request: StartRequest, settings: RecorderSettings) -> OpenEpisode:
        distro = self._environment.ros_distro
        write_metadata(directory.path, planned(record.episode_id, ros_distro=distro), record)
        bag = BagWriter(
            directory.path, record.episode_id, settings=settings, ros_distro=distro,
            labels=device(record.robot))
        queue = MessageQueue(
            max_bytes=settings.queue_bytes, max_messages=settings.queue_messages)
        environment = self._environment
        started = environment.monotonic()
        return OpenEpisode(
            record, settings=settings, directory=directory,
            writer=EpisodeWriter(bag, queue, monotonic=environment.monotonic),
            started=started, limit_s=_limit_s(request, settings),
            clock=ClockJumps(environment.ros_ns(), started,
                             simulated=environment.simulated_time))


def _limit_s(request: StartRequest, settings: RecorderSettings) -> float:
    longest = settings.maximum_duration_s
    return min(request.time_limit_s or longest, longest)


def _unavailable(path: Path, error: OSError) -> RefusedError:
    return RefusedError(Reason.UNAVAILABLE, str(path), found=str(error),
                        expected='a directory that can be written')
