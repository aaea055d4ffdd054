# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The node `uncertainty`: scores each observation of a robot with the newest ensemble."""
from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from diagnostic_msgs.msg import KeyValue
from rclpy.node import Node

from active_collection.bags.alignment import Observation
from active_collection.bags.alignment import ObservationAligner
from active_collection.errors import ActiveCollectionError
from active_collection.errors import UncertaintyError
from active_collection.msg import RecorderStatus
from active_collection.msg import UncertaintyEstimate
from active_collection.nodes import qos
from active_collection.nodes.conversions import duration_to_msg
from active_collection.nodes.conversions import summary_to_msg
from active_collection.nodes.conversions import time_to_msg
from active_collection.nodes.observation_subscriptions import ObservationSubscriptions
from active_collection.nodes.parameters import declare
from active_collection.nodes.run import run
from active_collection.srv import LoadEnsemble
from active_collection.uncertainty.ensemble_files import Ensemble
from active_collection.uncertainty.ensemble_files import load_newest
from active_collection.uncertainty.health import Health
from active_collection.uncertainty.monitor import Estimate
from active_collection.uncertainty.monitor import UncertaintyMonitor
from active_collection.uncertainty.settings import UncertaintySettings
from active_collection.uncertainty.threshold_file import read_recent
from active_collection.uncertainty.threshold_file import write_recent
from active_collection.uncertainty.watching import EnsembleWatcher

#: Time between two looks for publishers and for observations whose wait is over (s).
TICK_S = 0.05


class UncertaintyNode(Node):
    """Subscribes to what the ensemble asks for, and publishes what the ensemble says."""

    def __init__(self) -> None:
        super().__init__('uncertainty', automatically_declare_parameters_from_overrides=True)
        self._settings = declare(self, UncertaintySettings)
        torch.set_num_threads(self._settings.threads)
        self._monitor: UncertaintyMonitor | None = None
        self._aligner: ObservationAligner | None = None
        self._observed: ObservationSubscriptions | None = None
        self._episode_id = ''
        self._was_high = False
        self._received_ns = 0
        self._health = Health()
        self._estimates = self.create_publisher(UncertaintyEstimate, '~/estimate', qos.STATE)
        self._events = self.create_publisher(
            UncertaintyEstimate, '~/high_uncertainty', qos.STATE)
        self._diagnostics = self.create_publisher(
            DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
        self._recorder = self.create_subscription(
            RecorderStatus, 'recorder/status', self._on_recorder_status, qos.LATCHED)
        self._loader = self.create_service(LoadEnsemble, '~/load_ensemble', self._on_load)
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
            self.create_timer(self._settings.diagnostics_period_s, self._report)]

    def close(self) -> None:
        """End the watcher's thread and keep the threshold."""
        if self._watcher is not None:
            self._watcher.stop()
        self._keep_threshold()

    def _tick(self) -> None:
        self._take_newer_ensemble()
        if self._observed is not None and self._observed.missing:
            self._observed.discover()
        if self._aligner is not None:
            self._received_ns = 0
            for observation in self._aligner.advance(self._now()):
                self._score(observation)

    def _take_newer_ensemble(self) -> None:
        ensemble = self._watcher.take() if self._watcher is not None else None
        if ensemble is not None:
            self._use(ensemble)

    def _use(self, ensemble: Ensemble) -> None:
        """Score with this ensemble from the next observation on."""
        spec = ensemble.description.observation
        if self._monitor is None:
            recent = read_recent(
                Path(self._settings.state_file), ensemble.description.ensemble_id)
            self._monitor = UncertaintyMonitor(ensemble, self._settings.threshold, recent)
            if self._episode_id:
                self._monitor.start_episode(self._episode_id)
        else:
            self._monitor.use(ensemble)
        if self._observed is None or self._observed.spec != spec:
            if self._observed is not None:
                self._observed.close()
            self._aligner = ObservationAligner(spec, sizes=ensemble.description.sizes)
            self._observed = ObservationSubscriptions(self, spec, self._on_message)
            self._observed.discover()
        self.get_logger().info(f'scoring with ensemble {ensemble.description.ensemble_id}')

    def _on_load(self, request: LoadEnsemble.Request,
                 response: LoadEnsemble.Response) -> LoadEnsemble.Response:
        try:
            self._use(load_newest(Path(request.path).expanduser()))
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

    def _on_message(self, topic: str, message: Any, received_ns: int) -> None:
        if self._aligner is None:
            return
        self._received_ns = received_ns
        try:
            observations = self._aligner.add(topic, message, self._now())
        except ActiveCollectionError as error:
            self._health.failed(str(error))
            return
        for observation in observations:
            self._score(observation)

    def _score(self, observation: Observation) -> None:
        self._take_newer_ensemble()
        if self._monitor is None:
            return
        try:
            estimate = self._monitor.observe(observation.values, observation.stamp_ns)
        except ActiveCollectionError as error:
            self._health.failed(str(error))
            return
        latency_s = max(0, time.time_ns() - self._received_ns) / 1e9 if self._received_ns else 0.0
        message = _to_msg(estimate, observation.frame_id, latency_s)
        self._estimates.publish(message)
        if estimate.high != self._was_high:
            self._was_high = estimate.high
            self._events.publish(message)
        self._health.scored(latency_s)

    def _report(self) -> None:
        statistics = self._aligner.statistics if self._aligner is not None else None
        report = self._health.report(
            ensemble_id=self._ensemble_id,
            loading_problem=self._watcher.problem if self._watcher is not None else '',
            missing_topics=self._observed.missing if self._observed is not None else (),
            dropped=statistics.dropped if statistics is not None else 0,
            dropped_problem=statistics.problem if statistics is not None else '')
        status = DiagnosticStatus(
            level=bytes([report.level.value]), name=self.get_fully_qualified_name(),
            hardware_id=self.get_namespace().strip('/'), message=report.message,
            values=[KeyValue(key=key, value=value) for key, value in report.values])
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)

    def _keep_threshold(self) -> None:
        if self._monitor is None or not self._settings.state_file:
            return
        try:
            write_recent(
                Path(self._settings.state_file), self._ensemble_id, self._monitor.recent)
        except OSError as error:
            self._health.failed(f'{self._settings.state_file}: {error.strerror}')

    @property
    def _ensemble_id(self) -> str:
        return self._monitor.ensemble.description.ensemble_id if self._monitor else ''

    def _now(self) -> int:
        return int(self.get_clock().now().nanoseconds)


def _to_msg(estimate: Estimate, frame_id: str, latency_s: float) -> UncertaintyEstimate:
    message = UncertaintyEstimate(
        ensemble_id=estimate.ensemble_id, epistemic=estimate.epistemic,
        aleatoric=estimate.aleatoric, total=estimate.total, novelty=estimate.novelty,
        epistemic_per_dimension=estimate.epistemic_per_dimension,
        action_mean=estimate.action_mean, threshold=estimate.threshold, high=estimate.high,
        latency=duration_to_msg(latency_s), episode=summary_to_msg(estimate.episode))
    message.header.stamp = time_to_msg(estimate.stamp_ns)
    message.header.frame_id = frame_id
    return message


def main() -> int:
    """Run the node until a signal asks it to stop."""
    return run(UncertaintyNode)
