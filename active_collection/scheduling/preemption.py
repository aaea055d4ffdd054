# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which robots leave what they do for something of a higher priority."""
from __future__ import annotations

from active_collection.scheduling.allocation import assigned_of
from active_collection.scheduling.books import Books
from active_collection.scheduling.books import Lease
from active_collection.scheduling.decision import Decision
from active_collection.scheduling.decision import DecisionMaker
from active_collection.scheduling.orders import Steered
from active_collection.scheduling.steering import covers
from active_collection.scheduling.suppositions import Suppositions


def to_preempt(books: Books, maker: DecisionMaker, order: Steered, *,
               now_ns: int) -> list[Lease]:
    """
    Return the leases that a preemption takes back: no more than it has use for.

    Of the robots that are at something of a lower priority, those go first whose priority is
    lowest and whose lease is youngest, for they lose least. A robot that could not do what the
    order asks for, or would find no room for it, is left alone.

    :param order: a preemption that stands already
    :param now_ns: ROS time (ns)
    """
    lower = sorted(
        (lease for lease in books.leases.values()
         if lease.assigned.priority < order.priority
         and lease.robot not in books.steering.robots
         and not covers(order, lease.assigned.scenario.task,
                        lease.assigned.scenario.environment)),
        key=lambda lease: (lease.assigned.priority, -lease.issued_ns, lease.robot))
    taken = []
    with Suppositions(books) as supposed:
        for number, lease in enumerate(lower):
            supposed.take(lease)
            request = lease.assigned.request
            decision = maker.decide(
                books, request, now_ns=now_ns, number=(books.sequence, number))
            if isinstance(decision, Decision) and covers(
                    order, decision.scenario.task, decision.scenario.environment):
                taken.append(lease)
                supposed.give(assigned_of(
                    decision, assignment_id=f'?{number}', request=request, deadline_ns=0))
            else:
                supposed.put_back(lease)
    return taken
