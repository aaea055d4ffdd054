# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a robot that asks may be given anything at all."""
from __future__ import annotations

from active_collection.errors import InvalidNameError
from active_collection.names import check_name
from active_collection.registry import unknown
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.fleet.refusal import Refusal
from active_collection.scheduling.fleet.refusal import Refused
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.settings import SchedulerSettings


class Admission:
    """Refuses questions that are none, and robots while leases are not given."""

    def __init__(self, space: ScenarioSpace, settings: SchedulerSettings) -> None:
        self._space = space
        self._settings = settings

    def invalid(self, request: Request) -> Refusal | None:
        """Return why a question is none of this fleet's; None where it is."""
        try:
            check_name(request.robot, 'robot name')
        except InvalidNameError as error:
            return self.refusal(Refused.INVALID, str(error))
        if self._space.robots and request.robot not in self._space.robots:
            where = self._settings.space or 'the scenario space'
            stranger = unknown(f'robots in {where}', request.robot, list(self._space.robots))
            return self.refusal(
                Refused.UNKNOWN_ROBOT, f'{stranger}; add it there, or give the robot one of these '
                'names (its namespace, with dots for slashes)')
        if not request.collectors:
            return self.refusal(
                Refused.INVALID, f"robot {request.robot!r} offers no collector; name one in the "
                "agent's parameter collectors")
        return None

    def paused(self, fleet: FleetState, request: Request) -> Refusal | None:
        """Return why a robot gets no new lease now, whatever there is; None where it may."""
        if fleet.mode != 'running':
            code = Refused.FINISHED if fleet.mode == 'finished' else Refused.PAUSED
            return self.refusal(code, f'{fleet.mode}: {fleet.mode_reason}')
        order = fleet.orders.robots.get(request.robot)
        return self.refusal(Refused.PAUSED, str(order)) if order else None

    def refusal(self, code: Refused, message: str) -> Refusal:
        """Return a refusal, after which the robot asks again when the settings say so."""
        return Refusal(code, message, self._settings.retry_after_s)
