# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything that a report shows, as plain values: the report itself reads no file."""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

import numpy as np
import numpy.typing as npt

from active_collection.bags.actors import Stretch
from active_collection.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Term:
    """
    One term of the score that chose an assignment.

    :param value: raw value, in the term's own unit
    :param weight: factor that it entered the score with
    """

    name: str
    value: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Assignment:
    """
    A scenario that a robot was given, or an episode that was recorded without a lease.

    :param round: collection round, from 0 (before the first ensemble)
    :param issued_ns: ROS time when the lease was granted or the episode began (ns)
    :param ended_ns: ROS time when its episode or the lease ended (ns); 0 while it runs
    :param rule: acquisition rule that chose it; empty for an episode without a lease
    :param score: its score under that rule; NaN where there is none
    :param outcome: success, failure, aborted, discarded, unknown, revoked, released or running
    :param is_demonstration: whether a policy may imitate it: a success that was not its own alone
    """

    assignment_id: str
    scenario: Scenario
    robot: str
    round: int
    issued_ns: int
    ended_ns: int = 0
    collector: str = ''
    rule: str = ''
    score: float = math.nan
    terms: tuple[Term, ...] = ()
    outcome: str = 'unknown'
    episode_id: str = ''
    ensemble_id: str = ''
    is_demonstration: bool = False


@dataclass(frozen=True, slots=True)
class TaskEvaluation:
    """
    A policy's result on one task's held-out configurations.

    :param epistemic: mean normalised epistemic uncertainty there, 0 to 1; NaN where not measured
    """

    successes: int
    episodes: int
    epistemic: float = math.nan


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A policy's results on held-out configurations after a round of training."""

    round: int
    ensemble_id: str
    tasks: Mapping[str, TaskEvaluation]


@dataclass(frozen=True, slots=True)
class FactorRange:
    """Range of a continuous factor of the object configuration, in its unit."""

    low: float
    high: float
    unit: str = ''


@dataclass(frozen=True, slots=True)
class Unit:
    """
    What can be selected: a frame, a segment or a whole trajectory.

    :param stamp_ns: time of its (first) message (ns)
    :param epistemic: normalised epistemic uncertainty, 0 to 1; NaN where not scored
    :param novelty: distance to the data collected so far; NaN where not measured
    """

    unit_id: str
    bag: str
    topic: str
    stamp_ns: int
    task: str = ''
    environment: str = ''
    outcome: str = ''
    episode_id: str = ''
    epistemic: float = math.nan
    novelty: float = math.nan


@dataclass(frozen=True, slots=True)
class Pick:
    """
    A selected unit.

    :param order: position in which it was selected, from 1
    :param score: the strategy's score; NaN where it gives none
    :param reason: the strategy's reason, one line
    :param picture: its frame as JPEG (`pictures.thumbnail`); empty where there is none
    """

    unit: Unit
    order: int
    score: float = math.nan
    reason: str = ''
    picture: bytes = b''


@dataclass(frozen=True, slots=True)
class BagTimeline:
    """
    A bag with what was indexed of it.

    :param start_ns: time of its first indexed instant (ns); picks are placed relative to it
    :param stop_ns: time of its last (ns)
    :param units: number of units indexed
    :param stamps_ns: (K,) times at which `epistemic` is known (ns), ascending; may be empty
    :param epistemic: (K,) normalised epistemic uncertainty, 0 to 1
    :param stretches: who acted when, within these times; empty where not known
    """

    bag: str
    start_ns: int
    stop_ns: int
    units: int
    task: str = ''
    outcome: str = ''
    stamps_ns: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    epistemic: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    stretches: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """
    One round's selection.

    :param round: round of annotation
    :param made_ns: when it was made (ns since 1970); 0 where not known
    :param counts: what became of the pool on the way: 'units', 'near_duplicates', 'selected', ...
    """

    round: int
    strategy: str
    picks: tuple[Pick, ...]
    seed: int | None = None
    made_ns: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pool:
    """
    The pool, or a sample of it that holds every pick.

    :param size: number of units in the whole pool
    :param units: the sampled units
    :param embeddings: (len(units), D) float
    :param extractor: what computed the embeddings
    :param bags: the pool's bags
    """

    size: int
    units: tuple[Unit, ...]
    embeddings: npt.NDArray[np.floating]
    extractor: str = ''
    bags: tuple[BagTimeline, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What a stopping rule says.

    :param numbers: what it decided from, name to value
    """

    rule: str
    stop: bool
    message: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelRound:
    """
    A round of annotation, once its labels are in. NaN: not known.

    :param selected: units chosen in it
    :param labelled: units with a label, of this round and all before
    :param disagreements: units that annotators label differently
    :param correct: labels that a light head gets right, of `tested`
    :param held_out: whether those are of a set kept apart, not left out in turn
    :param entropy: mean entropy of the head's predictions (nats)
    :param kappa: agreement of its predictions with the round's before, -1 to 1
    :param radius: largest distance of a unit to the nearest labelled one
    :param uncertainty: mean known uncertainty of what is not labelled
    """

    round: int
    strategy: str
    selected: int
    labelled: int
    disagreements: int = 0
    correct: int = 0
    tested: int = 0
    held_out: bool = False
    entropy: float = math.nan
    kappa: float = math.nan
    radius: float = math.nan
    uncertainty: float = math.nan

    @property
    def accuracy(self) -> float:
        """Return the share of correct labels; NaN where none could be tested."""
        return self.correct / self.tested if self.tested else math.nan


@dataclass(frozen=True, slots=True)
class ReportData:
    """
    The whole input of a report. What is empty or None is left out of the page.

    :param title: heading of the page
    :param source: where the data came from: a directory
    :param made_ns: time that the page states (ns since 1970)
    :param factors: task to factor name to range, where the scenario space is known
    :param missing: section key to one line why it has no data
    """

    title: str
    source: str
    made_ns: int
    assignments: tuple[Assignment, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    factors: Mapping[str, Mapping[str, FactorRange]] = field(default_factory=dict)
    pool: Pool | None = None
    selection: Selection | None = None
    labels: tuple[LabelRound, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to show."""
        return not (self.assignments or self.evaluations or self.pool or self.selection
                    or self.labels or self.verdicts)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Return every task that occurs, sorted; a task keeps its colour through the page."""
        names = {assignment.scenario.task for assignment in self.assignments}
        names |= {task for evaluation in self.evaluations for task in evaluation.tasks}
        if self.pool is not None:
            names |= {unit.task for unit in self.pool.units}
        if self.selection is not None:
            names |= {pick.unit.task for pick in self.selection.picks}
        return tuple(sorted(names - {''}))
