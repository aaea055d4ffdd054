# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Ensembles on disk: <data>/ensembles/<id>/ with description.json and safetensors."""
from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor

from active_collection.bags.alignment import ObservationAligner
from active_collection.bags.encoders import ImageEncoder
from active_collection.bags.encoders import load_encoders
from active_collection.errors import UncertaintyError
from active_collection.files import whole_directory
from active_collection.names import check_name
from active_collection.registry import Registry
from active_collection.uncertainty.assessment import Assessor
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble import Members
from active_collection.uncertainty.ensemble_directory import DESCRIPTION
from active_collection.uncertainty.ensemble_directory import newest
from active_collection.uncertainty.ensemble_directory import read_description
from active_collection.uncertainty.novelty import NOVELTIES
from active_collection.uncertainty.novelty import CalibratedNovelty
from active_collection.uncertainty.tensor_files import read_any_tensors

NOVELTY = 'novelty.safetensors'
CALIBRATION = 'calibration'
CALIBRATION_EPISODE = 'calibration_episode'

#: TorchScript optimises a program while it runs the first few times.
WARM_UP = 4


class Source(Protocol):
    """Reads the members of one kind of ensemble; chosen by `source` in its description."""

    def load(self, directory: Path, description: EnsembleDescription) -> Members:
        """
        Read the members.

        :raises UncertaintyError: where a file, a tensor or a prediction is not as described
        """


SOURCES: Registry[Source] = Registry('ensemble source', 'active_collection.ensemble_sources', {
    'mlp': 'active_collection.uncertainty.mlp:MlpSource',
    'mc_dropout': 'active_collection.uncertainty.dropout:DropoutSource',
    'laplace': 'active_collection.uncertainty.laplace:LaplaceSource',
    'programs': 'active_collection.uncertainty.programs:ProgramSource',
})


@dataclass(frozen=True)
class Ensemble:
    """
    An ensemble as it was read.

    :param novelty: distance from the training data; None where it carries none
    :param encoders: item name to its image encoder, for the items of its specification that are
        images
    """

    description: EnsembleDescription
    members: Members
    novelty: CalibratedNovelty | None
    encoders: Mapping[str, ImageEncoder]

    def novelty_of(self, observations: Tensor) -> tuple[float, float]:
        """
        Return the novelty of one observation and its conformal p-value; NaN without a reference.

        :param observations: shape (1, D), float32
        """
        if self.novelty is None:
            return math.nan, math.nan
        novelty, p_value = self.novelty.with_p_value(self.members.embed(observations))
        return novelty.item(), p_value.item()

    @property
    def smallest_p_value(self) -> float:
        """Return what no p-value is below: 1 / (calibration episodes + 1); NaN where none is."""
        return math.nan if self.novelty is None else self.novelty.smallest_p_value

    def aligner(self) -> ObservationAligner:
        """Return what makes its observations of messages, with nothing received so far."""
        return ObservationAligner(self.description.observation, sizes=self.description.sizes,
                                  encoders=self.encoders)

    def warm_up(self) -> None:
        """Predict a few times, so that what is only slow at first is not slow on a robot."""
        for _ in range(WARM_UP):
            self.members.predict(torch.zeros(1, self.description.inputs))
            self.novelty_of(torch.zeros(1, self.description.inputs))


def save(directory: Path, description: EnsembleDescription, tensors: Mapping[str, Tensor], *,
         weights: str, novelty: CalibratedNovelty | None = None,
         more: Mapping[str, Mapping[str, Tensor]] | None = None,
         files: Sequence[Path] = ()) -> Path:
    """
    Write an ensemble; a reader sees all of it or nothing.

    :param directory: the directory of ensembles
    :param tensors: the members' parameters by name
    :param weights: name of the file that takes them
    :param more: further files of tensors, by name
    :param files: copied into it under their own names: image encoders
    :returns: the ensemble's own directory
    :raises UncertaintyError: where it cannot be written
    """
    path = directory / check_name(description.ensemble_id, 'ensemble_id')
    contents = {weights: tensors, **(more or {})}
    if novelty is not None:
        contents[NOVELTY] = {
            **novelty.distance.tensors(), CALIBRATION: novelty.calibration,
            **({} if novelty.calibration_episode is None else
               {CALIBRATION_EPISODE: novelty.calibration_episode.float()})}
    try:
        with whole_directory(path) as partial:
            (partial / DESCRIPTION).write_text(description.model_dump_json(indent=1) + '\n')
            for name, named in contents.items():
                save_file({k: v.detach().cpu().contiguous() for k, v in named.items()},
                          partial / name)
            for file in files:
                shutil.copyfile(file, partial / file.name)
    except OSError as error:
        raise UncertaintyError(path, found=str(error),
                               expected='a directory that can be written') from error
    return path


def load(path: Path) -> Ensemble:
    """
    Read an ensemble.

    :param path: its own directory
    :raises ActiveCollectionError: naming file and tensor or key, with what was found and expected
    """
    description = read_description(path)
    members = SOURCES.get(description.source)().load(path, description)
    _try_out(path, description, members)
    novelty = _read_novelty(path, description) if description.novelty else None
    encoders = load_encoders(description.observation, path)
    ensemble = Ensemble(description, members, novelty, encoders)
    try:
        ensemble.novelty_of(torch.zeros(1, description.inputs))
    except RuntimeError as error:  # torch's own, of shapes that do not fit
        raise UncertaintyError(path / NOVELTY, found=error,
                               expected='a reference in the space of the embeddings') from error
    return ensemble


def _read_novelty(path: Path, description: EnsembleDescription) -> CalibratedNovelty:
    where = f'{path / DESCRIPTION}: novelty'
    options = dict(description.novelty)
    kind = options.pop('kind', '')
    tensors = read_any_tensors(path / NOVELTY)
    calibration = tensors.pop(CALIBRATION, None)
    if calibration is None or calibration.dim() != 1 or not len(calibration):
        raise UncertaintyError(f'{path / NOVELTY}: {CALIBRATION}', found='no such tensor'
                               if calibration is None else f'shape {tuple(calibration.shape)}',
                               expected='distances of held-out observations, shape (n)')
    episodes = tensors.pop(CALIBRATION_EPISODE, None)
    if episodes is not None and episodes.shape != calibration.shape:
        raise UncertaintyError(
            f'{path / NOVELTY}: {CALIBRATION_EPISODE}', found=f'shape {tuple(episodes.shape)}',
            expected=f'{tuple(calibration.shape)}, as {CALIBRATION} has')
    distance = NOVELTIES.get(str(kind)).load(tensors, options, where=where)
    return CalibratedNovelty(distance, calibration, episodes)


def _try_out(path: Path, description: EnsembleDescription, members: Members) -> None:
    """Refuse members that do not predict what they are described to, before they are needed."""
    prediction = members.predict(torch.zeros(1, description.inputs))
    expected = (description.members, 1, description.horizon, description.actions)
    for name, found, shape in (
            ('mean', prediction.mean, expected), ('variance', prediction.variance, expected),
            ('epistemic variance', prediction.epistemic, expected[1:])):
        if found is None:
            continue
        if tuple(found.shape) != shape:
            raise UncertaintyError(f'{path}: predicted {name}',
                                   found=f'shape {tuple(found.shape)}', expected=shape)
        if not bool(torch.isfinite(found).all()):
            raise UncertaintyError(f'{path}: predicted {name}', found='NaN or infinite values',
                                   expected='finite numbers for an observation of zeros')
    action = description.observation.action
    assessor = Assessor(description.measure, torch.tensor(action.low), torch.tensor(action.high))
    try:
        assessor.assess(prediction)
    except UncertaintyError as error:
        raise UncertaintyError(f'{path / DESCRIPTION}: {error.where}', found=error.found,
                               expected=error.expected) from error


def load_newest(path: Path) -> Ensemble:
    """
    Read the newest ensemble of a directory, or the directory itself if it is one.

    :raises ActiveCollectionError: where there is none, or it cannot be used
    """
    found = newest(path)
    if found is None:
        raise UncertaintyError(path, found='no ensemble',
                               expected=f'a directory with {DESCRIPTION}, or several such')
    return load(found)
