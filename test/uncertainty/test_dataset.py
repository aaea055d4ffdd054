# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time

import torch

from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dataset import DecodedEpisode


def dataset(spec, *lengths):
    sizes = {'hand': 3, 'goal': 3, 'task': 2}
    return Dataset.of([
        DecodedEpisode(f'e{k}', 'push', torch.full((n, 8), float(k)), torch.zeros(n, 2))
        for k, n in enumerate(lengths)], spec, sizes)


def test_rows_of_episodes_are_theirs_in_the_order_asked_and_twice_where_asked_twice(spec):
    few = dataset(spec, 2, 3, 1)

    assert few.rows([2, 0, 2]).tolist() == [5, 0, 1, 5]
    assert few.rows([1]).tolist() == [2, 3, 4]
    assert few.rows([]).tolist() == []


def test_rows_of_four_thousand_episodes_are_found_at_once(spec):
    """Looking through all rows for each episode takes seconds on any machine."""
    many = dataset(spec, *[150] * 4000)

    began = time.perf_counter()
    rows = many.rows(range(4000))
    took_s = time.perf_counter() - began

    assert torch.equal(rows, torch.arange(600_000))
    assert took_s < 1.0
