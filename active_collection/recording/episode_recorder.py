# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Record episodes one after the other: the core of the recorder, without ROS."""
from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import StopReason
from active_collection.episode import UncertaintySummary
from active_collection.errors import RecordingError
from active_collection.recording.closed_episodes import ClosedEpisodes
from active_collection.recording.disk import DiskGuard
from active_collection.recording.intake import Intake
from active_collection.recording.metadata import write_metadata
from active_collection.recording.new_episode import NewEpisodes
from active_collection.recording.open_episode import OpenEpisode
from active_collection.recording.open_episode import StartRequest
from active_collection.recording.recorder_state import Environment
from active_collection.recording.recorder_state import EpisodeEvent
from active_collection.recording.recorder_state import Snapshot
from active_collection.recording.recorder_state import State
from active_collection.recording.refusals import Reason
from active_collection.recording.refusals import RefusedError
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.store import EpisodeStore
from active_collection.recording.store import size_of
from active_collection.recording.write_rate import WriteRate

#: Longest wait for the writer at FinishEpisode (s): a full queue on a slow disk.
FINISH_TIMEOUT_S = 60.0


class EpisodeRecorder:
    """
    Records at most one episode at a time.

    Messages come in through `intake`. Every method may be called from any thread; those that open
    or close an episode wait for each other.

    :param robot: its name, for the records
    :param publish: called with every episode that is started, closed or amended
    """

    def __init__(self, settings: RecorderSettings, *, robot: str,
                 publish: Callable[[EpisodeEvent], None],
                 environment: Environment | None = None) -> None:
        self.store = EpisodeStore(Path(settings.data_directory))
        self._closed = ClosedEpisodes(self.store)
        self._settings = settings
        self._publish = publish
        self._environment = environment or Environment()
        self._expected_rates = self._environment.expected_rates
        self.intake = self._make_intake()
        self._disk = DiskGuard(self._environment.disk, self.store.root,
                               reserve=settings.disk_reserve_bytes)
        self.rate = WriteRate(self.store, robot=robot)
        self._new = NewEpisodes(robot=robot, store=self.store, disk=self._disk, rate=self.rate,
                                environment=self._environment)
        self._commands = threading.RLock()
        self._closing: OpenEpisode | None = None
        self._failed: dict[str, EpisodeEvent] = {}
        self._problem = ''
        self._suspended = ''

    @property
    def open_episode_id(self) -> str:
        """Return the id of the open episode; empty where none is."""
        episode = self.intake.episode
        return episode.record.episode_id if episode else ''

    def change(self, settings: RecorderSettings, expected_rates: Mapping[str, float]) -> None:
        """
        Take changed settings: what an episode is made of, from the next one on.

        :param expected_rates: fully qualified topic name to the rate that it should keep (Hz)
        """
        self._settings, self._expected_rates = settings, expected_rates
        self._disk.reserve = settings.disk_reserve_bytes
        self.intake.change(settings, expected_rates)

    def summarise(self, summary: UncertaintySummary) -> None:
        """Keep the newest uncertainty summary of the open episode."""
        episode = self.intake.episode
        if episode is not None and summary.episode_id == episode.record.episode_id:
            episode.uncertainty = summary

    def start(self, request: StartRequest) -> EpisodeRecord:
        """
        Start an episode; for the one that is open already, return its record.

        :raises RefusedError: where it cannot be started; nothing has changed
        """
        with self._commands:
            episode = self.intake.episode
            if episode is not None and request.episode_id == episode.record.episode_id:
                return episode.record
            self._check_idle(request.episode_id)
            episode = self._new.open(request, self._settings)
            record = self.intake.admit(episode)
            self._publish(EpisodeEvent(record, False, self.store.relative(episode.directory.path)))
            return record

    def finish(self, episode_id: str, *, outcome: Outcome,
               stop_reason: StopReason = StopReason.FINISHED, notes: str = '',
               tags: Mapping[str, str] | None = None) -> EpisodeRecord:
        """
        Close the open episode, or judge and return one that is closed.

        :param outcome: UNKNOWN where nobody has judged it yet
        :param notes: put behind those of the start
        :param tags: put beside those of the start; an equal key is replaced
        :raises RefusedError: where the id is unknown
        """
        with self._commands:
            if self.intake.episode is not None and self.open_episode_id == episode_id:
                return self._close(
                    outcome, stop_reason, notes, timeout_s=FINISH_TIMEOUT_S, tags=tags or {})
            if episode_id in self._failed:
                return self._failed[episode_id].record
            _, record = self._closed.get(episode_id)
            if record.outcome is not Outcome.UNKNOWN or outcome is Outcome.UNKNOWN:
                return record
            return self.amend(
                episode_id, outcome=outcome, notes=_joined(record.notes, notes), tags=tags)

    def amend(self, episode_id: str, *, outcome: Outcome = Outcome.UNKNOWN, notes: str = '',
              author: str = '', tags: Mapping[str, str] | None = None) -> EpisodeRecord:
        """
        Correct the record of a closed episode; its messages are not touched.

        :param outcome: UNKNOWN leaves it
        :param notes: in place of those it has; empty leaves them
        :param author: who corrects; with an outcome, who has judged the episode
        :param tags: put beside those it has; an equal key is replaced
        :raises RefusedError: where it is unknown, still open or cannot be written
        """
        with self._commands:
            if self.intake.episode is not None and self.open_episode_id == episode_id:
                raise RefusedError(Reason.STILL_RECORDING, f'episode {episode_id}',
                                   found='still recording', expected='a closed episode')
            record, event = self._closed.amend(
                episode_id, outcome=outcome, notes=notes, author=author, tags=tags or {})
            if event is not None:
                self._publish(event)
            return record

    def event_of(self, record: EpisodeRecord) -> EpisodeEvent:
        """Return what is published of an episode that is closed."""
        if record.episode_id in self._failed:
            return self._failed[record.episode_id]
        path = self.store.find(record.episode_id)
        if path is None:
            return EpisodeEvent(record, True, '')
        return EpisodeEvent(record, True, self.store.relative(path), size_of(path))

    def tick(self) -> None:
        """Close the open episode where its time, its disk or its directory is at an end."""
        with self._commands:
            episode = self.intake.episode
            if episode is None:
                self._problem = self._disk.problem()
                return
            episode.look_at_clock(self._environment.ros_ns(), self._environment.monotonic())
            if self._environment.monotonic() - episode.started >= episode.limit_s:
                self._close(Outcome.UNKNOWN, StopReason.TIME_LIMIT, '',
                            timeout_s=FINISH_TIMEOUT_S)
                return
            problem, reason = self._trouble(episode)
            if problem:
                self._problem = problem
                self._close(Outcome.ABORTED, reason, problem, timeout_s=FINISH_TIMEOUT_S)

    def mark_uncertain(self, *, high: bool) -> None:
        """Take note that the policy's uncertainty has become high, or is so no longer."""
        self.intake.mark_uncertain(high=high)

    def suspend(self, state: str) -> None:
        """
        Close the open episode as aborted, and start no other until `resume`.

        :param state: what the recorder is then, for a person: 'inactive'
        """
        with self._commands:
            self._suspended = state
            if self.intake.episode is not None:
                self._close(Outcome.ABORTED, StopReason.RECORDER_SHUTDOWN, f'recorder {state}',
                            timeout_s=self._settings.close_timeout_s)

    def resume(self) -> None:
        """Start episodes again; what came in before is forgotten."""
        with self._commands:
            self.intake = self._make_intake()
            self._suspended = ''

    def shut_down(self) -> None:
        """Close the open episode as aborted, and start no other."""
        self.suspend('shutting down')

    def snapshot(self) -> Snapshot:
        """Return what the recorder is doing at this instant."""
        episode, state = self.intake.episode, State.RECORDING
        if episode is None:
            episode, state = self._closing, State.CLOSING
        free = self._disk.free()
        if episode is None:
            if self._suspended:
                return Snapshot(State.INACTIVE, self._suspended, disk_free=free or 0)
            state = State.BLOCKED if self._problem else State.IDLE
            return Snapshot(state, self._problem, disk_free=free or 0)
        missing = episode.record.missing_topics
        without = f'recording without {", ".join(missing)}' if missing else ''
        warning = episode.writer.warning
        return Snapshot(
            state, '; '.join(filter(None, [without, episode.clock.message, warning])),
            episode.record, is_amiss=bool(warning),
            elapsed_s=self._environment.monotonic() - episode.started,
            queue_fill=episode.writer.fill, disk_free=free or 0, topics=episode.statistics(),
            delays_s=episode.delays_s(),
            silences_s=episode.silences_s(self._environment.ros_ns()))

    def _make_intake(self) -> Intake:
        return Intake(
            self._settings, now=self._environment.ros_ns,
            expected_rates=self._expected_rates,
            always=self._environment.event_topics)

    def _check_idle(self, episode_id: str) -> None:
        where = f'episode {episode_id}'.rstrip()
        if self._suspended:
            raise RefusedError(Reason.UNAVAILABLE, where, found=f'the recorder {self._suspended}',
                               expected='a running recorder')
        if self.intake.episode is not None:
            raise RefusedError(Reason.BUSY, where, found=f'{self.open_episode_id} open',
                               expected='no open episode')

    def _close(self, outcome: Outcome, stop_reason: StopReason, notes: str, *,
               timeout_s: float, tags: Mapping[str, str] | None = None) -> EpisodeRecord:
        episode = self._closing = self.intake.shut()
        if episode is None:
            raise RuntimeError('no episode is open')
        monotonic, started_ns = self._environment.monotonic(), episode.record.started_ns
        episode.clock.look(self._environment.ros_ns(), monotonic)
        ended = episode.record.amended(
            finished_ns=episode.clock.finished_ns(started_ns, monotonic), outcome=outcome,
            stop_reason=stop_reason, notes=_joined(episode.record.notes, notes),
            tags={**episode.record.tags, **(tags or {})},
            lasted_s=monotonic - episode.started, clock_jumps=episode.clock.jumps)
        try:
            event = self._put_away(episode, ended, timeout_s)
        finally:
            # What a stuck disk still holds stays locked, so that no salvage meddles with it.
            if not episode.writer.is_writing:
                episode.directory.release()
            self._closing = None
        if event.size:  # else its directory is gone, and with it what would tell the rate
            self.rate.add(event.size, self._environment.monotonic() - episode.started)
        self._publish(event)
        return event.record

    def _put_away(self, episode: OpenEpisode, ended: EpisodeRecord,
                  timeout_s: float) -> EpisodeEvent:
        """Close bag and record. Where the disk refuses, salvage will find what is there."""
        path, failure, summary = episode.directory.path, '', None
        reason = StopReason.WRITE_ERROR
        try:
            summary = episode.finish(ended, timeout_s)
        except RecordingError as error:
            failure = str(error)
        broken = episode.writer.error
        if broken is not None:
            ended = replace(ended, outcome=Outcome.ABORTED, stop_reason=_reason_of(broken),
                            notes=_joined(ended.notes, str(broken)))
        ended = episode.counted(ended, summary)
        if summary is not None:
            try:
                write_metadata(path, episode.writer.information(summary), ended)
                path = self.store.close(episode.directory)
                return EpisodeEvent(ended, True, self.store.relative(path), size_of(path))
            except OSError as error:
                failure, reason = str(error), _reason_of(error)
        ended = replace(ended, stop_reason=reason,
                        notes=_joined(ended.notes, failure))
        event = EpisodeEvent(ended, True, self.store.relative(path), size_of(path))
        self._failed[ended.episode_id] = event
        self._problem = failure
        return event

    def _trouble(self, episode: OpenEpisode) -> tuple[str, StopReason]:
        """Return why the open episode cannot go on; an empty text where it can."""
        if episode.writer.error is not None:
            return str(episode.writer.error), _reason_of(episode.writer.error)
        if not episode.directory.is_in_place():
            return (f'{episode.directory.path}: removed while recording', StopReason.WRITE_ERROR)
        return self._disk.problem(), StopReason.DISK_FULL


def _joined(*notes: str) -> str:
    return '\n'.join(note for note in notes if note)


def _reason_of(error: Exception) -> StopReason:
    full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
    return StopReason.DISK_FULL if full else StopReason.WRITE_ERROR
