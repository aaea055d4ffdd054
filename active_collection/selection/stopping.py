# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""When labelling more does not pay any more."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pydantic import Field
from scipy.stats import beta

from active_collection.config import Model
from active_collection.selection.metrics import Metrics


class StoppingSettings(Model):
    """When to stop. A criterion with its default 0 is off."""

    budget: int = Field(default=0, ge=0, description='labelled units')
    target: float = Field(default=0.0, ge=0, lt=1, description='accuracy, 0 to 1')
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description='of the target')
    gain: float = Field(default=0.005, ge=0, description='accuracy a round')
    kappa: float = Field(default=0.99, ge=0, le=1, description='agreement of predictions')
    plateau: float = Field(default=0.02, ge=0, description='relative change of radius or '
                           'uncertainty a round')
    patience: int = Field(default=3, ge=1, description='rounds in a row')


@dataclass(frozen=True)
class Verdict:
    """
    What one criterion says.

    :param fired: whether to stop
    :param value: the number that decides; NaN where too little is known
    :param threshold: what it is compared with
    :param text: one line for a person
    """

    criterion: str
    fired: bool
    value: float
    threshold: float
    text: str


def judge(curve: Sequence[Metrics], settings: StoppingSettings) -> list[Verdict]:
    """
    Return what each criterion that is on says.

    :param curve: one point a round, oldest first; at least one
    """
    judged = []
    if settings.budget:
        judged.append(_budget(curve, settings))
    if settings.target:
        judged.append(_target(curve, settings))
    if settings.gain:
        judged.append(_gain(curve, settings))
    if settings.kappa:
        judged.append(_stable(curve, settings))
    if settings.plateau:
        judged += [_plateau(curve, settings, name) for name in ('radius', 'uncertainty')]
    return judged


def lower_bound(correct: int, total: int, confidence: float) -> float:
    """Return the one-sided lower bound of a share (Clopper and Pearson, 1934); 0 without any."""
    return float(beta.ppf(1.0 - confidence, correct, total - correct + 1)) if correct else 0.0


def _budget(curve: Sequence[Metrics], settings: StoppingSettings) -> Verdict:
    labelled = curve[-1].labelled
    return Verdict('budget', labelled >= settings.budget, labelled, settings.budget,
                   f'{labelled} of {settings.budget} units labelled')


def _target(curve: Sequence[Metrics], settings: StoppingSettings) -> Verdict:
    """Stop where the accuracy on held-out labels is surely above the target."""
    last = curve[-1]
    if not last.held_out or not last.tested:
        return Verdict('target', False, math.nan, settings.target,
                       'needs labels of a round that was started with --held-out: those that a '
                       'strategy chose are no fair sample')
    bound = lower_bound(last.correct, last.tested, settings.confidence)
    return Verdict('target', bound >= settings.target, bound, settings.target,
                   f'accuracy {last.accuracy:.3f} on {last.tested} held-out labels, at least '
                   f'{bound:.3f} with {settings.confidence:.0%} confidence, of '
                   f'{settings.target:g} wanted')


def _gain(curve: Sequence[Metrics], settings: StoppingSettings) -> Verdict:
    """Stop where no round of the last ones gained much."""
    values = [m.accuracy for m in curve[-settings.patience - 1:]]
    if len(values) <= settings.patience or not all(map(math.isfinite, values)):
        return _too_early('marginal gain', settings.gain, settings)
    largest = max(b - a for a, b in pairwise(values))
    return Verdict('marginal gain', largest < settings.gain, largest, settings.gain,
                   f'largest gain of the last {settings.patience} rounds is {largest:.4f}, '
                   f'threshold {settings.gain:g}')


def _stable(curve: Sequence[Metrics], settings: StoppingSettings) -> Verdict:
    """Stop where predictions have stopped changing (Bloodgood and Vijay-Shanker, 2009)."""
    values = [m.kappa for m in curve[-settings.patience:]]
    if len(values) < settings.patience or not all(map(math.isfinite, values)):
        return _too_early('stable predictions', settings.kappa, settings)
    mean = sum(values) / len(values)
    return Verdict('stable predictions', mean >= settings.kappa, mean, settings.kappa,
                   f'mean kappa of the last {settings.patience} rounds is {mean:.4f}, threshold '
                   f'{settings.kappa:g}')


def _plateau(curve: Sequence[Metrics], settings: StoppingSettings, name: str) -> Verdict:
    """Stop where a measure of what is unknown has stopped falling."""
    title = f'{name} on a plateau'
    values = [float(getattr(m, name)) for m in curve[-settings.patience - 1:]]
    if len(values) <= settings.patience or not all(map(math.isfinite, values)):
        return _too_early(title, settings.plateau, settings)
    largest = max(abs(b - a) / max(abs(a), 1e-12)
                  for a, b in pairwise(values))
    return Verdict(title, largest < settings.plateau, largest, settings.plateau,
                   f'largest relative change of the last {settings.patience} rounds is '
                   f'{largest:.4f}, threshold {settings.plateau:g}')


def _too_early(criterion: str, threshold: float, settings: StoppingSettings) -> Verdict:
    return Verdict(criterion, False, math.nan, threshold,
                   f'needs {settings.patience} rounds in a row in which it is known')
