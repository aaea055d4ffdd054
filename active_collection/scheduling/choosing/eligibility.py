# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which places a robot may be sent to, and if none, what keeps it from each task."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.beliefs.task_arrays import Floats
from active_collection.scheduling.choosing.collectors import usable
from active_collection.scheduling.choosing.remedies import Circumstances
from active_collection.scheduling.choosing.remedies import Remedies
from active_collection.scheduling.fleet.refusal import Cause
from active_collection.scheduling.fleet.refusal import RefusalReason
from active_collection.scheduling.fleet.scene import Scene
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.places import Integers
from active_collection.scheduling.places import Mask
from active_collection.scheduling.places import Places


@dataclass(frozen=True)
class Eligible:
    """
    The places that a robot may be sent to.

    :param places: indices into the scenario space's places, shape (P,)
    :param is_chained: whether the task can follow there without a reset, shape (P,)
    :param boost: what operators multiply the score by, shape (P,)
    :param reasons: where there is none: what keeps the robot from which tasks
    """

    places: Integers
    is_chained: Mask
    boost: Floats
    reasons: tuple[RefusalReason, ...] = ()

    def among(self, mask: Mask) -> Eligible:
        """Return those of its places that a mask of shape (P,) lets through."""
        return Eligible(self.places[mask], self.is_chained[mask], self.boost[mask], self.reasons)


class Eligibility:
    """
    The conditions on the places of a scenario space, one after another.

    :param where: the scenario space's file, for the reasons
    """

    def __init__(self, space: ScenarioSpace, places: Places, *, where: str = '') -> None:
        self._space = space
        self._places = places
        self.remedies = Remedies(space, where)
        self._capacity = np.array([e.capacity for e in space.environments.values()])
        self._maximum = np.array([
            np.inf if t.maximum_episodes is None else t.maximum_episodes
            for t in space.tasks.values()])
        self._needs_chain = np.array([
            t.reset == 'none' and bool(t.preconditions) for t in space.tasks.values()])

    def find(self, fleet: FleetState, request: Request, *, now_ns: int,
             anywhere: bool = False) -> Eligible:
        """
        Return the places for a robot that holds no lease.

        :param now_ns: ROS time (ns): which of the operators' orders stand
        :param anywhere: whether to leave aside who reaches what and how full it is
        """
        orders, places = fleet.orders.standing(now_ns), self._places
        is_chained = self.chained(fleet, request)
        conditions = (
            *self._own_conditions(fleet, request, is_chained, anywhere=anywhere),
            (Cause.STOPPED,
             np.array([name not in fleet.stopped for name in places.tasks])[places.task]),
            (Cause.MAXIMUM, self._under_maximum(fleet)),
            (Cause.FULL, anywhere | self._has_room(fleet)),
            (Cause.BANNED, ~orders.banned(places)),
            (Cause.CAPPED, ~orders.capped(places, (fleet.out, fleet.unjudged.places()))),
        )
        mask = np.all([condition for _, condition in conditions], axis=0)
        if not mask.any():
            now = Circumstances(request, bool(fleet.beliefs.ensembles),
                                {name: why for name, (why, _) in fleet.stopped.items()}, orders)
            return Eligible(np.empty(0, np.int64), np.empty(0, bool), np.empty(0),
                            self._reasons(conditions, now))
        first = next((m for m in orders.first(places) if (mask & m).any()), mask)
        chosen = np.flatnonzero(mask & first)
        return Eligible(chosen, is_chained[chosen], orders.boosts(places)[chosen])

    def _reasons(self, conditions: Sequence[tuple[Cause, Mask]],
                 now: Circumstances) -> tuple[RefusalReason, ...]:
        """Return what stops each task in the place where it came furthest."""
        places = self._places
        stops_at = np.argmin([condition for _, condition in conditions], axis=0)
        furthest = np.full(len(places.tasks), -1)
        np.maximum.at(furthest, places.task, stops_at)
        causes = (Cause.EXCLUDED, *(cause for cause, _ in conditions))
        reasons = []
        for k in np.unique(furthest):
            tasks = np.flatnonzero(furthest == k)
            where = np.unique(places.environment[(stops_at == k) & np.isin(places.task, tasks)])
            reasons.append(self.remedies.reason(
                causes[k + 1], [places.tasks[t] for t in tasks],
                [places.environments[e] for e in where], now))
        return tuple(reasons)

    def suits(self, fleet: FleetState, request: Request) -> Mask:
        """
        Return whether a robot can do what is to be done at each place, shape of all places.

        What depends on others, room, quotas and orders, is left aside.
        """
        mask = np.ones(len(self._places.task), dtype=bool)
        for _, condition in self._own_conditions(
                fleet, request, self.chained(fleet, request), anywhere=False):
            mask &= condition
        return mask

    def chained(self, fleet: FleetState, request: Request) -> Mask:
        """Return where a task can follow a robot's last without a reset, of all places."""
        return self._chained(fleet.scenes.get(request.robot, Scene()), request.environment)

    def _own_conditions(self, fleet: FleetState, request: Request, is_chained: Mask, *,
                        anywhere: bool) -> tuple[tuple[Cause, Mask], ...]:
        """Return the conditions that only the robot and its scene decide."""
        return (
            (Cause.UNREACHABLE, anywhere | self._reachable(request.robot)),
            (Cause.CAPABILITIES, self._capable(request)),
            (Cause.COLLECTORS,
             self._has_collector(request.collectors,
                                 has_policy=bool(fleet.beliefs.ensembles))),
            (Cause.PRECONDITIONS, is_chained | ~self._needs_chain[self._places.task]),
        )

    def _reachable(self, robot: str) -> Mask:
        reach = np.array([self._space.can_reach(robot, e) for e in self._places.environments])
        return np.asarray(reach[self._places.environment])

    def _capable(self, request: Request) -> Mask:
        entry = self._space.robots.get(request.robot)
        has = {*request.capabilities, *(entry.capabilities if entry else ())}
        capable = np.array([has.issuperset(t.capabilities) for t in self._space.tasks.values()])
        return np.asarray(capable[self._places.task])

    def _has_collector(self, offered: Sequence[str], *, has_policy: bool) -> Mask:
        offers = np.array([bool(usable(t, tuple(offered), has_policy=has_policy))
                           for t in self._space.tasks.values()])
        return np.asarray(offers[self._places.task])

    def _under_maximum(self, fleet: FleetState) -> Mask:
        pending = np.array([fleet.pending(name) for name in self._places.tasks])
        return np.asarray(
            (fleet.beliefs.arrays().episodes + pending < self._maximum)[self._places.task])

    def _has_room(self, fleet: FleetState) -> Mask:
        busy = np.array([fleet.busy[name] for name in self._places.environments])
        return np.asarray((busy < self._capacity)[self._places.environment])

    def _chained(self, scene: Scene, environment: str) -> Mask:
        if scene.facts is None or environment not in {'', scene.environment}:
            return np.zeros(len(self._places.task), dtype=bool)
        allowed = np.array([scene.allows(task) for task in self._space.tasks.values()])
        here = np.array([name == scene.environment for name in self._places.environments])
        return np.asarray(allowed[self._places.task] & here[self._places.environment])
