# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What every ensemble is to the rest: a description, and predictions of all members at once."""
from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from datetime import timezone
from typing import TYPE_CHECKING
from typing import Annotated
from typing import Literal
from typing import Protocol

from pydantic import Field
from pydantic import JsonValue

from active_collection.bags.observation import ObservationSpec
from active_collection.config import Model

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1

#: What `epistemic` can be computed with; see `assessment`.
Measure = Literal[
    'variance', 'mutual_information', 'energy_distance', 'mmd', 'vote_entropy', 'variation_ratio',
    'consensus_kl']


class EnsembleDescription(Model):
    """
    What stands in an ensemble's description.json, beside its weights.

    `source`: name of the loader that understands `network` (see `ensemble_files`). `horizon`:
    steps of the action chunk that a member predicts; 1: the next action. `measure`: what
    `epistemic` is computed with. `sizes`: item name to number of values, in the specification's
    order. `reference_epistemic`: epistemic uncertainty of the steps of episodes, one after the
    other, by members that did not learn them: where a threshold starts from. Sorted ones, such as
    quantiles at equal steps from 0 to 1, do as well, but tell nothing of how steps follow others.
    `training`: what it was trained on and how well; robots tell `demonstrations` and
    `held_out_loss`, each by task, to the scheduler.
    """

    format: int = FORMAT
    ensemble_id: str = Field(pattern=r'^[A-Za-z0-9_.-]{1,64}$')
    created: str
    source: str = 'mlp'
    members: int = Field(ge=1, le=10_000)
    horizon: int = Field(default=1, ge=1, le=10_000)
    measure: Measure = 'variance'
    observation: ObservationSpec
    sizes: dict[str, Annotated[int, Field(ge=1, le=10**8)]]
    network: dict[str, JsonValue] = {}
    novelty: dict[str, JsonValue] = {}
    reference_epistemic: tuple[float, ...] = ()
    training: dict[str, JsonValue] = {}

    @property
    def created_ns(self) -> int:
        """Return when it was made (ns since 1970, UTC where it names no zone); 0 if not told."""
        try:
            created = datetime.fromisoformat(self.created)
        except ValueError:
            return 0
        if created.tzinfo is None:
            created = created.replace(tzinfo=timezone.utc)
        return max(0, int(created.timestamp())) * 1_000_000_000

    @property
    def demonstrations(self) -> dict[str, int]:
        """Return the demonstrations that it was made of, by task; none where it does not tell."""
        told = self.training.get('demonstrations')
        if not isinstance(told, dict):
            return {}
        return {name: count for name, count in told.items()
                if isinstance(count, int) and count >= 0}

    @property
    def held_out_loss(self) -> dict[str, float]:
        """
        Return the members' squared error on what each has not learnt, by task.

        In squared half-ranges of the action; no task of which all members learnt all, and none
        where it does not tell.
        """
        told = self.training.get('held_out_loss')
        if not isinstance(told, dict):
            return {}
        return {name: float(loss) for name, loss in told.items()
                if isinstance(loss, (int, float)) and 0 <= loss < math.inf}

    @property
    def inputs(self) -> int:
        """Return the number of values of an observation."""
        return sum(self.sizes.values())

    @property
    def actions(self) -> int:
        """Return the number of action dimensions."""
        return self.observation.action.size


@dataclass(frozen=True)
class Prediction:
    """
    What every member says of a batch of observations: action chunks of H steps, 1 without chunks.

    :param mean: each member's mean action, shape (M, B, H, A), in action units
    :param variance: each member's predicted variance, likewise, in squared action units; None
        where the members have no variance heads
    :param epistemic: variance of the mean action in closed form, shape (B, H, A), in squared
        action units, where a posterior gives it; None: the variance over members
    :param samples: each member's S samples, shape (M, S, B, H, A), in action units, where it only
        gives samples (diffusion, flow matching); `mean` and `variance` are theirs
    :param probabilities: of K classes, shape (M, B, H, A, K), where the heads are categorical;
        `mean` and `variance` are those of the classes' values
    """

    mean: Tensor
    variance: Tensor | None = None
    epistemic: Tensor | None = None
    samples: Tensor | None = None
    probabilities: Tensor | None = None


class Members(Protocol):
    """M policies behind one call: our own stack, exported programs, dropout, Laplace."""

    def predict(self, observations: Tensor) -> Prediction:
        """
        Return every member's prediction.

        :param observations: shape (B, D), float32, finite, in the units of the topics
        """

    def embed(self, observations: Tensor) -> Tensor:
        """
        Return where observations lie in the space in which novelty is a distance.

        :param observations: shape (B, D), float32
        :returns: shape (B, E), float32
        """
