# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Ensembles on disk: <data>/ensembles/<id>/ with description.json and safetensors."""
from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from typing import Protocol

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor

from active_collection.config import Model
from active_collection.config import validate
from active_collection.errors import UncertaintyError
from active_collection.files import read_json
from active_collection.files import whole_directory
from active_collection.names import check_name
from active_collection.names import is_safe_name
from active_collection.registry import Registry
from active_collection.uncertainty.ensemble import FORMAT
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble import Members
from active_collection.uncertainty.novelty import KnnNovelty
from active_collection.uncertainty.tensor_files import read_tensors

DESCRIPTION = 'description.json'
NOVELTY = 'novelty.safetensors'


class Source(Protocol):
    """Reads the members of one kind of ensemble; chosen by `source` in its description."""

    def load(self, directory: Path, description: EnsembleDescription) -> Members:
        """
        Read the members.

        :raises UncertaintyError: where a file, a tensor or a prediction is not as described
        """


SOURCES: Registry[Source] = Registry('ensemble source', 'active_collection.ensemble_sources', {
    'mlp': 'active_collection.uncertainty.mlp:MlpSource',
    'programs': 'active_collection.uncertainty.programs:ProgramSource',
})


class KnnDescription(Model):
    """The `novelty` of a description."""

    kind: str = Field(pattern='^knn$')
    neighbours: int = Field(ge=1)
    scale: float = Field(gt=0)


@dataclass(frozen=True)
class Ensemble:
    """
    An ensemble as it was read.

    :param novelty: reference for `novelty_of`; None where it carries none
    """

    description: EnsembleDescription
    members: Members
    novelty: KnnNovelty | None

    def novelty_of(self, observations: Tensor) -> float:
        """
        Return the novelty of one observation; NaN without a reference.

        :param observations: shape (1, D), float32
        """
        if self.novelty is None:
            return math.nan
        return float(self.novelty.of(self.members.embed(observations))[0])


def new_id(now: datetime) -> str:
    """Return an id for an ensemble made at a time (UTC); ids sort by time."""
    return f'{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}'


def save(directory: Path, description: EnsembleDescription, tensors: Mapping[str, Tensor], *,
         weights: str, novelty: KnnNovelty | None = None) -> Path:
    """
    Write an ensemble; a reader sees all of it or nothing.

    :param directory: the directory of ensembles
    :param tensors: the members' parameters by name
    :param weights: name of the file that takes them
    :returns: the ensemble's own directory
    :raises UncertaintyError: where it cannot be written
    """
    path = directory / check_name(description.ensemble_id, 'ensemble_id')
    try:
        with whole_directory(path) as partial:
            (partial / DESCRIPTION).write_text(description.model_dump_json(indent=1) + '\n')
            save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()},
                      partial / weights)
            if novelty is not None:
                save_file({'reference': novelty.reference.cpu()}, partial / NOVELTY)
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
    novelty = None
    if description.novelty:
        knn = validate(description.novelty, KnnDescription, where=f'{path / DESCRIPTION}: novelty')
        tensors = read_tensors(path / NOVELTY, {'reference': (None, None)})
        novelty = KnnNovelty(tensors['reference'], knn.scale, knn.neighbours)
    return Ensemble(description, members, novelty)


def _try_out(path: Path, description: EnsembleDescription, members: Members) -> None:
    """Refuse members that do not predict what they are described to, before they are needed."""
    prediction = members.predict(torch.zeros(1, description.inputs))
    expected = (description.members, 1, description.actions)
    for name, found in (('mean', prediction.mean), ('variance', prediction.variance)):
        if found is None:
            continue
        if tuple(found.shape) != expected:
            raise UncertaintyError(f'{path}: predicted {name}',
                                   found=f'shape {tuple(found.shape)}', expected=expected)
        if not bool(torch.isfinite(found).all()):
            raise UncertaintyError(f'{path}: predicted {name}', found='NaN or infinite values',
                                   expected='finite numbers for an observation of zeros')


def read_description(path: Path) -> EnsembleDescription:
    """
    Read what an ensemble says of itself.

    :raises ActiveCollectionError: where description.json is missing or not valid
    """
    file = path / DESCRIPTION
    try:
        data: Any = read_json(file)
    except (OSError, ValueError) as error:
        raise UncertaintyError(file, found=str(error),
                               expected='the description of an ensemble') from error
    if not isinstance(data, dict):
        raise UncertaintyError(file, found=type(data).__name__, expected='a JSON object')
    if data.get('format') != FORMAT:
        raise UncertaintyError(f'{file}: format', found=data.get('format'), expected=FORMAT)
    description = validate(data, EnsembleDescription, where=str(file))
    names = [item.name for item in description.observation.observation]
    if list(description.sizes) != names:
        raise UncertaintyError(f'{file}: sizes', found=', '.join(description.sizes),
                               expected=', '.join(names))
    return description


def newest(path: Path) -> Path | None:
    """
    Return the newest ensemble in a directory, the directory itself if it is one, or None.

    :param path: a directory of ensembles or an ensemble; may be missing
    """
    if (path / DESCRIPTION).is_file():
        return path
    try:
        found = [p for p in path.iterdir()
                 if is_safe_name(p.name) and not p.name.startswith('.')
                 and (p / DESCRIPTION).is_file()]
    except OSError:
        return None
    return max(found, key=lambda p: p.name, default=None)


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
