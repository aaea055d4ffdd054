# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How unusual a step is among whole episodes that are known to be usual."""
from __future__ import annotations

import torch
from torch import Tensor


class EpisodeScores:
    """
    The strangest step of each episode of a calibration set, among which other steps are ranked.

    Steps of one episode depend on each other, so that a few episodes are a few observations,
    however many steps they have. Episodes are exchangeable: those of a collection come in any
    order.

    :param scores: of steps that the training set does not hold but that are as usual as it, shape
        (N,); higher is stranger
    :param episode_of: episode of each, shape (N,), whole numbers
    """

    def __init__(self, scores: Tensor, episode_of: Tensor) -> None:
        _, places = torch.unique(episode_of, return_inverse=True)
        count = int(places.max()) + 1 if len(places) else 0
        strangest = scores.new_full((count,), -torch.inf)
        self._ordered = strangest.scatter_reduce(0, places, scores, 'amax').sort().values

    @property
    def smallest(self) -> float:
        """Return the smallest p-value that there can be, 1 / (E + 1) with E episodes."""
        return 1 / (len(self._ordered) + 1)

    def p_value(self, scores: Tensor) -> Tensor:
        """
        Return the conformal p-value, (1 + number of episodes with a step >= score) / (E + 1).

        For an episode that is exchangeable with the calibration episodes, that any of its steps
        has p <= alpha has probability alpha at most, whatever the score means (Vovk, Gammerman
        and Shafer 2005, "Algorithmic learning in a random world", with the episode's largest score
        as its nonconformity). Where alpha is below `smallest`, it cannot be told. CRSAIL asks for
        a demonstration where p is small.

        :param scores: shape (B,)
        :returns: shape (B,), float64, `smallest` to 1
        """
        count = len(self._ordered)
        below = torch.searchsorted(self._ordered, scores.contiguous(), right=False)
        return (1 + count - below).double() / (count + 1)
