# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How unusual a score is among scores of data known to be usual."""
from __future__ import annotations

import torch
from torch import Tensor


class ConformalScores:
    """
    Scores of a calibration set, against which others are ranked.

    :param calibration: novelty of observations that the training set does not hold but that are
        as usual as it, shape (N,); higher is stranger. Observations of one episode are not
        independent: whole episodes of a collection, not steps, make the guarantee below exact
    """

    def __init__(self, calibration: Tensor) -> None:
        self._ordered = calibration.sort().values

    def p_value(self, scores: Tensor) -> Tensor:
        """
        Return the conformal p-value, (1 + number of calibration scores >= score) / (N + 1).

        For a score exchangeable with the calibration scores, p <= alpha has probability alpha at
        most, whatever the score means (Vovk, Gammerman and Shafer 2005, "Algorithmic learning in a
        random world"). CRSAIL asks for a demonstration where it is small.

        :param scores: shape (B,)
        :returns: shape (B,), 1 / (N + 1) to 1
        """
        count = len(self._ordered)
        below = torch.searchsorted(self._ordered, scores.contiguous(), right=False)
        return (1 + count - below) / (count + 1)
