# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Members as exported programs: policies of any architecture, as torch.export or TorchScript."""
from __future__ import annotations

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

from active_collection.bags.torchscript import load_network
from active_collection.config import Model
from active_collection.config import validate
from active_collection.errors import UncertaintyError
from active_collection.names import is_safe_name
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble import Prediction
from active_collection.uncertainty.exported_programs import read_exported

Program = Callable[[Any], Any]


class ProgramNetwork(Model):
    """
    The `network` of a description whose source is 'programs'.

    `files`: the programs, '.pt2' (torch.export) or '.ts' (TorchScript), each one member, or one
    file with a head for each member. `inputs`: 'vector': one tensor (B, D); 'dictionary': item
    name to tensor (B, size). `outputs`: what a program returns, in action units, where a chunk of
    one step may lack its H: 'mean': (B, H, A); 'mean_variance' or 'mean_log_variance': a pair of
    such; 'samples': (S, B, H, A), S at least 2; 'logits': (B, H, A, K) of K classes, whose values
    are the middles of K equal parts of the action's range. With heads, the members come first:
    (heads, B, H, A). `embedding`: a program of (B, D) to (B, E), the space in which novelty is a
    distance; none: the observation as it is.
    """

    files: tuple[str, ...] = Field(min_length=1)
    inputs: Literal['vector', 'dictionary'] = 'vector'
    outputs: Literal['mean', 'mean_variance', 'mean_log_variance', 'samples', 'logits'] = 'mean'
    heads: bool = False
    embedding: str = ''

    @field_validator('embedding')
    @classmethod
    def _embedding_is_a_program(cls, name: str) -> str:
        return cls._files_are_programs((name,))[0] if name else name

    @field_validator('files')
    @classmethod
    def _files_are_programs(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        for name in files:
            if not is_safe_name(name) or Path(name).suffix not in {'.pt2', '.ts'}:
                raise ValueError(f'names of .pt2 or .ts files beside it; {name!r} is not')
        return files


class ProgramMembers:
    """
    Members that are called one after another.

    :param embedding: the program of `ProgramNetwork.embedding`, or None
    """

    def __init__(self, programs: Sequence[Program], embedding: Program | None,
                 network: ProgramNetwork, description: EnsembleDescription) -> None:
        self._programs = programs
        self._embedding = embedding
        self._network = network
        self._names = list(description.sizes)
        self._sizes = list(description.sizes.values())
        self._members = description.members
        self._chunk = (description.horizon, description.actions)
        action = description.observation.action
        self._low, self._high = torch.tensor(action.low), torch.tensor(action.high)

    @torch.inference_mode()
    def embed(self, observations: Tensor) -> Tensor:
        """
        Return observations as they are, shape (B, D), or what the embedding makes of them.

        :raises UncertaintyError: where the embedding fails or returns another thing
        """
        if self._embedding is None:
            return observations
        embedded = _called(self._embedding, observations, self._network.embedding)[0]
        if embedded.dim() != 2 or len(embedded) != len(observations):
            raise UncertaintyError(self._network.embedding, found=f'shape {tuple(embedded.shape)}',
                                   expected=f'({len(observations)}, n)')
        return embedded

    @torch.inference_mode()
    def predict(self, observations: Tensor) -> Prediction:
        """
        Return every member's prediction; see `Members.predict`.

        :raises UncertaintyError: where a program fails, or returns another thing than described
        """
        inputs: Tensor | dict[str, Tensor] = observations
        if self._network.inputs == 'dictionary':
            parts = torch.split(observations, self._sizes, dim=1)
            inputs = dict(zip(self._names, parts, strict=True))
        wanted = 2 if self._network.outputs.startswith('mean_') else 1
        results = [_called(program, inputs, name, wanted)
                   for program, name in zip(self._programs, self._network.files, strict=True)]
        join = torch.cat if self._network.heads else torch.stack
        try:
            joined = [join([result[place] for result in results]) for place in range(wanted)]
        except RuntimeError as error:  # torch's own, of shapes that differ
            raise UncertaintyError(self._network.files[0], found=error,
                                   expected='the same shape of all members') from error
        return self._read(joined, len(observations))

    def _read(self, joined: Sequence[Tensor], batch: int) -> Prediction:
        outputs = self._network.outputs
        if outputs == 'samples':
            samples = self._shaped(joined[0], batch, before=2)
            return Prediction(samples.mean(1), samples.var(1), samples=samples)
        if outputs == 'logits':
            probabilities = self._shaped(joined[0], batch, behind=1).softmax(-1)
            return self._categorical(probabilities)
        mean = self._shaped(joined[0], batch)
        if len(joined) == 1:
            return Prediction(mean)
        variance = self._shaped(joined[1], batch)
        return Prediction(mean, variance.exp() if outputs == 'mean_log_variance' else variance)

    def _categorical(self, probabilities: Tensor) -> Prediction:
        classes = probabilities.shape[-1]
        places = (torch.arange(classes) + 0.5) / classes
        values = self._low[:, None] + (self._high - self._low)[:, None] * places
        mean = (probabilities * values).sum(-1)
        variance = (probabilities * (values - mean[..., None]) ** 2).sum(-1)
        return Prediction(mean, variance, probabilities=probabilities)

    def _shaped(self, tensor: Tensor, batch: int, *, before: int = 1, behind: int = 0) -> Tensor:
        """Check (M, B, H, A), or with S behind M, or K behind A; put in a missing H."""
        if tensor.dim() == before + behind + 2 and self._chunk[0] == 1:
            tensor = tensor.unsqueeze(before + 1)
        expected = (self._members, batch, *self._chunk)
        end = before + 3
        if (tensor.dim() != end + behind
                or (tensor.shape[0], *tensor.shape[before:end]) != expected):
            raise UncertaintyError(
                self._network.files[0], found=f'shape {tuple(tensor.shape)} of all members',
                expected=f'{expected}: members, observations, steps, actions, and '
                f'{self._network.outputs}')
        return tensor


def _called(program: Program, inputs: Tensor | dict[str, Tensor], name: str,
            wanted: int = 1) -> list[Tensor]:
    try:
        result = program(inputs)
    except Exception as error:  # a program raises whatever it likes
        raise UncertaintyError(name, found=f'{type(error).__name__}: {error}',
                               expected='a program that takes the observation') from error
    outputs = [result] if isinstance(result, Tensor) else list(result)
    if len(outputs) != wanted or not all(isinstance(out, Tensor) for out in outputs):
        raise UncertaintyError(name, found=f'{len(outputs)} outputs', expected=f'{wanted}')
    return outputs


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
        embedding = _read(directory / network.embedding) if network.embedding else None
        return ProgramMembers(programs, embedding, network, description)


def _read(path: Path) -> Program:
    if path.suffix == '.ts':
        return cast('Program', load_network(path, where='program'))
    return read_exported(path)
