# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Tensors from safetensors files, checked before use. Pickles are never opened."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from active_collection.errors import UncertaintyError

#: Suffixes of files that are pickles, which run code when they are opened.
PICKLES = {'.pt', '.pth', '.pkl', '.pickle', '.ckpt', '.bin', '.joblib'}


def read_tensors(path: Path, shapes: Mapping[str, tuple[int | None, ...]]) -> dict[str, Tensor]:
    """
    Read the tensors of a file.

    :param shapes: the tensors it must hold and their shapes; None for a size that is free
    :returns: the tensors by name, float32
    :raises UncertaintyError: naming file and tensor, where one is missing, unknown, of a wrong
        shape, not of floating dtype or not finite
    """
    tensors = _load(path)
    for name in tensors:
        if name not in shapes:
            raise UncertaintyError(f'{path}: {name}', found='an unknown tensor',
                                   expected=f'only {", ".join(shapes)}')
    for name, shape in shapes.items():
        _check(f'{path}: {name}', tensors.get(name), shape)
    return {name: tensor.float() for name, tensor in tensors.items()}


def read_any_tensors(path: Path) -> dict[str, Tensor]:
    """
    Read all tensors of a file, whatever they are.

    :returns: the tensors by name, float32
    :raises UncertaintyError: naming file and tensor, where it cannot be read, or one is not of
        floating dtype or not finite
    """
    tensors = _load(path)
    for name, tensor in tensors.items():
        _check(f'{path}: {name}', tensor, tuple(tensor.shape))
    return {name: tensor.float() for name, tensor in tensors.items()}


def _load(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UncertaintyError(path, found=_instead(path.parent), expected='a safetensors file')
    try:
        # Not load_file, which maps the file: what is copied over it would change the ensemble
        # that a node scores with, and a file that is cut short would end the node.
        tensors: dict[str, Tensor] = load(path.read_bytes())
    except (SafetensorError, OSError, ValueError) as error:
        raise UncertaintyError(path, found=str(error),
                               expected='a whole safetensors file') from error
    return tensors


def _check(where: str, tensor: Tensor | None, shape: tuple[int | None, ...]) -> None:
    wanted = f'shape ({", ".join("n" if size is None else str(size) for size in shape)})'
    if tensor is None:
        raise UncertaintyError(where, found='no such tensor', expected=wanted)
    if tensor.dim() != len(shape) or any(
            size not in {None, given} for given, size in zip(tensor.shape, shape, strict=True)):
        raise UncertaintyError(where, found=f'shape {tuple(tensor.shape)}', expected=wanted)
    if not tensor.is_floating_point():
        raise UncertaintyError(where, found=f'dtype {tensor.dtype}', expected='a floating dtype')
    if not bool(torch.isfinite(tensor).all()):
        raise UncertaintyError(where, found='NaN or infinite values', expected='finite numbers')


def _instead(directory: Path) -> str:
    """Say what stands in a directory in place of a safetensors file."""
    if not directory.is_dir():
        return 'no such directory'
    pickles = sorted(p.name for p in directory.iterdir() if p.suffix in PICKLES)
    if pickles:
        return f'only {pickles[0]}, a pickle, which runs code when it is opened'
    return 'no such file'
