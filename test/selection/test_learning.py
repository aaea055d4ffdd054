# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Labels, the head that learns from them, and when to stop."""
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from bag_factory import camera
from bag_factory import write_bag
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.bags.find import find_bags
from active_collection.config import parse
from active_collection.errors import ConfigError
from active_collection.errors import SelectionError
from active_collection.selection import head
from active_collection.selection import labels
from active_collection.selection import metrics
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling
from active_collection.selection.metrics import Metrics
from active_collection.selection.pool import Pool
from active_collection.selection.select import Query
from active_collection.selection.select import select
from active_collection.selection.stopping import StoppingSettings
from active_collection.selection.stopping import judge
from active_collection.selection.stopping import lower_bound
from active_collection.selection.units import Embeddings


def row(unit, label, annotator='', x=math.nan):
    return {'unit_id': unit, 'label': label, 'annotator': annotator, 'box_x': x, 'box_y': x,
            'box_width': x, 'box_height': x}


def test_versions_add_up_and_replace_an_annotators_own_labels(tmp_path):
    first = labels.add(tmp_path, [row('a', 'mug', 'x'), row('a', 'hand', 'y'), row('b', 'mug')])
    second = labels.add(tmp_path, [row('a', 'cup', 'x'), row('c', 'mug', 'x', 1.0)])
    assert [p.name for p in labels.versions(tmp_path)] == ['1.parquet', '2.parquet']
    assert {(r['unit_id'], r['label']) for r in labels.read(first)} == {
        ('a', 'mug'), ('a', 'hand'), ('b', 'mug')}
    assert {(r['unit_id'], r['label']) for r in labels.newest(tmp_path)} == {
        ('a', 'cup'), ('a', 'hand'), ('b', 'mug'), ('c', 'mug')}
    assert second.stem == '2'


def test_no_labels_make_no_version(tmp_path):
    with pytest.raises(SelectionError, match='no labels'):
        labels.add(tmp_path, [])
    assert labels.newest(tmp_path) == []


def test_a_corrupt_version_is_an_error_of_one_line(tmp_path):
    path = labels.add(tmp_path, [row('a', 'mug')])
    path.write_bytes(b'PAR1')
    with pytest.raises(SelectionError, match=r'1\.parquet'):
        labels.newest(tmp_path)


def test_the_majority_counts_annotators_not_boxes():
    rows = [*(row('a', 'mug', 'x', i) for i in range(5)), row('a', 'cup', 'y'),
            row('a', 'cup', 'z')]
    assert labels.majority(rows) == {'a': 'cup'}
    assert labels.majority([row('a', 'b', 'x'), row('a', 'a', 'y')]) == {'a': 'a'}


def test_disagreement_is_between_annotators_only():
    same = [row('a', 'mug', 'x'), row('a', 'mug', 'y')]
    one = [row('b', 'mug', 'x'), row('b', 'hand', 'x')]
    differ = [row('c', 'mug', 'x'), row('c', 'hand', 'y')]
    assert labels.disagreement([*same, *one, *differ]) == ['c']


def blobs(n=120, classes=3, spread=0.5, seed=0):
    rng = np.random.default_rng(seed)
    which = np.arange(n) % classes
    vectors = rng.normal(size=(classes, 8))[which] * 3 + rng.normal(size=(n, 8)) * spread
    return vectors.astype(np.float32), [f'class {c}' for c in which]


def test_a_head_learns_blobs_and_its_members_disagree_between_them():
    vectors, names = blobs()
    made = head.train(vectors, names, np.random.default_rng(0))
    members = made.predict(Embeddings.of(vectors))
    assert members.shape == (5, 120, 3)
    np.testing.assert_allclose(members.sum(axis=2), 1.0, atol=1e-5)
    assert [made.classes[i] for i in members.mean(axis=0).argmax(axis=1)] == names
    between = np.mean([vectors[0], vectors[1]], axis=0, keepdims=True)
    spread = made.predict(Embeddings.of(between)).std(axis=0).max()
    assert spread > members.std(axis=0).mean()


def test_a_head_repeats_by_seed_and_needs_two_classes():
    vectors, names = blobs()
    a, b = (head.train(vectors, names, np.random.default_rng(4)).weights for _ in range(2))
    assert np.array_equal(a, b)
    with pytest.raises(SelectionError, match='at least two'):
        head.train(vectors, ['mug'] * 120, np.random.default_rng(0))


def test_cross_validated_accuracy_tells_what_can_be_learnt_from_what_cannot():
    vectors, names = blobs()
    rng = np.random.default_rng(0)
    assert head.accuracy(vectors, names, rng) == (120, 120)
    correct, total = head.accuracy(vectors, list(rng.permutation(names)), rng)
    assert correct / total < 0.55
    assert head.accuracy(vectors[:3], names[:3], rng) == (0, 0)
    assert head.accuracy(vectors[:9], ['mug'] * 9, rng) == (0, 0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from('abc'), st.sampled_from('abc')), min_size=1))
def test_kappa_lies_between_minus_one_and_one_and_is_one_for_equals(pairs):
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    assert -1.0 - 1e-9 <= metrics.kappa(first, second) <= 1.0 + 1e-9
    assert metrics.kappa(first, first) == pytest.approx(1.0)


def test_kappa_is_that_of_the_textbook():
    first = ['yes'] * 25 + ['no'] * 25
    second = ['yes'] * 20 + ['no'] * 5 + ['yes'] * 10 + ['no'] * 15
    assert metrics.kappa(first, second) == pytest.approx(0.4)


POINT = Metrics(1, 100, 3, 0, 60, 100, 0.5, 0.5, 2.0, 0.3)
OFF = StoppingSettings(gain=0, kappa=0, plateau=0)


def fired(curve, chosen):
    return [v.criterion for v in judge(curve, chosen) if v.fired]


def test_budget_and_target_stop_at_their_numbers():
    assert fired([POINT], OFF.model_copy(update={'budget': 101})) == []
    assert fired([POINT], OFF.model_copy(update={'budget': 100})) == ['budget']
    target = OFF.model_copy(update={'target': 0.55})
    held_out = replace(POINT, held_out=True)
    assert fired([held_out], target) == []  # 0.60 of 100, but not surely above 0.55
    assert fired([replace(held_out, correct=600, tested=1000)], target) == ['target']
    assert fired([replace(held_out, correct=0, tested=0)], target) == []
    assert fired([replace(POINT, correct=600, tested=1000)], target) == []  # no fair sample


def test_the_lower_bound_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    bounds = [lower_bound(int(k), 50, 0.9) for k in rng.binomial(50, 0.7, 4000)]
    assert np.mean(np.array(bounds) <= 0.7) >= 0.9
    assert lower_bound(0, 10, 0.9) == 0.0
    assert lower_bound(10, 10, 0.95) == pytest.approx(0.05 ** 0.1)


def curve(**values):
    length = len(next(iter(values.values())))
    return [replace(POINT, round=i, **{k: v[i] for k, v in values.items()})
            for i in range(length)]


@pytest.mark.parametrize(('criterion', 'field', 'stop', 'go'), [
    ('marginal gain', 'correct', [60, 60, 60, 60], [60, 60, 62, 62]),
    ('stable predictions', 'kappa', [0.5, 1, 0.99, 0.99], [1, 0.9, 1, 1]),
    ('radius on a plateau', 'radius', [3, 2.0, 2.01, 2.0, 2.0], [3, 2, 2, 1.9]),
    ('uncertainty on a plateau', 'uncertainty', [0.3, 0.3, 0.3, 0.3], [0.3, 0.2, 0.1, 0.1])])
def test_plateaus_stop_after_some_rounds_only(criterion, field, stop, go):
    base = {'correct': [10, 40, 70, 99, 50], 'kappa': [0.1] * 5, 'radius': [9, 7, 5, 3, 1],
            'uncertainty': [0.9, 0.7, 0.5, 0.3, 0.1]}
    for values, expected in ((stop, [criterion]), (go, []), (stop[:2], [])):
        points = curve(**{k: v[:len(values)] for k, v in {**base, field: values}.items()})
        assert fired(points, StoppingSettings()) == expected
    points = curve(**{**{k: v[:4] for k, v in base.items()}, field: [math.nan] * 4})
    assert fired(points, StoppingSettings()) == []


def test_stopping_settings_are_checked():
    with pytest.raises(ConfigError, match='budget'):
        parse('bugdet: 3', StoppingSettings, where='stop.yaml')


@pytest.fixture(scope='module')
def pool(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    for i in range(3):
        write_bag(root / 'bags' / f'b{i}', camera(12, first=20 * i))
    index(find_bags([root / 'bags']), root / 'pool',
          IndexSettings('descriptor', sampling=Sampling(rate_hz=0)))
    return Pool.open(root / 'pool')


def test_metrics_are_measured_written_and_read(pool, tmp_path):
    names = pool.texts('unit_id')
    known = {n: f'class {i % 2}' for i, n in enumerate(names[:20])}
    point = metrics.measure(2, pool, known, disagreements=1,
                            before=dict(list(known.items())[:10]))
    metrics.write(tmp_path, point)
    assert metrics.read(tmp_path) == pytest.approx(point, nan_ok=True) or math.isnan(
        point.uncertainty)
    assert (point.labelled, point.classes, point.tested, point.disagreements) == (20, 2, 20, 1)
    assert point.radius > 0
    assert -1 <= point.kappa <= 1
    assert math.isnan(point.uncertainty)
    everything = metrics.measure(3, pool, dict.fromkeys(names, 'x'), disagreements=0, before={})
    assert everything.radius == pytest.approx(0.0, abs=1e-2)
    assert math.isnan(everything.kappa)


@pytest.mark.parametrize('name', ['entropy', 'margin', 'bald', 'badge', 'cluster_margin',
                                  'expected_model_change'])
def test_labels_give_the_probabilities_that_a_strategy_needs(pool, name):
    names = pool.texts('unit_id')
    known = {n: f'class {i % 2}' for i, n in enumerate(names[:10])}
    query = Query(5, name, labelled=list(known), labels=known)
    assert len(select(pool, query).picks) == 5
    with pytest.raises(SelectionError):
        select(pool, replace(query, labels=dict.fromkeys(known, 'only one class')))
