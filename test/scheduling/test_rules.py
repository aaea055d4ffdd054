# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The contract of every acquisition rule, and what each is for."""
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from active_collection.errors import ConfigError
from active_collection.scheduling.acquisition import RULES
from active_collection.scheduling.acquisition import Candidates
from active_collection.scheduling.beliefs import TaskArrays
from active_collection.scheduling.curves import FittedCurves
from active_collection.scheduling.settings import SchedulerSettings


def make(tasks, environments, seed=0, **changes):
    """Return candidates over every place with plausible beliefs."""
    random = np.random.default_rng(seed)
    task = np.repeat(np.arange(tasks), environments)
    places = len(task)
    successes = random.integers(0, 20, tasks)
    failures = random.integers(0, 20, tasks)
    beliefs = TaskArrays(
        episodes=successes + failures + 5, demonstrations=np.full(tasks, 5),
        fresh=random.integers(0, 5, tasks), alpha=1.0 + successes, beta=1.0 + failures,
        epistemic=random.random(tasks),
        is_measured=random.random(tasks) < 0.5, novelty=random.random(tasks),
        seconds=np.zeros(tasks),
        curve_demonstrations=np.tile([0.0, 5.0], (tasks, 1)),
        curve_successes=random.integers(0, 9, (tasks, 2)).astype(float),
        curve_failures=random.integers(0, 9, (tasks, 2)).astype(float))
    fields = {
        'task': task, 'environment': np.tile(np.arange(environments), tasks),
        'cost': 0.5 + random.random(places), 'boost': np.ones(places),
        'is_chained': random.random(places) < 0.3, 'importance': np.ones(tasks),
        'beliefs': beliefs, 'pending': np.zeros(tasks, dtype=np.int64),
        'pending_demonstrations': np.zeros(tasks, dtype=np.int64), 'share': np.zeros(tasks),
        'curves': FittedCurves(beliefs), 'gap': lambda index: 0.1 * (index + 1),
        'points': lambda index, count: (
            np.random.default_rng(index).random((3 * index, 2)),
            np.random.default_rng(99).random((count, 2)))}
    return Candidates(**{**fields, **changes})


def with_beliefs(candidates, **changes):
    beliefs = replace(candidates.beliefs, **changes)
    return replace(candidates, beliefs=beliefs, curves=FittedCurves(beliefs))


def scores(name, candidates, seed=0, **settings):
    rule = RULES.get(name)(SchedulerSettings(**settings))
    return rule.score(candidates, np.random.default_rng(seed))


def often(name, candidates, draws=400, **settings):
    """Return how often each place is chosen, 0 to 1."""
    rule = RULES.get(name)(SchedulerSettings(**settings))
    random = np.random.default_rng(0)
    chosen = [int(np.argmax(rule.score(candidates, random).total())) for _ in range(draws)]
    return np.bincount(chosen, minlength=len(candidates.task)) / draws


@pytest.mark.parametrize('name', RULES.names())
@given(tasks=st.integers(1, 6), environments=st.integers(1, 3), seed=st.integers(0, 99))
@hypothesis_settings(max_examples=25, deadline=None)
def test_scores_are_finite_not_negative_and_explained(name, tasks, environments, seed):
    candidates = make(tasks, environments, seed)

    result = scores(name, candidates, seed)

    total = result.total()
    assert total.shape == candidates.task.shape
    assert np.isfinite(total).all() and (total >= 0).all()
    assert np.allclose(total, sum(t.values * t.weights for t in result.terms))
    assert len({term.name for term in result.terms}) == len(result.terms)
    assert RULES.get(name).configurations in {'coverage', 'random'}


@pytest.mark.parametrize('name', RULES.names())
def test_the_same_seed_gives_the_same_scores(name):
    candidates = make(5, 2)

    assert np.array_equal(scores(name, candidates, 7).total(), scores(name, candidates, 7).total())


@pytest.mark.parametrize('name', RULES.names())
def test_nothing_is_known_at_the_start_and_every_rule_can_decide(name):
    fresh = TaskArrays(
        episodes=np.zeros(3, int), demonstrations=np.zeros(3, int), fresh=np.zeros(3, int),
        alpha=np.ones(3), beta=np.ones(3), epistemic=np.ones(3),
        is_measured=np.zeros(3, bool), novelty=np.ones(3),
        seconds=np.zeros(3),
        curve_demonstrations=np.zeros((3, 1)), curve_successes=np.zeros((3, 1)),
        curve_failures=np.zeros((3, 1)))

    total = scores(name, replace(make(3, 1), beliefs=fresh)).total()

    assert np.isfinite(total).all()


@pytest.mark.parametrize('name', [
    n for n in RULES.names() if n not in {'uniform', 'round_robin', 'mt_opt'}])
def test_cost_and_boost_scale_what_a_rule_thinks_of_a_place(name):
    candidates = make(2, 1, cost=np.array([1.0, 1.0]))
    dear = replace(candidates, cost=np.array([2.0, 1.0]))
    boosted = replace(candidates, boost=np.array([3.0, 1.0]))
    base = scores(name, candidates, 3, epsilon=0.0).total()

    assert np.allclose(scores(name, dear, 3, epsilon=0.0).total(), base * [0.5, 1])
    assert np.allclose(scores(name, boosted, 3, epsilon=0.0).total(), base * [3, 1])
    assert np.allclose(scores(name, dear, 3, epsilon=0.0, cost_weight=0.0).total(), base)


def test_an_unknown_rule_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'hybrid'"):
        RULES.get('hybird')


def test_uniform_is_uniform():
    assert np.allclose(often('uniform', make(3, 2), 6000), 1 / 6, atol=0.03)


def test_round_robin_takes_the_task_with_the_fewest_episodes_out_or_done():
    candidates = with_beliefs(make(3, 1), episodes=np.array([4, 2, 3]))
    assert np.argmax(scores('round_robin', candidates).total()) == 1

    candidates = replace(candidates, pending=np.array([0, 2, 0]))

    assert np.argmax(scores('round_robin', candidates).total()) == 2


def test_mt_opt_prefers_what_needs_no_reset():
    candidates = make(4, 1, is_chained=np.array([False, True, False, True]))

    share = often('mt_opt', candidates)

    assert share[0] == share[2] == 0
    assert abs(share[1] - 0.5) < 0.1


def test_ensemble_takes_the_most_uncertain_and_allows_for_what_is_out():
    candidates = with_beliefs(
        make(2, 1, cost=np.ones(2)), epistemic=np.array([0.4, 0.3]), fresh=np.zeros(2, int))
    assert np.argmax(scores('ensemble', candidates).total()) == 0

    candidates = replace(candidates, pending_demonstrations=np.array([3, 0]))

    assert np.argmax(scores('ensemble', candidates).total()) == 1


def test_failure_thompson_takes_what_fails_and_tries_what_is_unknown():
    candidates = with_beliefs(
        make(3, 1, cost=np.ones(3)), alpha=np.array([1.0, 90.0, 1.0]),
        beta=np.array([90.0, 10.0, 1.0]))

    share = often('failure_thompson', candidates)

    assert share[0] > 0.9
    assert share[1] == 0
    assert share[2] > 0


def test_coverage_takes_the_task_with_the_largest_gap():
    candidates = make(3, 1, cost=np.ones(3), gap=lambda index: (0.2, np.inf, 0.5)[index])

    assert np.argmax(scores('coverage', candidates).total()) == 1


def curves(demonstrations, successes, trials):
    return {'curve_demonstrations': np.array(demonstrations, float),
            'curve_successes': np.array(successes, float),
            'curve_failures': np.array(trials, float) - np.array(successes, float)}


def test_slope_takes_what_still_improves_and_not_what_never_does():
    improving, hopeless, done = [1, 10, 16], [0, 0, 0], [20, 20, 20]
    candidates = with_beliefs(
        make(3, 1, cost=np.ones(3)), demonstrations=np.full(3, 20),
        **curves(np.tile([0, 10, 20], (3, 1)), [improving, hopeless, done],
                 np.full((3, 3), 20)))

    total = scores('slope', candidates).total()

    assert np.argmax(total) == 0
    assert total[1] < total[0] / 3


def test_information_gain_prefers_what_little_is_known_of():
    candidates = make(3, 1, cost=np.ones(3))

    total = scores('information_gain', candidates).total()

    assert np.argmax(total) == 0
    assert total[1] > total[2]


def test_novelty_takes_the_most_novel_task():
    candidates = with_beliefs(make(3, 1, cost=np.ones(3)), novelty=np.array([1.0, 7.0, 2.0]),
                              fresh=np.zeros(3, int))

    assert np.argmax(scores('novelty', candidates).total()) == 1


def test_hybrid_moves_from_uncertainty_to_failure():
    base = with_beliefs(
        make(2, 1, cost=np.ones(2)), epistemic=np.array([1.0, 0.2]), fresh=np.zeros(2, int),
        alpha=np.array([90.0, 1.0]), beta=np.array([1.0, 90.0]),
        curve_successes=np.zeros((2, 2)), curve_failures=np.zeros((2, 2)))
    early = base
    late = with_beliefs(base, curve_successes=np.array([[0.0, 900.0], [0.0, 100.0]]),
                        curve_failures=np.array([[0.0, 9.0], [0.0, 900.0]]))

    assert often('hybrid', early, epsilon=0.0)[0] == 1
    assert often('hybrid', late, epsilon=0.0)[1] == 1


@pytest.mark.parametrize('trials', [0.0, 1000.0])
def test_hybrid_counts_what_one_more_demonstration_takes_of_it(trials):
    """Of two tasks that fail alike, one after ten times the demonstrations of the other."""
    candidates = with_beliefs(
        make(2, 1, cost=np.ones(2)), epistemic=np.array([1.0, 0.5]),
        demonstrations=np.array([100, 10]), fresh=np.zeros(2, int),
        alpha=np.array([1.0, 1.0]), beta=np.array([900.0, 900.0]),
        curve_demonstrations=np.array([[0.0, 100.0], [0.0, 10.0]]),
        curve_successes=np.zeros((2, 2)),
        curve_failures=np.array([[0.0, trials], [0.0, trials]]))

    assert often('hybrid', candidates, epsilon=0.0)[1] == 1


def test_hybrid_explores_in_its_share_and_caps_a_task():
    base = with_beliefs(make(2, 1, cost=np.ones(2)), epistemic=np.array([1.0, 0.0]),
                        curve_successes=np.zeros((2, 2)), curve_failures=np.zeros((2, 2)),
                        fresh=np.zeros(2, int))

    assert abs(often('hybrid', base, 2000, epsilon=0.4)[1] - 0.2) < 0.05
    capped = replace(base, share=np.array([0.6, 0.1]))
    assert scores('hybrid', capped, epsilon=0.0).total()[0] == 0
    both = replace(base, share=np.array([0.6, 0.6]))
    assert scores('hybrid', both, epsilon=0.0).total()[0] > 0
