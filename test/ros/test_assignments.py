# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler's leases as messages, made once each."""
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parents[1] / 'scheduling'))
from fleets import SPACE

from active_collection.config import parse
from active_collection.nodes.scheduler.assignments import LeaseMessages
from active_collection.nodes.scheduler.assignments import lease_to_msg
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.assignment import Request

S = 1_000_000_000


@pytest.fixture(scope='module')
def space():
    return parse(SPACE, ScenarioSpace, where='space.yaml')


def grant(assignment_id, deadline_s=30):
    return Assignment(
        assignment_id=assignment_id, request=Request('arm1', collectors=('scripted',)),
        scenario=Scenario.of('push', 'lab', {'x': 0.1}), collector='scripted',
        reset_required=True, time_limit_s=30.0, rule='uniform', score=1.0, terms=(),
        runners_up=(), ensemble_id='', deadline_ns=deadline_s * S, draw=0.5, issued_ns=5 * S)


def test_kept_messages_are_what_new_ones_would_be(space):
    leases = LeaseMessages(space)
    leases.of([grant('a1'), grant('a2')])
    out = [grant('a2', 45), grant('a3')]

    assert leases.of(out) == [lease_to_msg(each, space) for each in out]
    assert leases.of(out[:1]) == [lease_to_msg(out[0], space)]
    assert leases.of([]) == []


def test_a_lease_whose_deadline_moved_is_not_made_again(space):
    leases = LeaseMessages(space)
    before, = leases.of([grant('a1')])

    after, = leases.of([replace(grant('a1'), deadline_ns=99 * S)])

    assert after is before
    assert after.deadline.sec == 99
