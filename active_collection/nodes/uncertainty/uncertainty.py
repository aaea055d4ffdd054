# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `uncertainty`: scores each observation of a robot with the newest ensemble."""
from __future__ import annotations

import os
import time
from collections.abc import Callable
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock
from rclpy.clock import ClockType
from rclpy.task import Future

from active_collection.bags.alignment import Observation
from active_collection.errors import ActiveCollectionError
from active_collection.errors import UncertaintyError
from active_collection.files import expanded
from active_collection.files import is_directory
from active_collection.msg import HighUncertainty
from active_collection.msg import RecorderStatus
from active_collection.msg import UncertaintyEstimate
from active_collection.nodes import qos
from active_collection.nodes.news import News
from active_collection.nodes.parameters import ParameterNode
from active_collection.nodes.run import run
from active_collection.nodes.sole import OTHER_ROBOT
from active_collection.nodes.sole import Sole
from active_collection.nodes.uncertainty.estimate_messages import crossing_to_msg
from active_collection.nodes.uncertainty.estimate_messages import estimate_to_msg
from active_collection.nodes.uncertainty.estimate_messages import report_to_msg
from active_collection.nodes.uncertainty.observation_stream import ObservationStream
from active_collection.nodes.uncertainty.observation_stream import OnObservation
from active_collection.nodes.uncertainty.scoring_process import ScoringProcess
from active_collection.nodes.unexpected import as_line
from active_collection.srv import LoadEnsemble
from active_collection.uncertainty.crossings import Crossing
from active_collection.uncertainty.crossings import Crossings
from active_collection.uncertainty.health import Health
from active_collection.uncertainty.settings import UncertaintySettings
from active_collection.uncertainty.threshold_file import read_recent
from active_collection.uncertainty.threshold_file import write_recent
from active_collection.uncertainty.watching import EnsembleWatcher
from active_collection.uncertainty.watching import UnforeseenError
from active_collection.uncertainty.watching import read_ready

if TYPE_CHECKING:
    from active_collection.uncertainty.ensemble_files import Ensemble
    from active_collection.uncertainty.monitor import UncertaintyMonitor

#: Time between two looks for publishers and for observations whose wait is over (s).
TICK_S = 0.05

#: Time between two writes of the values behind the threshold (s), beside those at episodes' ends.
KEEP_S = 60.0

#: A topic of which nothing has come for this long is reported (s).
SILENT_S = 1.0


class UncertaintyNode(ParameterNode[UncertaintySettings]):
    """Subscribes to what the ensemble asks for, and publishes what the ensemble says."""

    def __init__(self) -> None:
        super().__init__('uncertainty', automatically_declare_parameters_from_overrides=True)
        settings = self.declare_settings(UncertaintySettings)
        Sole(self, '~', remedy=OTHER_ROBOT).listen()
        self._monitor: UncertaintyMonitor | None = None
        self._stream: ObservationStream | None = None
        self._coming: tuple[Ensemble, ObservationStream] | None = None
        self._left: list[ObservationStream] = []
        self._episode_id = ''
        self._hears_recorder = False
        self._frame_id = ''
        self._last_stamp_ns = -1
        self._crossings = Crossings()
        self._health = Health()
        self._process = ScoringProcess(threads=settings.threads)
        self._refused = News()
        # What takes long or waits for the disk is done here, and never between two observations.
        self._worker = ThreadPoolExecutor(1, thread_name_prefix='worker')
        self._estimates = self.create_publisher(UncertaintyEstimate, '~/estimate', qos.STATE)
        self._events = self.create_publisher(HighUncertainty, '~/high_uncertainty', qos.STATE)
        self._diagnostics = self.create_publisher(
            DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
        self._recorder = self.create_subscription(
            RecorderStatus, 'recorder/status', self._on_recorder_status, qos.LATCHED)
        # In a group of its own: while it waits for the worker, all else goes on.
        self._loader = self.create_service(LoadEnsemble, '~/load_ensemble', self._on_load,
                                           callback_group=MutuallyExclusiveCallbackGroup())
        self._watcher: EnsembleWatcher | None = None
        if settings.ensembles:
            ensembles = Path(settings.ensembles)
            if os.path.lexists(ensembles) and not is_directory(ensembles):
                raise UncertaintyError(f'parameter ensembles: {ensembles}', found='a file',
                                       expected='a directory; it may be missing at first')
            self._watcher = EnsembleWatcher(ensembles, read=self._read)
            self._watcher.start(settings.reload_period_s)
        self._tick()
        # A simulator that pauses must not stop the reports, nor hold up the next ensemble.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(TICK_S, self._tick, clock=steady)
        self.create_timer(KEEP_S, self._keep_threshold, clock=steady)
        self._reports = self.create_timer(
            settings.diagnostics_period_s, self._report, clock=steady)

    def take_settings(self, settings: UncertaintySettings, names: Collection[str]) -> None:
        """Take changed settings between two observations; the executor has one thread."""
        if 'threshold.measure' in names:
            # What is high by one measure has no end by another.
            self._raise(self._crossings.end())
        if self._monitor is not None:
            self._monitor.change(settings.threshold)
        if self._watcher is not None:
            self._watcher.change(settings.reload_period_s)
        self._reports.timer_period_ns = round(settings.diagnostics_period_s * 1e9)
        self._reports.reset()  # else the period that runs goes on to its end

    def close(self) -> None:
        """End what is high and the threads, and keep the threshold."""
        if self._watcher is not None:
            self._watcher.stop()
        self._raise(self._crossings.end())
        self._keep_threshold()
        self._worker.shutdown()

    def _tick(self) -> None:
        self._take_newer_ensemble()
        while self._left:
            self._left.pop().close()
        if self._stream is not None:
            self._stream.poll()
        if self._coming is not None:
            self._coming[1].poll()

    def _take_newer_ensemble(self) -> None:
        if self._watcher is None:
            return
        ensemble = self._watcher.take()
        if ensemble is not None:
            try:
                self._use(ensemble)
            except Exception as error:  # a third party's class may raise anything
                self._watcher.failure = self._unusable(ensemble, error)
        failure = self._watcher.failure
        if failure is None:
            self._refused.forget('watcher')
        elif self._refused.is_new('watcher', str(failure)):
            self._say_refused(failure)

    def _read(self, path: Path) -> Ensemble:
        """Read an ensemble, in whatever thread."""
        self._process.import_torch()
        return read_ready(path)

    def _unusable(self, ensemble: Ensemble, error: Exception) -> ActiveCollectionError:
        """Return why an ensemble that was read is not used; the one before it goes on."""
        if isinstance(error, ActiveCollectionError):
            return error
        failure = UnforeseenError(f'ensemble {ensemble.description.ensemble_id}',
                                  found=as_line(error), expected='one that can be used')
        failure.__cause__ = error
        return failure

    def _say_refused(self, failure: ActiveCollectionError) -> None:
        if isinstance(failure, UnforeseenError) and failure.__cause__ is not None:
            self.unexpected.note(failure.where, failure.__cause__)
        else:
            self.get_logger().warning(f'refused: {failure}')

    def _use(self, ensemble: Ensemble) -> None:
        """
        Score with an ensemble from the next observation on.

        One that sees other topics takes over with its own first observation; until then the one in
        use goes on.
        """
        if self._coming is not None:
            self._leave(self._coming[1])
            self._coming = None
        if self._monitor is None:
            from active_collection.uncertainty.monitor import UncertaintyMonitor

            recent = read_recent(Path(self.settings.state_file),
                                 ensemble.description.ensemble_id, self._measure)
            self._monitor = UncertaintyMonitor(ensemble, self.settings.threshold, recent)
            if self._hears_recorder:
                self._monitor.follow_episodes()
            if self._episode_id:
                self._monitor.start_episode(self._episode_id)
            self._stream = self._stream_of(ensemble, self._score)
        elif self._stream is None or self._stream.serves(ensemble):
            self._monitor.use(ensemble)
        else:
            self._coming = (ensemble, self._stream_of(ensemble, self._take_over))
            self.get_logger().info(
                f'ensemble {ensemble.description.ensemble_id} waits for its first observation')
            return
        self._say_in_use()

    def _stream_of(self, ensemble: Ensemble, on_observation: OnObservation) -> ObservationStream:
        return ObservationStream(self, ensemble.description, ensemble.aligner(), on_observation,
                                 self._health.failed)

    def _take_over(self, observation: Observation, received_ns: int) -> None:
        """Score the first observation of an ensemble that waited for it, and all that follow."""
        if self._coming is not None and self._monitor is not None:
            ensemble, stream = self._coming
            if self._stream is not None:
                self._leave(self._stream)
            self._monitor.use(ensemble)
            self._stream, self._coming = stream, None
            self._say_in_use()
        if observation.stamp_ns > self._last_stamp_ns:
            self._score(observation, received_ns)

    def _leave(self, stream: ObservationStream) -> None:
        """Score nothing of a stream any more: its values are not what the next ensemble sees."""
        stream.retire()
        self._left.append(stream)

    def _say_in_use(self) -> None:
        self.get_logger().info(f'scoring with ensemble {self._ensemble_id}')
        self._later(self._process.tidy)

    async def _on_load(self, request: LoadEnsemble.Request,
                       response: LoadEnsemble.Response) -> LoadEnsemble.Response:
        done: Future = Future(executor=self.executor)

        def read() -> None:
            try:
                done.set_result(self._read(_path(request.path)))
            except Exception as error:  # into the executor's thread, where it is told
                done.set_exception(error)

        self._later(read)
        try:
            ensemble = await done
            try:
                self._use(ensemble)
            except Exception as error:  # a third party's class may raise anything
                raise self._unusable(ensemble, error) from error
            response.loaded = True
        except ActiveCollectionError as error:
            self._say_refused(error)
            response.message = str(error)
        response.ensemble_id = self._ensemble_id
        return response

    def _on_recorder_status(self, status: RecorderStatus) -> None:
        recording = status.episode_id if status.state == RecorderStatus.RECORDING else ''
        self._hears_recorder = True
        if self._monitor is not None:
            self._monitor.follow_episodes()
        if recording == self._episode_id:
            return
        # Else nobody in the new episode would hear of what is high since before it.
        self._raise(self._crossings.end())
        self._episode_id = recording
        if self._monitor is None:
            return
        if recording:
            self._monitor.start_episode(recording)
        else:
            self._monitor.finish_episode()
            self._keep_threshold()

    def _score(self, observation: Observation, received_ns: int) -> None:
        self._take_newer_ensemble()
        if self._monitor is None:
            return
        self._last_stamp_ns = observation.stamp_ns
        try:
            estimate = self._monitor.observe(observation.values, observation.stamp_ns)
            latency_s = max(0, time.time_ns() - received_ns) / 1e9 if received_ns else 0.0
            message = estimate_to_msg(estimate, observation.frame_id, latency_s)
        except ActiveCollectionError as error:
            self._health.failed(str(error))
            return
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # an ensemble's members may be a third party's
            self._health.failed(self.unexpected.note(f'ensemble {self._ensemble_id}', error))
            return
        self._frame_id = observation.frame_id
        self._estimates.publish(message)
        self._raise(self._crossings.add(estimate))
        self._health.scored(latency_s)

    def _raise(self, crossing: Crossing | None) -> None:
        if crossing is not None:
            self._events.publish(crossing_to_msg(
                crossing, frame_id=self._frame_id, episode_id=self._episode_id,
                measure=self._measure))

    def _report(self) -> None:
        stream = self._stream
        waiting = self._coming[1].missing if self._coming is not None else ()
        report = self._health.report(
            ensemble_id=self._ensemble_id,
            loading_problem=self._watcher.problem if self._watcher is not None else '',
            missing_topics=(*(stream.missing if stream is not None else ()), *waiting),
            silent_topics=stream.silent_for(SILENT_S) if stream is not None else (),
            is_lost=self._monitor is not None and self._monitor.is_lost,
            dropped=stream.statistics.dropped if stream is not None else 0,
            dropped_problem=stream.statistics.problem if stream is not None else '',
            lost=stream.lost if stream is not None else {},
            topic_problems={**(stream.problems if stream is not None else {}),
                            **(self._coming[1].problems if self._coming is not None else {})})
        self._diagnostics.publish(report_to_msg(report, self))

    def _keep_threshold(self) -> None:
        if self._monitor is None or not self.settings.state_file:
            return
        path, ensemble_id, measure, recent = (
            Path(self.settings.state_file), self._ensemble_id, self._measure,
            self._monitor.recent)

        def write() -> None:
            try:
                write_recent(path, ensemble_id, measure, recent)
            except OSError as error:
                self._health.failed(f'{path}: {error.strerror}')

        self._later(write)

    def _later(self, job: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the node is closing: the worker takes nothing any more
            self._worker.submit(job)

    @property
    def _measure(self) -> str:
        return self.settings.threshold.measure

    @property
    def _ensemble_id(self) -> str:
        return self._monitor.ensemble.description.ensemble_id if self._monitor else ''


def _path(text: str) -> Path:
    """Return the path that a peer asks for."""
    try:
        return expanded(text)
    except ValueError as error:
        raise UncertaintyError('path', found=repr(text), expected=error) from error


def main() -> int:
    """Run the node until a signal asks it to stop."""
    return run(UncertaintyNode)
