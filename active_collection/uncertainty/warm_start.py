# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Begin a training where the previous ensemble ended, whatever the new data's scales are."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from active_collection.config import validate
from active_collection.errors import UncertaintyError
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble_directory import newest
from active_collection.uncertainty.ensemble_directory import read_description
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.mlp import MlpNetwork
from active_collection.uncertainty.mlp import read_members
from active_collection.uncertainty.settings import TrainingSettings

#: The source of a description that each kind of training writes.
SOURCES = {'members': 'mlp', 'heads': 'mlp', 'dropout': 'mc_dropout', 'laplace': 'laplace'}


@dataclass(frozen=True)
class WarmStart:
    """
    What the previous ensemble leaves to the next.

    :param ensemble_id: of the previous ensemble
    :param members: its networks
    :param folds: ids of the episodes that were held out from some of its networks, by fold in the
        order of `Folds`, and are held out from the same of the next
    :param trained_on: ids of those that any of its networks learnt
    """

    ensemble_id: str
    members: MlpMembers
    folds: tuple[frozenset[str], ...]
    trained_on: frozenset[str]


def read_warm_start(path: Path, settings: TrainingSettings) -> WarmStart:
    """
    Read the ensemble to begin from.

    :param path: its directory, or a directory of ensembles: the newest
    :raises ActiveCollectionError: where there is none, or it is of another architecture
    """
    found = newest(path)
    if found is None:
        raise UncertaintyError(path, found='no ensemble', expected='one to begin from')
    description = read_description(found)
    _check(f'{found}: source', description.source, SOURCES[settings.kind])
    known = {name: value for name, value in description.network.items()
             if name in MlpNetwork.model_fields}
    network = validate(known, MlpNetwork, where=f'{found}: network')
    _check(f'{found}: hidden', list(network.hidden), list(settings.hidden))
    _check(f'{found}: horizon', description.horizon, settings.horizon)
    _check(f'{found}: shared', network.shared, shared_layers(settings))
    _check(f'{found}: priors', network.priors, settings.prior_scale > 0)
    members = settings.networks
    if settings.kind in {'members', 'heads'}:
        _check(f'{found}: members', description.members, settings.members)
    return WarmStart(
        ensemble_id=description.ensemble_id,
        members=read_members(found, description, network, members=members),
        folds=_folds(found, description),
        trained_on=_episodes(found, description, 'trained_on'))


def shared_layers(settings: TrainingSettings) -> int:
    """Return how many first layers the networks of a kind share."""
    return max(1, len(settings.hidden) - 1) if settings.kind == 'heads' else 0


@torch.no_grad()
def begin_from(members: MlpMembers, previous: MlpMembers, share: float) -> None:
    """
    Mix the previous weights into fresh ones, share * previous + (1 - share) * fresh.

    Ash and Adams 2020, "On warm-starting neural network training": weights taken as they are learn
    less from data that come later; shrunk and perturbed ones do not. With a share of 1 the members
    are the previous ones: the first layer takes up what the normalisation has changed.

    :param members: initialised, with the scales of the data; changed
    """
    ratio = members.input_scale / previous.input_scale
    shift = (members.input_mean - previous.input_mean) / previous.input_scale
    first = previous.weights[0]
    was = [(weight.clone(), bias.clone())
           for weight, bias in zip(previous.weights, previous.biases, strict=True)]
    was[0] = (ratio[:, None] * first, was[0][1] + (shift @ first)[:, None])
    # an action range that has changed stretches the means
    stretch = (previous.action_scale / members.action_scale).repeat(members.horizon)
    move = ((previous.action_mean - members.action_mean) / members.action_scale).repeat(
        members.horizon)
    was[-1][0][..., :members.outputs] *= stretch
    was[-1][1][..., :members.outputs] *= stretch
    was[-1][1][..., :members.outputs] += move
    for (weight, bias), fresh_weight, fresh_bias in zip(
            was, members.weights, members.biases, strict=True):
        fresh_weight.lerp_(weight, share)
        fresh_bias.lerp_(bias, share)
    for prior, before in zip(members.priors, previous.priors, strict=True):
        prior.copy_(before)


def _check(where: str, found: object, expected: object) -> None:
    if found != expected:
        raise UncertaintyError(where, found=found,
                               expected=f'{expected}, as the settings say, to begin from it')


def _folds(path: Path, description: EnsembleDescription) -> tuple[frozenset[str], ...]:
    """Return the folds of an ensemble; all held out the same where it does not tell of any."""
    training: Mapping[str, Any] = description.training
    folds = training.get('folds')
    if not isinstance(folds, list):
        return (_episodes(path, description, 'held_out'),)
    return tuple(_ids(f'{path}: training.folds[{place}]',
                      fold.get('episodes') if isinstance(fold, dict) else fold)
                 for place, fold in enumerate(folds))


def _episodes(path: Path, description: EnsembleDescription, name: str) -> frozenset[str]:
    training: Mapping[str, Any] = description.training
    return _ids(f'{path}: training.{name}', training.get(name))


def _ids(where: str, listed: object) -> frozenset[str]:
    if not isinstance(listed, list) or not all(isinstance(e, str) for e in listed):
        raise UncertaintyError(where, found=listed,
                               expected='the ids of episodes, as `train` writes them')
    return frozenset(listed)
