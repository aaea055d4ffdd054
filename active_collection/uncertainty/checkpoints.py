# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The state of a training on disk, so that one that was killed goes on where it was."""
from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from safetensors.torch import save
from torch import Tensor

from active_collection.files import make_directory
from active_collection.files import write_whole
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.settings import TrainingSettings

#: Settings that change how long a training takes and not what it makes.
_WITHOUT_EFFECT = {'checkpoint_s'}

#: Raised where the same data and settings come to make another ensemble.
_METHOD = 2


class Checkpoints:
    """
    The newest state of one training, in a file that only the same training reads.

    :param directory: that takes the file; None: nothing is kept
    :param name: names the training by all that it depends on, as `training_key` does
    :param period_s: time between two writes (s)
    :param clock: steady time (s)
    """

    def __init__(self, directory: Path | None, name: str = '', *, period_s: float = 0.0,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._path = None if directory is None else directory / f'{name}.safetensors'
        self._period_s = period_s
        self._clock = clock
        self._last = clock()

    def read(self) -> dict[str, Tensor] | None:
        """Return the state to go on from; None if there is none that can be used."""
        if self._path is None:
            return None
        try:
            state: dict[str, Tensor] = load(self._path.read_bytes())
        except (OSError, SafetensorError, ValueError):
            return None
        return state

    def write(self, state: Callable[[], dict[str, Tensor]]) -> None:
        """
        Replace the state if it is time to.

        :param state: gives it, in memory of its own
        :raises OSError: where it cannot be written
        """
        if self._path is None or self._clock() - self._last < self._period_s:
            return
        make_directory(self._path.parent)
        write_whole(self._path, save(state()))
        self._last = self._clock()

    def clear(self) -> None:
        """Remove the state: the training has ended."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            with suppress(OSError):  # another training's state is in it
                self._path.parent.rmdir()


def training_key(dataset: Dataset, settings: TrainingSettings, *,
                 more: Iterable[str] = ()) -> str:
    """
    Return a hash of all that a training's result depends on.

    :param more: what else it depends on: the id of the ensemble that it begins from
    """
    text = settings.model_dump_json(exclude=_WITHOUT_EFFECT)
    digest = hashlib.sha256(f'{_METHOD} {text} {torch.__version__} {list(more)}'.encode())
    for episode in dataset.episodes:
        digest.update(f'{episode.episode_id} {episode.task}\n'.encode())
    for tensor in (dataset.observations, dataset.actions, dataset.stretch_of,
                   dataset.standardised, dataset.action_low, dataset.action_high,
                   *([] if dataset.weights is None else [dataset.weights])):
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]
