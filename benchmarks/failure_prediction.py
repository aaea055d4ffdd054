# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure what uncertainty is worth: does a task's tell how often the policy fails at it?

Ensembles are cloned from 2, 5 and 10 demonstrations a task of Meta-World MT10 and act themselves
on held-out configurations. Printed for each measure: the rank correlation, over the ten tasks, of
its mean over all steps with the failure rate; mean of the seeds with its 95 % interval.
"""
from __future__ import annotations

import statistics
import sys

import numpy as np
import torch
from _claims import Claim
from _claims import options
from _claims import report
from _metaworld import SIZES
from _metaworld import MetaWorld
from scipy import stats

from active_collection.errors import SimulationError
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.measures import decompose
from active_collection.uncertainty.measures import largest_variance
from active_collection.uncertainty.mixtures import mutual_information_bounds
from active_collection.uncertainty.novelty import KnnNovelty
from active_collection.uncertainty.novelty import MahalanobisNovelty
from active_collection.uncertainty.novelty import RelativeMahalanobisNovelty
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.training import train

NOVELTIES = {'kNN distance': KnnNovelty, 'Mahalanobis distance': MahalanobisNovelty,
             'relative Mahalanobis distance': RelativeMahalanobisNovelty}
MEASURES = ('epistemic variance', 'aleatoric variance', 'mutual information, lower bound',
            'mutual information, upper bound', *NOVELTIES)
DEMONSTRATION_STEPS, ATTEMPT_STEPS = 200, 150


def main() -> int:
    parser = options(__doc__)
    parser.add_argument('--seeds', type=int, default=5)
    parser.add_argument('--attempts', type=int, default=10, help='held-out attempts a task')
    parser.add_argument('--counts', type=int, nargs='+', default=[2, 5, 10],
                        help='demonstrations a task')
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seeds, arguments.attempts, arguments.counts = 2, 2, [1]
    try:
        world = MetaWorld()
    except SimulationError as error:
        claims = [Claim('Meta-World MT10', [], 'rank correlation', reason=str(error))]
    else:
        claims = measured(world, arguments)
    report('failure_prediction', claims, arguments.out, packages=['torch', 'metaworld', 'mujoco'])
    return 0


def measured(world, arguments):
    """Return the correlation of each measure for each number of demonstrations."""
    found = {}
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        shown = {task: demonstrations(world, task, max(arguments.counts), 1000 + seed)
                 for task in world.space.tasks}
        for count in arguments.counts:
            score = scorer([e for episodes in shown.values() for e in episodes[:count]],
                           world.spec, TrainingSettings(seed=seed))
            results = [attempt(world, task, score, arguments.attempts, seed) for task in shown]
            failures = [failed for failed, _ in results]
            print(f'seed {seed}, {count} demonstrations a task: '
                  f'success {1 - np.mean(failures):.2f}', flush=True)
            for place, name in enumerate(MEASURES):
                found.setdefault((count, name), []).append(
                    rank_correlation([means[place] for _, means in results], failures))
    world.robot.close()
    return [Claim(f'{count} demonstrations a task, {name}', values, 'rank correlation',
                  reason=interval(values)) for (count, name), values in found.items()]


def rank_correlation(values, failures):
    """Return Spearman's correlation; 0 where all tasks fail alike, which tells nothing."""
    return float(np.nan_to_num(stats.spearmanr(values, failures).statistic))


def interval(values):
    """Return the mean with its 95 % interval by Student's t, as words."""
    half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return f'mean {statistics.mean(values):+.2f}, 95 % interval +-{half:.2f}'


def demonstrations(world, task, count, seed):
    """Return up to `count` of the expert's successes."""
    shown = world.demonstrations(task, count, seed, max_steps=DEMONSTRATION_STEPS)
    return [acted.decoded(f'{task}-{k}', task) for k, (_, acted) in enumerate(shown)]


def attempt(world, task, score, attempts, seed):
    """Return the failure rate at a task and the mean of each measure over all steps."""
    steps = []
    action = world.spec.action

    def policy(values):
        done, measures = score(torch.tensor(values[None], dtype=torch.float32))
        steps.append(measures)
        return np.clip(done.double().numpy(), action.low, action.high)

    failed = sum(not world.act_out(scenario, policy, max_steps=ATTEMPT_STEPS).success
                 for scenario in world.scenarios(task, attempts, seed))
    return failed / attempts, np.mean(steps, axis=0)


def scorer(episodes, spec, settings):
    """Train an ensemble; return what gives its mean action and MEASURES of an observation."""
    dataset = Dataset.of(episodes, spec, SIZES)
    trained = train(dataset, settings)
    members = trained.members.stacked()
    rows = dataset.rows(trained.learnt(dataset))
    tasks = sorted({episode.task for episode in episodes})
    task_of = torch.tensor([tasks.index(episode.task) for episode in dataset.episodes])
    embeddings, groups = members.embed(dataset.observations[rows]), task_of[
        dataset.episode_of[rows]]
    novelties = [kind.fit(embeddings, groups, settings) for kind in NOVELTIES.values()]
    largest = largest_variance(dataset.action_low, dataset.action_high)

    def score(batch):
        prediction = members.predict(batch)
        split = decompose(prediction.mean, prediction.variance, largest=largest)
        lower, upper = mutual_information_bounds(prediction.mean, prediction.variance)
        embedding = members.embed(batch)
        return prediction.mean.mean(0)[0, 0], [
            split.epistemic.item(), split.aleatoric.item(), lower.item(), upper.item(),
            *(novelty.distance(embedding).item() for novelty in novelties)]

    return score


if __name__ == '__main__':
    sys.exit(main())
