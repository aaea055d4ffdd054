# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Settings that change while a scheduler runs count at once, and the ledger knows of it."""
import sqlite3

import pytest
from fleets import STEPS
from fleets import S
from fleets import play
from hypothesis import given
from hypothesis import settings
from outages import full_disk

from active_collection.config import parse
from active_collection.errors import ConfigError
from active_collection.errors import SchedulingError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.choosing.explain import explain
from active_collection.scheduling.events import Started
from active_collection.scheduling.ledger.replay import remember
from active_collection.scheduling.ledger.verification import problems
from active_collection.scheduling.settings import SchedulerSettings


def change(one, **settings):
    one.settings = SchedulerSettings(**{**one.settings.model_dump(), **settings})
    one.scheduler.change(one.settings, one.now)


def change_until_full(one):
    for number in range(1000):
        change(one, rule='uniform', seed=number)


def test_another_rule_decides_the_next_assignment_and_keeps_what_was_learnt(fleet):
    one = fleet()
    for _ in range(8):
        one.collect(ensemble='e1')

    change(one, rule='uniform', attempts=1)

    assert one.grant().rule == 'uniform'
    assert one.scheduler.status(one.now).rule == 'uniform'
    assert one.scheduler.status(one.now).episodes == 8


def test_what_is_out_goes_on_and_can_be_reported(fleet):
    one = fleet()
    held = one.grant()

    change(one, rule='uniform')

    assert one.grant().assignment_id == held.assignment_id
    one.report(held)
    assert one.scheduler.status(one.now).episodes == 1


def test_a_shorter_lease_counts_from_the_next_heartbeat(fleet):
    one = fleet(lease_s=1000)
    held = one.grant()
    change(one, lease_s=5)
    one.wait(10)
    assert one.grant().assignment_id == held.assignment_id  # asking renews it

    one.wait(10)

    assert one.scheduler.status(one.now).revoked == 1


def test_a_budget_that_is_spent_already_ends_the_collection_at_once(fleet):
    one = fleet()
    for _ in range(4):
        one.collect()

    change(one, budget_episodes=4)

    assert one.scheduler.status(one.now).mode == 'finished'


def test_a_rule_that_is_none_changes_nothing(fleet):
    one = fleet()
    before = one.ledger.last_sequence()

    with pytest.raises(ConfigError, match='unifrom'):
        one.scheduler.change(one.settings.model_copy(update={'rule': 'unifrom'}), one.now)

    assert one.ledger.last_sequence() == before
    assert one.grant().rule != 'unifrom'


def test_a_ledger_that_cannot_be_written_changes_nothing(fleet):
    one = fleet(snapshot_events=1)
    one.collect()
    with full_disk(one.path), pytest.raises(SchedulingError):
        change_until_full(one)
    one.wait(1)
    told = one.scheduler.status(one.now)
    last = one.ledger.last_start(until=one.ledger.last_sequence()).event

    assert told.rule == SchedulerSettings.model_validate_json(last.settings).rule
    one.collect()
    assert problems(one.ledger) == []


@given(steps=STEPS, later=STEPS)
@settings(max_examples=15, deadline=None)
def test_every_decision_replays_whatever_was_changed_between(tmp_path_factory, steps, later):
    from fleets import SPACE
    from fleets import Fleet

    path = tmp_path_factory.mktemp('ledger') / 'a.sqlite3'
    one = Fleet(parse(SPACE, ScenarioSpace, where='space'), path,
                SchedulerSettings(lease_s=1000), snapshot_events=5)
    play(one, steps)
    change(one, policy_share=0.9, cost_weight=0.0, attempts=1, confidence=0.8)
    play(one, later)
    change(one, rule='uniform', configuration='failure')
    play(one, steps)

    for entry in one.ledger.assignments():
        assert explain(one.ledger, entry.event.assignment_id).differences == ()
    assert problems(one.ledger) == []
    assert remember(one.ledger).to_dict() == one.scheduler.fleet.to_dict()
    one.close()


def test_the_ledger_says_when_which_settings_began(fleet):
    one = fleet()
    one.now += 5 * S
    change(one, policy_share=0.7)

    starts = [entry for entry in one.ledger.entries() if isinstance(entry.event, Started)]

    assert [SchedulerSettings.model_validate_json(s.event.settings).policy_share
            for s in starts] == [0.25, 0.7]
    assert starts[1].time_ns == one.now
    assert sqlite3.connect(one.path).execute('SELECT count(*) FROM events').fetchone() == (2,)
