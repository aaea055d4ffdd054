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
from active_collection.scheduling.beliefs import curves
from active_collection.scheduling.beliefs.doubt import Epochs
from active_collection.scheduling.beliefs.task_arrays import TaskArrays
from active_collection.scheduling.choosing.acquisition import RULES
from active_collection.scheduling.choosing.acquisition import Candidates
from active_collection.scheduling.choosing.place_choice import PlaceChoice
from active_collection.scheduling.settings import SchedulerSettings

CHANCE = {'uniform', 'mt_opt'}


def believed(trials, *, learnt=None, fresh=None, epistemic=None, before=None, measured=True,
             fall_of_loss=None):
    """Return beliefs from (demonstrations, successes, trials) rows of each task."""
    tasks = len(trials)
    rows = [np.array(row, float).reshape(-1, 3) for row in trials]
    zeros = np.zeros(tasks)
    last = np.array([row[-1, 0] if len(row) else 0.0 for row in rows])
    count = np.array([row[:, 2].sum() for row in rows])
    learnt = last if learnt is None else np.array(learnt, float)
    fresh = zeros if fresh is None else np.array(fresh, float)
    epistemic = np.full(tasks, 0.2) if epistemic is None else np.array(epistemic, float)
    return TaskArrays(
        episodes=(count + learnt).astype(int), demonstrations=(learnt + fresh).astype(int),
        learnt=learnt, fresh=fresh, trials=count.astype(int),
        epistemic=epistemic, epistemic_before=epistemic if before is None else np.array(before),
        fall_of_loss=np.full(tasks, np.nan) if fall_of_loss is None else np.array(fall_of_loss),
        is_measured=np.full(tasks, measured), seconds=zeros, pace=np.full(tasks, 5.0),
        likelihoods=np.array([curves.log_likelihood(*row.T, np.ones(len(row))) for row in rows]),
        epochs=Epochs(epistemic[:, None] if measured else np.full((tasks, 1), np.nan),
                      *np.array([row[-1, [2, 2, 0]] - (row[-1, 1], 0, 0) if len(row)
                                 else (0, 0, 0) for row in rows]).T[:, :, None]))


def make(beliefs, environments=1, *, cover=None, **changes):
    """Return candidates over every place; what a demonstration covers is alike."""
    tasks = len(beliefs.learnt)
    task = np.repeat(np.arange(tasks), environments)
    fields = {
        'task': task, 'environment': np.tile(np.arange(environments), tasks),
        'worth': np.ones(len(task)), 'is_chained': np.zeros(len(task), bool), 'beliefs': beliefs,
        'pending': np.zeros(tasks, int), 'pending_demonstrations': np.zeros(tasks, int),
        'cover': cover or (lambda want: np.full(len(task), 0.1))}
    return Candidates(**{**fields, **changes})


def at_random(tasks, environments, seed):
    random = np.random.default_rng(seed)
    n = random.integers(0, 50, (tasks, 2)).cumsum(axis=1)
    trials = random.integers(0, 9, (tasks, 2))
    beliefs = believed([[(n[t, e], random.integers(0, trials[t, e] + 1), trials[t, e])
                         for e in range(2)] for t in range(tasks)],
                       epistemic=random.random(tasks), before=random.random(tasks),
                       measured=bool(seed % 2))
    places = tasks * environments
    return make(beliefs, environments, worth=0.5 + random.random(places),
                is_chained=random.random(places) < 0.3, pending=random.integers(0, 3, tasks),
                cover=lambda want: np.random.default_rng(seed).random(places))


def merits(name, candidates, seed=0, **settings):
    rule = RULES.get(name)(SchedulerSettings(**settings))
    return rule.merits(candidates, np.random.default_rng(seed))


def often(space, name, candidates, draws=600, **settings):
    """Return how often each place is chosen, 0 to 1."""
    choice = PlaceChoice(space, SchedulerSettings(rule=name, **settings))
    random = np.random.default_rng(0)
    chosen = [choice.draw(candidates, random).index for _ in range(draws)]
    return np.bincount(chosen, minlength=len(candidates.task)) / draws


@pytest.mark.parametrize('name', RULES.names())
@given(tasks=st.integers(1, 6), environments=st.integers(1, 3), seed=st.integers(0, 99))
@hypothesis_settings(max_examples=15, deadline=None)
def test_merits_are_finite_not_negative_and_explained(name, tasks, environments, seed):
    candidates = at_random(tasks, environments, seed)

    result = merits(name, candidates, seed)

    assert result.values.shape == candidates.task.shape
    assert np.isfinite(result.values).all() and (result.values >= 0).all()
    assert all(np.isfinite(term.values).all() and term.values.shape == result.values.shape
               for term in result.informs)
    assert len({result.name, *(t.name for t in result.informs)}) == 1 + len(result.informs)
    assert RULES.get(name).configurations in {'failure', 'doubt', 'even', 'random'}


@pytest.mark.parametrize('name', RULES.names())
def test_the_same_seed_gives_the_same_merits(name):
    candidates = at_random(5, 2, 3)

    assert np.array_equal(merits(name, candidates, 7).values, merits(name, candidates, 7).values)


@pytest.mark.parametrize('name', RULES.names())
def test_nothing_is_known_at_the_start_and_every_rule_can_decide(space, name):
    share = often(space, name, make(believed([[]] * 3, epistemic=np.ones(3), measured=False)))

    assert share.min() > 0.2


@pytest.mark.parametrize('name', RULES.names())
def test_worth_acts_on_every_rule_alike(space, name):
    """A boost of 50 on one of three equal tasks, and a task that is not wanted at all."""
    beliefs = believed([[(5, 2, 4)]] * 3)
    boosted = often(space, name, make(beliefs, worth=np.array([50.0, 1.0, 0.0])))

    assert boosted[0] > 0.9
    assert boosted[2] == 0


@pytest.mark.parametrize('name', sorted(CHANCE))
def test_a_boost_multiplies_the_chance_of_what_is_drawn(space, name):
    share = often(space, name, make(believed([[]] * 3), worth=np.array([2.0, 1.0, 1.0])), 4000)

    assert np.allclose(share, [0.5, 0.25, 0.25], atol=0.03)


@pytest.mark.parametrize('name', ['uniform', 'mt_opt', 'round_robin'])
def test_chance_is_even_over_tasks_and_not_over_places(space, name):
    """Of a task in one environment, one in three, and one in five."""
    task = np.array([0, 1, 1, 1, 2, 2, 2, 2, 2])
    candidates = replace(
        make(believed([[]] * 3)), task=task, environment=np.arange(9), worth=np.ones(9),
        is_chained=np.zeros(9, bool))

    share = often(space, name, candidates, 4000)

    assert np.allclose(np.bincount(task, share), 1 / 3, atol=0.03)
    assert np.allclose(share[1:4], 1 / 9, atol=0.03)


def test_an_unknown_rule_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'value'"):
        RULES.get('valeu')


def test_round_robin_takes_the_task_with_the_fewest_episodes_out_or_done():
    candidates = make(replace(believed([[]] * 3), episodes=np.array([4, 2, 3])))
    assert np.argmax(merits('round_robin', candidates).values) == 1

    candidates = replace(candidates, pending=np.array([0, 2, 0]))

    assert np.argmax(merits('round_robin', candidates).values) == 2


def test_mt_opt_prefers_what_needs_no_reset(space):
    candidates = make(believed([[]] * 3), is_chained=np.array([False, True, True]))

    share = often(space, 'mt_opt', candidates)

    assert share[0] == 0
    assert abs(share[1] - 0.5) < 0.1


def test_failure_thompson_takes_what_fails_and_tries_what_is_unknown(space):
    candidates = make(believed([[(20, 16, 40)], [(20, 39, 40)], [(20, 1, 2)]]))

    share = often(space, 'failure_thompson', candidates)

    assert share[1] < 0.02
    assert min(share[0], share[2]) > 0.2


def test_slope_takes_what_still_improves_and_not_what_never_does():
    improving = [(5, 4, 20), (10, 10, 20), (20, 15, 20)]
    hopeless = [(5, 0, 20), (10, 0, 20), (20, 0, 20)]
    done = [(5, 20, 20), (10, 20, 20), (20, 20, 20)]

    values = merits('slope', make(believed([improving, hopeless, done]))).values

    assert np.argmax(values) == 0
    assert values[2] < values[0] / 3


def test_ensemble_takes_the_doubt_that_a_demonstration_covers():
    asked = []

    def cover(want):
        asked.append(want)
        return np.array([0.1, 0.3])

    values = merits('ensemble', make(believed([[]] * 2), cover=cover)).values

    assert asked == ['doubt'] and values.tolist() == [0.1, 0.3]


@pytest.mark.parametrize(('falls', 'first'), [
    ([0.1, 0.3, 0.9], 1),  # the loss, not the uncertainty, which fell in the first
    ([0.3, np.nan, 0.9], 1),  # of which nothing is told: as helpful as the one that helped most
    ([0.3, 0.2, np.nan], 0),
    ([np.nan] * 3, 0)])  # of none: the uncertainty
def test_need_gain_takes_what_fails_and_whose_held_out_loss_fell(falls, first):
    candidates = make(believed(
        [[(20, 2, 20)], [(20, 2, 20)], [(20, 20, 20)]],
        epistemic=[0.2, 0.4, 0.1], before=[0.4, 0.4, 0.5], fall_of_loss=falls))

    assert np.argmax(merits('need_gain', candidates).values) == first


def test_need_gain_takes_what_fails_and_was_helped():
    """Two tasks fail alike, of which one's uncertainty fell; a third is solved and it fell too."""
    candidates = make(believed(
        [[(20, 2, 20)], [(20, 2, 20)], [(20, 20, 20)]],
        epistemic=[0.2, 0.4, 0.1], before=[0.4, 0.4, 0.5]))

    assert np.argmax(merits('need_gain', candidates).values) == 0


def test_value_is_the_failure_covered_times_the_belief_that_it_helps():
    plateau = [(5, 10, 20), (20, 10, 20), (80, 10, 20), (160, 10, 20)]
    learning = [(5, 2, 20), (20, 6, 20), (80, 10, 20)]
    candidates = make(believed([plateau, learning]),
                      cover=lambda want: {'failure': np.array([0.2, 0.2])}[want])

    result = merits('value', candidates)
    helps = next(t.values for t in result.informs if t.name == 'still_helps')

    assert np.allclose(result.values, 0.2 * helps)
    assert helps[0] < 0.1 < 0.15 < helps[1]


def test_value_looks_beyond_the_flat_foot_of_a_late_learner():
    """Nothing at 2 and 5 demonstrations, while the other tasks of the space took off at 20."""
    late = [(2, 0, 10), (5, 0, 10)]
    others = [[(2, 0, 10), (5, 0, 10), (20, 5, 10), (40, 9, 10)]] * 3

    result = merits('value', make(believed([late, *others])))
    helps = next(t.values for t in result.informs if t.name == 'still_helps')

    assert helps[0] > 0.1
