# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What an ensemble says of one observation."""
from __future__ import annotations

from dataclasses import dataclass

from active_collection.bags.fields import Vector
from active_collection.episode import UncertaintySummary


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    What the ensemble says of one observation; see UncertaintyEstimate.msg.

    :param stamp_ns: stamp of the observation (ns)
    :param measure: what `epistemic` was computed with
    :param epistemic: disagreement of the members
    :param aleatoric: normalised variance that they agree on, 0 to 1; NaN without heads
    :param total: normalised variance of the members' mixture
    :param novelty: distance to the training data; NaN without a reference
    :param novelty_p_value: conformal p-value of `novelty`, by episodes; NaN where none is known
    :param novelty_p_value_smallest: what it is never below; NaN likewise
    :param epistemic_per_dimension: normalised variance over members, mean over the chunk, shape
        (A,), 0 to 1
    :param epistemic_per_step: likewise of each step of the chunk, shape (H,)
    :param member_disagreement: share of each member in the variance over members, shape (M,)
    :param action_chunk: the ensemble's mean actions within the action's range, shape (H, A), in
        action units
    :param threshold: on the value that raises the flag; NaN until calibrated
    :param value: that value: epistemic or novelty
    :param high: it is above the threshold, with hysteresis
    :param episode: summary of the open episode up to and with this step; without steps where none
        is open
    """

    stamp_ns: int
    ensemble_id: str
    measure: str
    epistemic: float
    aleatoric: float
    total: float
    novelty: float
    novelty_p_value: float
    novelty_p_value_smallest: float
    epistemic_per_dimension: Vector
    epistemic_per_step: Vector
    member_disagreement: Vector
    action_chunk: Vector
    threshold: float
    value: float
    high: bool
    episode: UncertaintySummary

    @property
    def action_mean(self) -> Vector:
        """Return the next action, shape (A,): the first of the chunk."""
        first: Vector = self.action_chunk[0]
        return first
