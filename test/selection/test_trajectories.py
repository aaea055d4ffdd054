# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Trajectories are scored by their units, kept apart by quotas, and their units picked within."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pools import PER
from pools import make_pool

from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.errors import SelectionError
from active_collection.selection.batch import Limits
from active_collection.selection.select import Query
from active_collection.selection.select import select
from active_collection.selection.select import units_of
from active_collection.selection.strata import strata
from active_collection.selection.trajectories import AGGREGATES
from active_collection.selection.trajectories import Trajectories
from active_collection.selection.trajectories import aggregate


def bags_of(pool, selection):
    names = pool.texts('bag')
    return [names[pick.unit] for pick in selection.picks]


def query(*, units=12, limits=None, **wanted):
    return Query(units, limits=limits or Limits(), trajectories=Trajectories(**wanted))


def test_units_come_from_the_trajectories_that_score_highest_and_differ(tmp_path):
    levels = np.repeat(np.linspace(0.1, 0.9, 6)[:, None], PER, 1)
    pool = make_pool(tmp_path, levels)
    found = bags_of(pool, select(pool, query(count=3, each=4)))
    assert len(found) == 12
    assert set(found) == {'b3', 'b4', 'b5'}
    assert all(found.count(bag) == 4 for bag in found)


def test_each_aggregate_is_that_of_the_units(tmp_path):
    values = np.zeros((2, PER))
    values[0, 3:8] = 1.0      # 5 units of 0.5 s
    values[1] = 0.3
    units = units_of(make_pool(tmp_path, values), np.zeros(2 * PER, bool))
    found = {name: aggregate(units.uncertainty, units, Trajectories(
        1, aggregate=name, quantile=0.5, threshold=0.5)) for name in AGGREGATES}
    np.testing.assert_allclose(found['mean'], [0.25, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found['max'], [1.0, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found['quantile'], [0.0, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found['time_above'], [2.5, 0.0], rtol=1e-6)


def test_unknown_units_do_not_count_and_unknown_trajectories_have_no_score(tmp_path):
    values = np.full((2, PER), np.nan)
    values[0, :2] = [0.2, 0.4]
    units = units_of(make_pool(tmp_path, values), np.zeros(2 * PER, bool))
    scores = aggregate(units.uncertainty, units, Trajectories(1))
    assert scores[0] == pytest.approx(0.3)
    assert np.isnan(scores[1])


def test_quotas_hold_over_factors_and_tags(tmp_path):
    levels = np.repeat(np.linspace(0.1, 0.9, 8)[:, None], PER, 1)
    tags = [{'grasp': 'top' if b < 6 else 'side', 'failure_mode': f'f{b % 4}'} for b in range(8)]
    pool = make_pool(tmp_path, levels, tags=tags)
    for quota, codes in (('factor.mug', [b % 2 for b in range(8)]),
                         ('tag.grasp', [b >= 6 for b in range(8)]),
                         ('tag.failure_mode', [b % 4 for b in range(8)])):
        chosen = {int(bag[1:]) for bag in bags_of(pool, select(
            pool, query(count=8, quotas={quota: 1}, limits=Limits())))}
        values = [codes[b] for b in chosen]
        assert len(values) == len(set(values)) == len(set(codes))


def test_quotas_by_tag_hold_for_units_too(tmp_path):
    tags = [{'object': f'o{b // 2}'} for b in range(4)]
    pool = make_pool(tmp_path, np.full((4, PER), 0.5), tags=tags)
    found = bags_of(pool, select(pool, Query(30, limits=Limits(quotas={'tag.object': 5}))))
    assert sorted(int(bag[1:]) // 2 for bag in found) == [0] * 5 + [1] * 5


def test_the_reason_says_why_the_trajectory_was_chosen(tmp_path):
    pool = make_pool(tmp_path, np.repeat([[0.2], [0.8]], PER, 1))
    for pick in select(pool, query(count=1)).picks:
        assert pick.reason.endswith('trajectory of mean uncertainty 0.8, 1 of 2')


def test_asked_for_units_are_taken_whatever_their_trajectory(tmp_path):
    pool = make_pool(tmp_path, np.repeat([[0.2], [0.8]], PER, 1))
    chosen = select(pool, replace(query(count=1), include=['u3']))
    assert chosen.picks[0].unit == 3
    assert chosen.picks[0].reason == 'asked for'


def test_novelty_can_be_the_measure(tmp_path):
    pool = make_pool(tmp_path, np.repeat([[0.2], [0.8]], PER, 1))
    assert set(bags_of(pool, select(pool, query(count=1, measure='novelty')))) == {'b0'}


def test_same_seed_same_picks(tmp_path):
    pool = make_pool(tmp_path, np.random.default_rng(0).uniform(size=(6, PER)))
    assert select(pool, query(count=3)) == select(pool, query(count=3))


@pytest.mark.parametrize('wrong', [
    {'count': 0}, {'count': 1, 'measure': 'blur'}, {'count': 1, 'aggregate': 'sum'},
    {'count': 1, 'quantile': 2.0}, {'count': 1, 'each': -1}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigError):
        Trajectories(**wrong)


def test_a_pool_without_the_measure_is_refused(tmp_path):
    pool = make_pool(tmp_path, np.full((2, PER), np.nan))
    with pytest.raises(SelectionError, match='uncertainty'):
        select(pool, query(count=1))


@pytest.mark.parametrize('name', ['tag.grip', 'factor.mugg', 'colour', 'tag.'])
def test_an_unknown_stratum_is_refused_with_the_known_ones(tmp_path, name):
    pool = make_pool(tmp_path, np.ones((2, PER)), tags=[{'grasp': 'top'}, {}])
    with pytest.raises(ActiveCollectionError, match='one of'):
        strata(pool, [name])
