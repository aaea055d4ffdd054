# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
What the members say of episodes that they have not learnt, to calibrate by.

A member's fit to what it has learnt says nothing of new episodes, so the value of an episode may
come only from members that held it out. One such member cannot disagree. Its distance from the
others, which were shown the right action, is its error; and that is larger than disagreement by
what all members get wrong alike, so a threshold made of it is too high. So every fold is held out
by two (`folds.HOLDERS`). Members are made alike and differ by chance alone: those two are to their
fold what all M are to a new episode, a random sample, whose variance about its mean is expected to
be (1 - 1/2) s^2 instead of (1 - 1/M) s^2, where s^2 is the variance over all members that there
might be. `full_size` puts that right. It cannot put right that two members' variance scatters more
about what is expected than that of M. Over the dimensions of an action, and beside how much steps
differ from each other, that is little; benchmarks/README says what share is flagged in the end.
"""
from __future__ import annotations

import math

import torch
from torch import Tensor

from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.ensemble import Measure
from active_collection.uncertainty.ensemble import Members
from active_collection.uncertainty.ensemble import Prediction
from active_collection.uncertainty.folds import Folds


def predict_out_of_fold(members: Members, dataset: Dataset,
                        folds: Folds) -> tuple[Prediction, Tensor]:
    """
    Return what those members predict of every fold that did not learn it.

    :returns: their predictions, of as many members as hold out a fold, all where all hold out the
        same; and the rows of the dataset, shape (B,)
    """
    rows = [dataset.rows(fold) for fold in folds.episodes]
    if len(rows) == 1:
        return members.predict(dataset.observations[rows[0]]), rows[0]
    found = [(members.predict(dataset.observations[own]), list(holders))
             for own, holders in zip(rows, folds.holders, strict=True)]
    return Prediction(
        torch.cat([prediction.mean[holders] for prediction, holders in found], dim=1),
        torch.cat([prediction.variance[holders] for prediction, holders in found
                   if prediction.variance is not None], dim=1)), torch.cat(rows)


def full_size(epistemic: Tensor, *, found: int, members: int, measure: Measure) -> Tensor:
    """
    Return what M members would disagree by where a few of them disagree so.

    The population variance over n members grows with 1 - 1/n. So does the mutual information where
    they hardly disagree, which is then divided by its largest value, log n.

    :param epistemic: of `found` members, dimensionless, 0 to 1
    :param members: M
    """
    if found == members:
        return epistemic

    def expected(count: int) -> float:
        share = 1 - 1 / count
        return share if measure == 'variance' else share / math.log(count)

    return (epistemic * (expected(members) / expected(found))).clamp(max=1.0)
