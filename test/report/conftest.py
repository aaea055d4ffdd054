# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A report's data as a small fleet would leave it: ten tasks, two robots, three rounds."""
from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest

from active_collection.report.data import Assignment
from active_collection.report.data import BagTimeline
from active_collection.report.data import Evaluation
from active_collection.report.data import FactorRange
from active_collection.report.data import LabelRound
from active_collection.report.data import Pick
from active_collection.report.data import Pool
from active_collection.report.data import ReportData
from active_collection.report.data import Selection
from active_collection.report.data import TaskEvaluation
from active_collection.report.data import Term
from active_collection.report.data import Unit
from active_collection.report.data import Verdict
from active_collection.report.pictures import budget
from active_collection.report.pictures import thumbnail
from active_collection.scenario import Scenario

START = 1_763_800_000_000_000_000
TASKS = ('assembly', 'basketball', 'button-press-topdown', 'door-open', 'drawer-close',
         'drawer-open', 'peg-insert-side', 'pick-place', 'push', 'reach')
SKILL = dict(zip(TASKS, (.1, .15, .8, .5, .9, .6, .1, .2, .4, .85), strict=True))
ROUNDS = 4


def frame(random, task, progress):
    """Return a table with an arm and an object on it, (128, 128, 3) RGB."""
    image = np.full((128, 128, 3), (214, 208, 198), np.uint8)
    cv2.rectangle(image, (0, 0), (127, 42), (176, 186, 194), -1)
    hue = (TASKS.index(task) * 25 + 20) % 180
    colour = cv2.cvtColor(np.uint8([[[hue, 190, 200]]]), cv2.COLOR_HSV2RGB)[0, 0].tolist()
    x, y = int(random.integers(30, 98)), int(random.integers(60, 110))
    cv2.circle(image, (x, y), 9, colour, -1, cv2.LINE_AA)
    hand = (int(100 + (x - 100) * progress), int(20 + (y - 32) * progress))
    cv2.line(image, (110, 0), hand, (92, 60, 48), 9, cv2.LINE_AA)
    cv2.circle(image, hand, 6, (60, 60, 66), -1, cv2.LINE_AA)
    noise = random.normal(0, 5, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def assignments(random, number=168):
    made, clocks = [], {'alpha': START, 'beta': START + 3 * 10**9}
    for index in range(number):
        round_ = min(ROUNDS - 1, index * ROUNDS // number)
        weights = np.array([1.0 if round_ == 0 else (1.05 - SKILL[t]) ** (round_ + .5) + .04
                            for t in TASKS])
        task = str(random.choice(TASKS, p=weights / weights.sum()))
        robot = min(clocks, key=clocks.get)
        issued = clocks[robot]
        took = int(random.uniform(1.6, 3.2) * 1e9)
        clocks[robot] = issued + took + int(random.uniform(.2, .6) * 1e9)
        if index and round_ != min(ROUNDS - 1, (index - 1) * ROUNDS // number):
            clocks = {name: clock + 14 * 10**9 for name, clock in clocks.items()}
        luck = random.random()
        outcome = ('success' if luck < .55 + .35 * SKILL[task] else
                   'aborted' if luck > .985 else 'failure')
        values = {name: float(round(random.uniform(low, high), 4)) for name, low, high in (
            ('object_x', -.1, .1), ('object_y', .6, .7), ('goal_x', -.1, .1),
            ('goal_y', .8, .9))}
        if task == 'door-open':
            values |= {'handle': str(random.choice(['round', 'lever']))}
        terms = () if round_ == 0 else (
            Term('epistemic', .02 + .05 * (1 - SKILL[task]), 8.0),
            Term('failure', 1 - SKILL[task], .6), Term('coverage', random.uniform(.1, .5), .4),
            Term('cost', random.uniform(.8, 1.2), -.1), Term('recent_share', .1, 0.0))
        made.append(Assignment(
            f'a{index:04}', Scenario.of(task, 'table', values), robot, round_, issued,
            issued + took, 'scripted' if round_ == 0 or random.random() < .6 else 'policy',
            'minimum' if round_ == 0 else 'hybrid',
            sum(t.value * t.weight for t in terms) if terms else math.nan,
            terms, outcome, f'e{index:04}', '' if round_ == 0 else f'20261122T12450{round_}-aa',
            outcome == 'success'))
    return tuple(made)


def evaluations(random, trials=10):
    return tuple(Evaluation(round_, f'20261122T12450{round_}-aa', {
        task: TaskEvaluation(
            int(random.binomial(trials, min(.97, SKILL[task] * (.35 + .3 * round_)))), trials,
            (.012 + .05 * (1 - SKILL[task])) * .72 ** round_ * random.uniform(.85, 1.15))
        for task in TASKS}) for round_ in range(1, ROUNDS))


def pool_of(random, episodes, per_bag=14):
    units, rows, bags, centres = [], [], [], random.normal(size=(len(TASKS), 24)) * 2.4
    direction = random.normal(size=24)
    for episode in episodes:
        bag = f'episodes/2026-11-22/{episode.episode_id}'
        task = episode.scenario.task
        stamps = np.linspace(episode.issued_ns, episode.ended_ns, per_bag).astype(np.int64)
        progress = np.linspace(0, 1, per_bag)
        epistemic = (.01 + .05 * (1 - SKILL[task]) * np.exp(-((progress - .6) / .2) ** 2)
                     * random.uniform(.5, 1.5))
        for k in range(per_bag):
            units.append(Unit(
                f'{episode.episode_id}-{k}', bag, f'/{episode.robot}/camera/image_raw',
                int(stamps[k]), task, 'table', episode.outcome, episode.episode_id,
                float(epistemic[k]), float(random.uniform(0, 1))))
            rows.append(centres[TASKS.index(task)] + direction * progress[k]
                        + random.normal(size=24) * .6)
        bags.append(BagTimeline(bag, int(stamps[0]), int(stamps[-1]), per_bag, task,
                                episode.outcome, stamps, epistemic))
    return Pool(len(units), tuple(units), np.asarray(rows, np.float16), 'efficientnet_lite0',
                tuple(bags))


def picks_of(random, pool, number):
    chosen = random.choice(len(pool.units), number, replace=False,
                           p=(w := np.array([u.epistemic for u in pool.units])) / w.sum())
    made = []
    for order, index in enumerate(chosen, 1):
        unit = pool.units[int(index)]
        progress = (int(index) % 14) / 13
        made.append(Pick(
            unit, order, float(.9 - .7 * order / number + random.normal() * .02),
            f'most uncertain of its cluster (epistemic {unit.epistemic:.3f})',
            thumbnail(frame(random, unit.task, progress), limit=budget(number))))
    return tuple(made)


def label_rounds():
    """Return four rounds of labels, tested on 200 held-out ones."""
    made = ((1, 'typiclust', 115, 118, 1.4, math.nan, 6.1, .021),
            (2, 'hybrid', 300, 151, .9, .71, 4.9, .018),
            (3, 'hybrid', 300, 168, .6, .86, 4.4, .016),
            (5, 'hybrid', 300, 173, .5, .94, 4.2, .0155))
    total, found = 200, []
    for number, strategy, selected, correct, entropy, kappa, radius, uncertainty in made:
        total += selected
        found.append(LabelRound(number, strategy, selected, total, 3 * number, correct, 200, True,
                                entropy, kappa, radius, uncertainty))
    return tuple(found)


@pytest.fixture(scope='session')
def make_report():
    """Return a function that makes a report's data with so many picks."""
    def make(picks=60):
        random = np.random.default_rng(7)
        leases = assignments(random)
        pool = pool_of(random, [a for a in leases if a.outcome in {'success', 'failure'}])

        span = {'object_x': FactorRange(-.1, .1, 'm'), 'object_y': FactorRange(.6, .7, 'm'),
                'goal_x': FactorRange(-.1, .1, 'm'), 'goal_y': FactorRange(.8, .9, 'm')}
        return ReportData(
            title='Collection report', source='/data/kitchen', made_ns=START + 900 * 10**9,
            assignments=leases, evaluations=evaluations(random),
            factors=dict.fromkeys(TASKS, span), pool=pool,
            selection=Selection(
                0, 'cluster_margin', picks_of(random, pool, picks), 7, START + 890 * 10**9,
                {'units': pool.size, 'too_dark_or_blurred': 84, 'near_duplicates': 311,
                 'selected': picks}),
            labels=label_rounds(),
            verdicts=(Verdict('marginal_gain', False, 'the last batch still gained 9 points',
                              {'gain': .09, 'threshold': .02}),))
    return make


@pytest.fixture(scope='session')
def report(make_report):
    return make_report()


@pytest.fixture
def changed(report):
    """Return the report's data with other values of some fields."""
    return lambda **changes: dataclasses.replace(report, **changes)
