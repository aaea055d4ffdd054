# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a scenario was chosen, in words for the person who sets it up."""
from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

#: What no acquisition rule chose.
OTHERWISE = {
    'minimum_quota': 'the task has not its least number of episodes yet',
    'retry': 'it was handed back before',
    'trial': 'to try the policy',
}
#: Terms of rules in words; others stand under their names.
TERMS = {
    'covered_failure': 'expected failure that it covers',
    'still_helps': 'chance that more demonstrations help',
    'failure': 'expected failure',
    'epistemic': 'what the ensemble does not agree on',
    'covered': 'covers',
    'missing_share': 'share of it that is missing',
    'feasible': 'chance that it can be done',
}
MOST_TERMS = 3


def why(rule: str, *, terms: Sequence[tuple[str, float, float]], asked_by: str,
        runner_up: str) -> str:
    """
    Return why an assignment was made, in one line.

    :param terms: name, value and weight of each term of its score; a weight of 0 only informs
    :param asked_by: the operator who had it repeated, and their reason; else empty
    :param runner_up: what it was preferred to; empty for nothing
    """
    if asked_by:
        return f'asked for once more by {asked_by}'
    chosen = OTHERWISE.get(rule, f'rule {rule}')
    told = [(name, value) for name, value, weight in terms
            if isfinite(value) and (weight or name in TERMS)]
    words = ', '.join(f'{TERMS.get(name, name)} {value:.2g}' for name, value in told[:MOST_TERMS])
    rather = f'; rather than {runner_up}' if runner_up else ''
    return chosen + (f': {words}' if words else '') + rather
