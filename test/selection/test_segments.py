# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Frames are put together to segments and trajectories."""
from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.names import is_safe_name
from active_collection.selection.segments import Grouping
from active_collection.selection.segments import grouped

SECOND = 10**9


def frame(topic, receive_ns, sequence=0, **known):
    values = {'blur': 1.0, 'exposure': 0.5, 'epistemic': float('nan'),
              'aleatoric': float('nan'), 'novelty': float('nan'), **known}
    name = topic.replace('/', '_')
    return {'unit_id': f'{abs(hash((topic, receive_ns, sequence))):012x}_{receive_ns}{name}',
            'topic': topic, 'receive_ns': receive_ns, 'sequence': sequence,
            'start_ns': receive_ns, 'stop_ns': receive_ns + 1, 'frames': 1, **values}


def vectors_of(rows, seed=0):
    return np.random.default_rng(seed).normal(size=(len(rows), 4)).astype(np.float32)


def test_a_segment_has_the_frames_of_its_seconds():
    rows = [frame('/a', 3 * SECOND + i * SECOND // 2) for i in range(25)]
    units, means = grouped(rows, vectors_of(rows), Grouping('segment', seconds=5.0))
    assert [unit['frames'] for unit in units] == [10, 10, 5]
    assert [unit['start_ns'] for unit in units] == [3 * SECOND, 8 * SECOND, 13 * SECOND]
    assert [unit['stop_ns'] for unit in units] == [
        7 * SECOND + SECOND // 2 + 1, 12 * SECOND + SECOND // 2 + 1, 15 * SECOND + 1]
    np.testing.assert_allclose(means[1], vectors_of(rows)[10:20].mean(axis=0), rtol=1e-6)


def test_a_gap_leaves_no_empty_segment():
    rows = [frame('/a', ns) for ns in (0, SECOND, 100 * SECOND)]
    units, _ = grouped(rows, vectors_of(rows), Grouping('segment', seconds=5.0))
    assert [unit['frames'] for unit in units] == [2, 1]


def test_a_trajectory_is_what_one_camera_recorded():
    rows = [frame(topic, i * SECOND) for i in range(6) for topic in ('/b', '/a')]
    units, _ = grouped(rows, vectors_of(rows), Grouping('trajectory'))
    assert [(unit['topic'], unit['frames']) for unit in units] == [('/a', 6), ('/b', 6)]


def test_a_unit_is_shown_by_its_most_typical_frame():
    rows = [frame('/a', i * SECOND) for i in range(3)]
    vectors = np.array([[0.0, 0.0], [9.0, 0.0], [3.5, 0.0]], np.float32)
    units, _ = grouped(rows, vectors, Grouping('trajectory'))
    assert units[0]['receive_ns'] == 2 * SECOND
    assert (units[0]['start_ns'], units[0]['stop_ns']) == (0, 2 * SECOND + 1)


def test_what_is_not_known_of_a_frame_does_not_count():
    known = [0.2, float('nan'), 0.4]
    rows = [frame('/a', i * SECOND, epistemic=value) for i, value in enumerate(known)]
    unit = grouped(rows, vectors_of(rows), Grouping('trajectory'))[0][0]
    assert unit['epistemic'] == pytest.approx(0.3)
    assert np.isnan(unit['novelty'])


@pytest.mark.parametrize('unit', ['segment', 'change-point', 'trajectory'])
def test_a_unit_of_one_frame_has_a_name_of_its_own(unit):
    rows = [frame('/a', SECOND)]
    found = grouped(rows, vectors_of(rows), Grouping(unit))[0]
    assert len(found) == 1
    assert found[0]['unit_id'] != rows[0]['unit_id']
    assert is_safe_name(found[0]['unit_id'])


def test_frames_stay_as_they_are_and_nothing_is_nothing():
    rows = [frame('/a', SECOND), frame('/a', 0)]
    units, vectors = grouped(rows, vectors_of(rows), Grouping('frame'))
    assert units == rows
    assert np.array_equal(vectors, vectors_of(rows))
    assert grouped([], np.empty((0, 4), np.float32), Grouping('segment'))[0] == []


def changing(times, change):
    """Rows at times whose vectors jump at a frame."""
    rows = [frame('/a', ns, sequence) for sequence, ns in enumerate(times)]
    vectors = np.random.default_rng(0).normal(size=(len(rows), 4)) * 0.1
    vectors[change:] += 10.0
    return rows, vectors.astype(np.float32)


def test_change_points_are_where_the_pictures_change():
    rows, vectors = changing([i * SECOND // 2 for i in range(60)], 35)
    units, _ = grouped(rows, vectors, Grouping('change-point', seconds=2.0))
    assert [unit['frames'] for unit in units] == [35, 25]


def test_frames_that_were_received_in_bursts_still_change():
    """A recorder that writes what piled up gives most frames the time of the one before."""
    rows, vectors = changing([i // 4 * 2 * SECOND for i in range(60)], 36)
    units, _ = grouped(rows, vectors, Grouping('change-point', seconds=5.0))
    assert [unit['frames'] for unit in units] == [36, 24]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(['/a', '/b/c']), st.integers(0, 40)), min_size=1,
                max_size=30),
       st.sampled_from(['segment', 'change-point', 'trajectory']),
       st.floats(0.1, 60.0, allow_nan=False))
def test_each_frame_is_in_one_unit_and_units_do_not_overlap(entries, unit, seconds):
    rows = [frame(topic, tenth * SECOND // 10, sequence)
            for sequence, (topic, tenth) in enumerate(entries)]
    vectors = vectors_of(rows)

    units, means = grouped(rows, vectors, Grouping(unit, seconds=seconds))

    assert means.shape == (len(units), 4)
    assert sum(u['frames'] for u in units) == len(rows)
    np.testing.assert_allclose(  # the means, weighted, are the mean of all frames
        np.average(means, axis=0, weights=[u['frames'] for u in units]), vectors.mean(axis=0),
        atol=1e-4)
    assert len({u['unit_id'] for u in units}) == len(units)
    for topic in {row['topic'] for row in rows}:
        mine = [u for u in units if u['topic'] == topic]
        assert all(u['start_ns'] <= u['receive_ns'] < u['stop_ns'] for u in mine)
        assert all(a['start_ns'] <= b['start_ns'] for a, b in pairwise(mine))
