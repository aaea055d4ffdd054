# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Class probabilities of the user's own model take the place of the head's."""
from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pools import make_pool

from active_collection.errors import SelectionError
from active_collection.selection.predictions import read_predictions
from active_collection.selection.select import Query
from active_collection.selection.select import select


@pytest.fixture
def pool(tmp_path):
    return make_pool(tmp_path, np.full((2, 20), np.nan))


def write(path, pool, values, members=None, names=None):
    columns = {'unit_id': names or pool.texts('unit_id') * (len(values) // len(pool))}
    if members is not None:
        columns['member'] = members
    columns.update({f'class{c}': values[:, c] for c in range(values.shape[1])})
    pq.write_table(pa.table(columns), path)
    return path


def test_the_unit_that_a_model_is_least_sure_of_is_picked_first(tmp_path, pool):
    values = np.tile([0.9, 0.1], (len(pool), 1))
    values[17] = 0.5
    read = read_predictions(write(tmp_path / 'p.parquet', pool, values), pool)
    assert select(pool, Query(5, 'margin', predictions=read)).picks[0].unit == 17


def test_members_make_a_committee_whatever_the_order_of_the_rows(tmp_path, pool):
    values = np.tile([0.9, 0.1], (2 * len(pool), 1))
    values[len(pool) + 4] = [0.1, 0.9]
    members = np.repeat([3, 8], len(pool))
    order = np.random.default_rng(0).permutation(len(values))
    path = write(tmp_path / 'p.parquet', pool, values[order], members[order],
                 [(pool.texts('unit_id') * 2)[i] for i in order])
    read = read_predictions(path, pool)
    assert read.shape == (2, len(pool), 2)
    assert select(pool, Query(5, 'query_by_committee', predictions=read)).picks[0].unit == 4


@pytest.mark.parametrize(('change', 'said'), [
    (lambda v, n: (v[:-1], n[:-1]), '0 rows'), (lambda v, n: (v, [n[1], *n[1:]]), '0 rows'),
    (lambda v, n: (v * 2, n), 'sum to 1'), (lambda v, n: (v * np.nan, n), 'sum to 1'),
    (lambda v, n: (v - 1, n), 'sum to 1'), (lambda v, n: (v[:, :1], n), 'at least two')])
def test_what_is_no_prediction_of_the_pool_is_refused(tmp_path, pool, change, said):
    values, names = change(np.tile([0.9, 0.1], (len(pool), 1)), pool.texts('unit_id'))
    with pytest.raises(SelectionError, match=said):
        read_predictions(write(tmp_path / 'p.parquet', pool, values, names=names), pool)


def test_a_file_that_is_not_there_is_named(tmp_path, pool):
    with pytest.raises(SelectionError, match=r'none\.parquet'):
        read_predictions(tmp_path / 'none.parquet', pool)
