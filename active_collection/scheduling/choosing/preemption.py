# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which robots leave what they do for something of a higher priority."""
from __future__ import annotations

from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.choosing.decision import DecisionMaker
from active_collection.scheduling.choosing.suppositions import Suppositions
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.orders import ScenarioOrder


def to_preempt(fleet: FleetState, maker: DecisionMaker, order: ScenarioOrder, *,
               now_ns: int) -> list[Assignment]:
    """
    Return the leases that a preemption takes back: no more than it has use for.

    Of the robots that are at something of a lower priority, those go first whose priority is
    lowest and whose lease is youngest, for they lose least. A robot that could not do what the
    order asks for, or would find no room for it, is left alone.

    :param order: a preemption that stands already
    :param now_ns: ROS time (ns)
    """
    lower = sorted(
        (lease for lease in fleet.leases.values()
         if lease.priority < order.priority
         and lease.robot not in fleet.orders.robots
         and not order.covers(lease.scenario.task, lease.scenario.environment)),
        key=lambda lease: (lease.priority, -lease.issued_ns, lease.robot))
    taken = []
    with Suppositions(fleet) as supposed:
        for number, lease in enumerate(lower):
            supposed.take(lease)
            answer = maker.decide(
                fleet, lease.request, now_ns=now_ns, number=(fleet.sequence, number))
            if isinstance(answer, Assignment) and order.covers(
                    answer.scenario.task, answer.scenario.environment):
                taken.append(lease)
                supposed.give(answer)
            else:
                supposed.put_back(lease)
    return taken
