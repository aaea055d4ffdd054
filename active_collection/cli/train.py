# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Train an ensemble on the demonstrations of a data directory.

Prints how far its uncertainty can be believed on episodes that it has not seen, and last the
path of the new ensemble. Actions count in half-ranges there: -1 is their low, 1 their high end.
A training that was killed goes on where it was when the same command is given again.

Of an episode that the policy began and a person finished only the person's steps are imitated,
unless the settings say `imitate: all`.

With --weights the file of `active-collection ledger weights` says which episodes are learnt from,
how often each is drawn, and as which task: equal tasks, however much was collected of each.
"""
from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from active_collection.cli.data_directory import add_data
from active_collection.cli.data_directory import data_of
from active_collection.cli.options import path
from active_collection.files import make_directory

if TYPE_CHECKING:
    from active_collection.uncertainty.building import Built
    from active_collection.uncertainty.dataset import Dataset
    from active_collection.uncertainty.settings import TrainingSettings

NAME = 'train'
HELP = 'train an ensemble on recorded demonstrations'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    add_data(parser, 'data directory; its successful demonstrations are used')
    parser.add_argument('--spec', type=path, required=True, metavar='YAML',
                        help='which topics and fields are observation and action')
    parser.add_argument('--out', type=path, required=True, metavar='ENSEMBLES',
                        help='directory of ensembles that the new one is written into')
    parser.add_argument('--config', type=path, metavar='YAML', help='training settings')
    parser.add_argument('--from', dest='begin_from', type=path, metavar='ENSEMBLE',
                        help='ensemble, or directory of ensembles, whose weights it begins from; '
                        'it is trained on all data all the same, and what was held out stays so')
    parser.add_argument('--weights', type=path, metavar='CSV',
                        help='what `active-collection ledger weights` wrote: exactly its episodes '
                        'are used, also those that a policy acted out, and drawn as often as they '
                        'weigh')
    parser.add_argument('--members', type=int, metavar='N', help='overrides the settings')
    parser.add_argument('--steps', type=int, metavar='N', help='overrides the settings')
    parser.add_argument('--seed', type=int, metavar='N', help='overrides the settings')


def run(arguments: argparse.Namespace) -> int:
    """Train, print the calibration table and the path of the ensemble."""
    from datetime import datetime
    from datetime import timezone

    import torch

    from active_collection.bags.encoders import encoder_files
    from active_collection.bags.encoders import load_encoders
    from active_collection.bags.encoders import with_fingerprints
    from active_collection.bags.observation import ObservationSpec
    from active_collection.cli.progress import progress
    from active_collection.config import load
    from active_collection.uncertainty.building import build
    from active_collection.uncertainty.decoding import read_demonstrations
    from active_collection.uncertainty.task_weights import read_weights
    from active_collection.uncertainty.warm_start import read_warm_start

    files = arguments.spec.parent
    spec = with_fingerprints(load(arguments.spec, ObservationSpec), files)
    encoders = load_encoders(spec, files)
    settings = _settings(arguments)
    data = data_of(arguments)
    warm_start = (read_warm_start(arguments.begin_from, settings)
                  if arguments.begin_from is not None else None)
    weights = read_weights(arguments.weights) if arguments.weights is not None else None
    make_directory(arguments.out)  # refused now, not after the training
    with progress('reading episodes') as update:
        decoded = read_demonstrations(
            data, spec, cache=arguments.out / '.decoded', encoders=encoders,
            weights=weights, imitate=settings.imitate,
            progress=lambda done, total: update(done, total, ''))
    for problem in decoded.problems:
        print(f'active-collection: left out: {problem}', file=sys.stderr)
    torch.set_num_threads(settings.threads)
    with progress(f'training {settings.members} members') as update:
        built = build(
            decoded.dataset, spec, settings, out=arguments.out, now=datetime.now(timezone.utc),
            warm_start=warm_start, encoders=encoder_files(spec, files),
            progress=lambda done, total, error: update(done, total, f'held-out error {error:.4f}'))
    print(_table(built, decoded.dataset))
    print(built.path)
    return 0


def _settings(arguments: argparse.Namespace) -> TrainingSettings:
    from active_collection.config import load
    from active_collection.config import validate
    from active_collection.uncertainty.settings import TrainingSettings

    settings = load(arguments.config, TrainingSettings) if arguments.config else TrainingSettings()
    given = {name: value for name in ('members', 'steps', 'seed')
             if (value := getattr(arguments, name)) is not None}
    return validate({**settings.model_dump(), **given}, TrainingSettings, where='arguments')


def _table(built: Built, dataset: Dataset) -> str:
    from active_collection.uncertainty.rebalancing import shares

    calibration = built.calibration
    ids = [episode.episode_id for episode in dataset.episodes]
    held_out = {ids[place] for place in built.trained.folds.any_held_out}
    unlearnt = len(set(ids)) - len({ids[place] for place in built.trained.learnt(dataset)})
    rows = [
        ('episodes', f'{len(set(ids))}, {len(held_out)} of them held out by some member, '
         f'{unlearnt} by all'),
        *((f'drawn as {task}', f'{share:.3f} of the time')
          for task, share in shares(dataset).items()),
        ('optimiser steps', f'{built.trained.steps}' + (
            f', the first {built.trained.resumed_at} of them before a restart'
            if built.trained.resumed_at else '')),
        ('held-out observations', f'{calibration.observations}'),
        ('negative log-likelihood', f'{calibration.nll:.3f} nats a dimension'),
        ('error of the mean action', f'{calibration.error:.3f} half-ranges (root mean square)'),
        ('sharpness', f'{calibration.sharpness:.3f} half-ranges (root mean variance)'),
        ('expected calibration error', f'{calibration.calibration_error:.3f} (0 to 0.5)'),
        ('uncertainty against error', f'{calibration.rank_correlation:+.3f} (rank correlation)'),
    ]
    return '\n'.join(f'{name:<28}{value}' for name, value in rows)
