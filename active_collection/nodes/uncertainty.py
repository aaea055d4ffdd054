# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `uncertainty`: scores each observation of a robot with the newest ensemble."""
from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import torch
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.task import Future

from active_collection.bags.alignment import Observation
from active_collection.errors import ActiveCollectionError
from active_collection.errors import UncertaintyError
from active_collection.msg import HighUncertainty
from active_collection.msg import RecorderStatus
from active_collection.msg import UncertaintyEstimate
from active_collection.nodes import qos
from active_collection.nodes.estimate_messages import crossing_to_msg
from active_collection.nodes.estimate_messages import estimate_to_msg
from active_collection.nodes.estimate_messages import report_to_msg
from active_collection.nodes.observation_stream import ObservationStream
from active_collection.nodes.parameters import declare
from active_collection.nodes.run import run
from active_collection.srv import LoadEnsemble
from active_collection.uncertainty.crossings import Crossing
from active_collection.uncertainty.crossings import Crossings
from active_collection.uncertainty.ensemble_files import Ensemble
from active_collection.uncertainty.health import Health
from active_collection.uncertainty.monitor import UncertaintyMonitor
from active_collection.uncertainty.settings import UncertaintySettings
from active_collection.uncertainty.threshold_file import read_recent
from active_collection.uncertainty.threshold_file import write_recent
from active_collection.uncertainty.watching import EnsembleWatcher
from active_collection.uncertainty.watching import read_ready

#: Time between two looks for publishers and for observations whose wait is over (s).
TICK_S = 0.05

#: Time between two writes of the values behind the threshold (s), beside those at episodes' ends.
KEEP_S = 60.0

#: A topic of which nothing has come for this long is reported (s).
SILENT_S = 1.0

#: How long a thread that reads an ensemble may keep the interpreter from an observation (s).
SWITCH_S = 0.001


class UncertaintyNode(Node):
    """Subscribes to what the ensemble asks for, and publishes what the ensemble says."""

    def __init__(self) -> None:
        super().__init__('uncertainty', automatically_declare_parameters_from_overrides=True)
        self._settings = declare(self, UncertaintySettings)
        torch.set_num_threads(self._settings.threads)
        self._measure = self._settings.threshold.measure
        self._monitor: UncertaintyMonitor | None = None
        self._stream: ObservationStream | None = None
        self._coming: tuple[Ensemble, ObservationStream] | None = None
        self._left: list[ObservationStream] = []
        self._episode_id = ''
        self._frame_id = ''
        self._last_stamp_ns = -1
        self._crossings = Crossings()
        self._health = Health()
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
        if self._settings.ensembles:
            ensembles = Path(self._settings.ensembles)
            if ensembles.exists() and not ensembles.is_dir():
                raise UncertaintyError(f'parameter ensembles: {ensembles}', found='a file',
                                       expected='a directory; it may be missing at first')
            self._watcher = EnsembleWatcher(ensembles)
            self._watcher.start(self._settings.reload_period_s)
        self._tick()
        self._timers_ = [
            self.create_timer(TICK_S, self._tick),
            self.create_timer(KEEP_S, self._keep_threshold),
            self.create_timer(self._settings.diagnostics_period_s, self._report)]

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
        ensemble = self._watcher.take() if self._watcher is not None else None
        if ensemble is not None:
            self._use(ensemble)

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
            recent = read_recent(Path(self._settings.state_file),
                                 ensemble.description.ensemble_id, self._measure)
            self._monitor = UncertaintyMonitor(ensemble, self._settings.threshold, recent)
            if self._episode_id:
                self._monitor.start_episode(self._episode_id)
            self._stream = ObservationStream(self, ensemble, self._score, self._health.failed)
        elif self._stream is None or self._stream.serves(ensemble):
            self._monitor.use(ensemble)
        else:
            self._coming = (ensemble, ObservationStream(
                self, ensemble, self._take_over, self._health.failed))
            self.get_logger().info(
                f'ensemble {ensemble.description.ensemble_id} waits for its first observation')
            return
        self._say_in_use()

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
        # What lives on is not looked through again by each full collection, which takes 50 ms.
        gc.freeze()

    async def _on_load(self, request: LoadEnsemble.Request,
                       response: LoadEnsemble.Response) -> LoadEnsemble.Response:
        done: Future = Future(executor=self.executor)
        path = Path(request.path).expanduser()

        def read() -> None:
            try:
                done.set_result(read_ready(path))
            except Exception as error:  # into the executor's thread, where it is told
                done.set_exception(error)

        self._later(read)
        try:
            self._use(await done)
            response.loaded = True
        except ActiveCollectionError as error:
            response.message = str(error)
        response.ensemble_id = self._ensemble_id
        return response

    def _on_recorder_status(self, status: RecorderStatus) -> None:
        recording = status.episode_id if status.state == RecorderStatus.RECORDING else ''
        if recording == self._episode_id:
            return
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
        except ActiveCollectionError as error:
            self._health.failed(str(error))
            return
        latency_s = max(0, time.time_ns() - received_ns) / 1e9 if received_ns else 0.0
        self._frame_id = observation.frame_id
        self._estimates.publish(estimate_to_msg(estimate, observation.frame_id, latency_s))
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
            dropped=stream.statistics.dropped if stream is not None else 0,
            dropped_problem=stream.statistics.problem if stream is not None else '')
        self._diagnostics.publish(report_to_msg(report, self))

    def _keep_threshold(self) -> None:
        if self._monitor is None or not self._settings.state_file:
            return
        path, ensemble_id, recent = (
            Path(self._settings.state_file), self._ensemble_id, self._monitor.recent)

        def write() -> None:
            try:
                write_recent(path, ensemble_id, self._measure, recent)
            except OSError as error:
                self._health.failed(f'{path}: {error.strerror}')

        self._later(write)

    def _later(self, job: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the node is closing: the worker takes nothing any more
            self._worker.submit(job)

    @property
    def _ensemble_id(self) -> str:
        return self._monitor.ensemble.description.ensemble_id if self._monitor else ''


def main() -> int:
    """Run the node until a signal asks it to stop."""
    sys.setswitchinterval(SWITCH_S)
    return run(UncertaintyNode)
