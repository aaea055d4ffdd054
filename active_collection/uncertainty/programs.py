# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Members as exported programs: policies of any architecture, as torch.export or TorchScript."""
from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import Literal
from typing import cast

import torch
from pydantic import Field
from pydantic import field_validator
from torch import Tensor

from active_collection.config import Model
from active_collection.config import validate
from active_collection.errors import UncertaintyError
from active_collection.names import is_safe_name
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble import Prediction

Program = Callable[[Any], Any]

#: Environment variable that makes torch refuse pickles of anything but tensors.
WEIGHTS_ONLY = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'


class ProgramNetwork(Model):
    """
    The `network` of a description whose source is 'programs'.

    `files`: the programs, '.pt2' (torch.export) or '.ts' (TorchScript), each one member, or one
    file with a head for each member. `inputs`: 'vector': one tensor (B, D); 'dictionary': item
    name to tensor (B, size). `outputs`: what a program returns: 'mean': a tensor (B, A);
    'mean_variance' or 'mean_log_variance': a pair of such. With heads, (heads, B, A) each. All in
    action units.
    """

    files: tuple[str, ...] = Field(min_length=1)
    inputs: Literal['vector', 'dictionary'] = 'vector'
    outputs: Literal['mean', 'mean_variance', 'mean_log_variance'] = 'mean'
    heads: bool = False

    @field_validator('files')
    @classmethod
    def _files_are_programs(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        for name in files:
            if not is_safe_name(name) or Path(name).suffix not in {'.pt2', '.ts'}:
                raise ValueError(f'names of .pt2 or .ts files beside it; {name!r} is not')
        return files


class ProgramMembers:
    """Members that are called one after another; novelty is a distance of raw observations."""

    def __init__(self, programs: Sequence[Program], network: ProgramNetwork,
                 description: EnsembleDescription) -> None:
        self._programs = programs
        self._network = network
        self._names = list(description.sizes)
        self._sizes = list(description.sizes.values())
        self._actions = description.actions
        self._members = description.members

    def embed(self, observations: Tensor) -> Tensor:
        """Return observations as they are, shape (B, D)."""
        return observations

    @torch.inference_mode()
    def predict(self, observations: Tensor) -> Prediction:
        """
        Return every member's prediction; see `Members.predict`.

        :raises UncertaintyError: where a program fails, or returns another thing than described
        """
        results = [self._call(place, observations) for place in range(len(self._programs))]
        join = torch.cat if self._network.heads else torch.stack
        mean = join([mean for mean, _ in results])
        variances = [variance for _, variance in results if variance is not None]
        variance = join(variances) if variances else None
        expected = (self._members, len(observations), self._actions)
        for name, found in (('mean', mean), ('variance', variance)):
            if found is not None and tuple(found.shape) != expected:
                raise UncertaintyError(f'{self._network.files[0]}: {name}',
                                       found=f'shape {tuple(found.shape)} of all members',
                                       expected=f'{expected}: members, observations, actions')
        return Prediction(mean, variance)

    def _call(self, place: int, observations: Tensor) -> tuple[Tensor, Tensor | None]:
        inputs: Tensor | dict[str, Tensor] = observations
        if self._network.inputs == 'dictionary':
            parts = torch.tensor_split(
                observations, torch.tensor(self._sizes).cumsum(0)[:-1].tolist(), dim=1)
            inputs = dict(zip(self._names, parts, strict=True))
        name = self._network.files[place]
        try:
            result = self._programs[place](inputs)
        except Exception as error:  # a program raises whatever it likes
            raise UncertaintyError(name, found=f'{type(error).__name__}: {error}',
                                   expected='a program that takes the observation') from error
        outputs = [result] if isinstance(result, Tensor) else list(result)
        wanted = 1 if self._network.outputs == 'mean' else 2
        if len(outputs) != wanted or not all(isinstance(out, Tensor) for out in outputs):
            raise UncertaintyError(name, found=f'{len(outputs)} outputs',
                                   expected=f'{wanted}: {self._network.outputs}')
        if wanted == 1:
            return outputs[0], None
        is_log = self._network.outputs == 'mean_log_variance'
        return outputs[0], outputs[1].exp() if is_log else outputs[1]


class ProgramSource:
    """Ensembles of exported programs beside their description."""

    def load(self, directory: Path, description: EnsembleDescription) -> ProgramMembers:
        """
        Read the programs, without running Python or machine code that they may hold.

        :raises UncertaintyError: naming the file that is missing or no program
        """
        network = validate(description.network, ProgramNetwork, where=f'{directory}: network')
        if not network.heads and len(network.files) != description.members:
            raise UncertaintyError(f'{directory}: files', found=f'{len(network.files)} programs',
                                   expected=f'{description.members}, one a member')
        programs = [_read(directory / name) for name in network.files]
        return ProgramMembers(programs, network, description)


def _read(path: Path) -> Program:
    if not path.is_file():
        raise UncertaintyError(path, found='no such file', expected='an exported program')
    try:
        if path.suffix == '.pt2':
            return _read_exported(path)
        with warnings.catch_warnings():  # deprecated, and what many policies are saved as
            warnings.simplefilter('ignore', DeprecationWarning)
            program: Any = torch.jit.load(str(path), map_location='cpu')  # type: ignore[no-untyped-call]
        return cast('Program', program.eval())
    except Exception as error:  # the readers raise whatever corrupt bytes make them raise
        raise UncertaintyError(path, found=f'{type(error).__name__}: {error}',
                               expected='a program of torch.export (.pt2) or TorchScript (.ts)'
                               ) from error


def _read_exported(path: Path) -> Program:
    """
    Read a torch.export archive.

    torch.export.load opens pickles within it, which run code, and loads compiled libraries: the
    one is forbidden by torch's own switch, an archive with the other refused.
    """
    with zipfile.ZipFile(path) as archive:
        compiled = [n for n in archive.namelist() if '/aotinductor/' in n or n.endswith('.so')]
    if compiled:
        raise ValueError(f'{compiled[0]}, a compiled library, which runs code when it is opened')
    before = os.environ.get(WEIGHTS_ONLY)
    os.environ[WEIGHTS_ONLY] = '1'
    try:
        return torch.export.load(path).module()
    finally:
        if before is None:
            del os.environ[WEIGHTS_ONLY]
        else:
            os.environ[WEIGHTS_ONLY] = before
