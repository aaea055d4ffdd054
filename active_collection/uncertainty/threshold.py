# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A threshold that keeps the time flagged to a budget, whatever the scale of the values."""
from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from active_collection.uncertainty.flagging import bounds
from active_collection.uncertainty.flagging import fitted
from active_collection.uncertainty.flagging import rank
from active_collection.uncertainty.ranked_window import RankedWindow
from active_collection.uncertainty.settings import ThresholdSettings

#: Of the last `patience` steps, flagged and above what is usual: a robot with more is lost.
LOST = 0.75

#: How far the level's log-odds move within `patience` steps that are all flagged, or none of which
#: is, in units of 1 / budget or 1 / (1 - budget). What a step teaches comes `patience` steps late,
#: so that more than 1 would swing.
HASTE = 0.75

#: Of a lost robot so few steps are learnt that so many would fill the window once: what is
#: otherwise for good becomes the norm in a day or two, an hour at 30 Hz is 0.5 % of the window.
FILL = 20_000_000


class Step(NamedTuple):
    """
    A step that waits to be learnt.

    :param is_far: it is flagged, and its value is among the `budget` largest of the window
    :param is_credible: the robot was not lost when it came
    """

    value: float
    is_high: bool
    is_far: bool
    is_credible: bool


@dataclass(frozen=True)
class Recent:
    """
    What a threshold has learnt, to go on from.

    :param values: in the window, in order of time; sorted ones tell nothing of time
    :param odds: log-odds of the level's rank among them; None: as fits the values
    :param waiting: steps that are not learnt yet, in order of time
    """

    values: tuple[float, ...] = ()
    odds: float | None = None
    waiting: tuple[Step, ...] = ()


class AdaptiveThreshold:
    """
    The level above which values are high, so that flags take up `budget` of the steps.

    A value above the level raises the flag; it is taken back once `hold` steps in a row were not,
    so that of each 1000 steps at most 1000 * budget / hold raise it anew. The level is a rank in a
    window of values, so that their unit and sign do not matter. It begins where it would have kept
    to the budget on the window, and follows the flags: each step that is flagged moves its
    log-odds up, each other one down (adaptive conformal inference, Gibbs and Candes 2021,
    "Adaptive conformal inference under distribution shift"), which holds the budget in the long
    run however values follow each other. A budget instead of a level is ThriftyDAgger's (Hoque et
    al. 2021, "ThriftyDAgger: budget-aware novelty and risk gating for interactive imitation
    learning"); that a flag stays up for a while, LazyDAgger's (Hoque et al. 2021, "LazyDAgger:
    reducing context switching in interactive imitation learning").

    Of a robot that is lost, hardly anything is learnt: a step counts only `patience` steps later,
    and not if the robot was lost when it came or is so then. While the window has fewer values
    than that, it is too scant to start from the right level; the level then follows each flag at
    once, within what the window has.

    :param recent: values to start from: those on held-out episodes under the same ensemble, or
        what a threshold had learnt. With fewer than `minimum` there is nothing to be lost by: each
        step counts at once until there are `patience` values
    """

    def __init__(self, settings: ThresholdSettings, recent: Recent | Sequence[float] = ()) -> None:
        if not isinstance(recent, Recent):
            recent = Recent(tuple(recent))
        self._settings = settings
        self._window = RankedWindow(recent.values, settings.window)
        self._waiting = deque(recent.waiting)
        self._far = sum(step.is_far for step in self._waiting)
        self._has_measure = len(self._window) >= settings.minimum
        self._held = 0
        self._passed = 0
        self._odds = recent.odds
        self._fit_at = self._next_fit()
        self._fit_if_due()

    def change(self, settings: ThresholdSettings) -> None:
        """Go on otherwise from the next step on, with the values and the flag that there are."""
        before, self._settings = self._settings, settings
        self._window = RankedWindow(self._window.values, settings.window)
        self._held = min(self._held, settings.hold - 1)
        if (before.budget, before.hold) != (settings.budget, settings.hold):
            self._odds = None
        self._fit_at = self._next_fit()
        self._fit_if_due()

    def cross_border(self) -> None:
        """Take the flag back: an episode begins or ends, and what is high begins anew in it."""
        self._held = 0

    @property
    def recent(self) -> Recent:
        """Return what it has learnt."""
        return Recent(self._window.values, self._odds, tuple(self._waiting))

    @property
    def value(self) -> float:
        """Return the level in force; NaN until there are `minimum` values."""
        if self._odds is None or len(self._window) < self._settings.minimum:
            return math.nan
        return self._window.quantile(rank(self._odds))

    @property
    def is_lost(self) -> bool:
        """Tell whether so many of the last steps were flagged that they are no measure."""
        budget, patience = self._settings.budget, self._settings.patience
        return self._far > max(LOST, (1 + budget) / 2) * patience

    def flag(self, value: float, *, learn: bool = True) -> bool:
        """
        Tell whether a step's value is high, and learn from it.

        The step is judged by the values before it.

        :param value: finite
        :param learn: whether it is a measure of others
        """
        level = self.value
        if value > level:  # NaN compares false: nothing is high before there is a level
            self._held = self._settings.hold
        is_high = self._held > 0
        self._held -= is_high
        if learn:
            self._take(value, is_high=is_high)
        return is_high

    def _take(self, value: float, *, is_high: bool) -> None:
        """Let a step wait to be learnt, and learn from those that have waited long enough."""
        patience, size = self._settings.patience, len(self._window)
        is_far = is_high and value > self._window.quantile(1 - self._settings.budget)
        was_lost = self.is_lost
        self._far += is_far
        is_lost = self.is_lost
        if is_lost and not was_lost:
            self._fit()  # forgets what the level followed at once
        self._waiting.append(Step(value, is_high, is_far, not is_lost))
        is_scant = size < patience
        if is_scant and not is_lost:
            self._follow(size, is_high=is_high)
        self._has_measure |= not is_scant
        while len(self._waiting) > (patience if self._has_measure else 0):
            step = self._waiting.popleft()
            self._far -= step.is_far
            if not step.is_credible or is_lost:
                self._pass(step)
                continue
            if not is_scant:
                self._follow(patience, is_high=step.is_high)
            self._window.add(step.value)
            self._fit_if_due()

    def _follow(self, steps: int, *, is_high: bool) -> None:
        """Move the level up where a step was flagged, else down, fully within so many steps."""
        if self._odds is None:
            return
        budget = self._settings.budget
        pace = HASTE / (budget * (1 - budget) * steps)
        low, high = bounds(budget)
        self._odds = min(max(self._odds + pace * (is_high - budget), low), high)

    def _pass(self, step: Step) -> None:
        """Learn one of very many steps of a lost robot."""
        self._passed += 1
        if self._passed * len(self._window) >= FILL:
            self._window.add(step.value)
            self._passed = 0

    def _fit_if_due(self) -> None:
        """Fit the level to the window where it has values enough for it."""
        if len(self._window) >= self._fit_at:
            self._fit()
            self._fit_at = self._next_fit()

    def _fit(self) -> None:
        self._odds = fitted(self._window.values, self._settings.budget, self._settings.hold)

    def _next_fit(self) -> int:
        """Return of how many values the level is fitted next, while they get more."""
        size = self._settings.minimum
        while self._odds is not None and size <= len(self._window):
            size *= 2
        return size
