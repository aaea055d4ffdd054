# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""`active-collection index` as a person types it."""
from __future__ import annotations

import pytest
from bag_factory import camera
from bag_factory import write_bag

from active_collection.cli.main import main
from active_collection.selection.pool import Pool
from active_collection.selection.rounds import Round


@pytest.fixture
def data(tmp_path):
    for i in range(3):
        write_bag(tmp_path / 'bags' / f'b{i}', camera(20, first=100 * i))
    return tmp_path


def index(data, *arguments):
    return main(['index', str(data / 'bags'), '--pool', str(data / 'pool'), '--rate', '0',
                 '--processes', '1', '--extractor', 'descriptor', *arguments])


def test_the_default_is_a_network_whose_weights_need_no_hub(data, capsys):
    assert main(['index', str(data / 'bags' / 'b0'), '--pool', str(data / 'pool'), '--rate', '5',
                 '--processes', '1']) == 0

    pool = Pool.open(data / 'pool')
    assert (pool.description.extractor, pool.description.dimension) == ('efficientnet_lite0', 1280)
    assert len(pool.units) == len(pool.embeddings) > 0


@pytest.mark.parametrize(('arguments', 'frames', 'called'), [
    (['--unit', 'segment', '--seconds', '0.5'], [5, 5, 5, 5] * 3, 'segments'),
    (['--unit', 'trajectory'], [20] * 3, 'trajectories')])
def test_frames_are_put_together_to_units_that_can_be_selected(
        data, capsys, arguments, frames, called):
    assert index(data, *arguments) == 0
    assert f'{len(frames)} {called} added' in capsys.readouterr().out
    pool = Pool.open(data / 'pool')
    rows = sorted(pool.units.to_pylist(), key=lambda row: (row['bag'], row['start_ns']))
    assert [row['frames'] for row in rows] == frames
    assert all(row['start_ns'] <= row['receive_ns'] < row['stop_ns'] for row in rows)
    assert pool.description.unit == arguments[1]

    assert main(['select', '--pool', str(data / 'pool'), '--out', str(data / 'r'), '--count', '2',
                 '--gap', '0', '--duplicate-bits', '-1']) == 0
    picked = Round.open(data / 'r').picks.to_pylist()
    known = {row['unit_id'] for row in rows}
    assert len(picked) == 2 and all(pick['unit_id'] in known for pick in picked)


def test_change_points_cut_a_recording_where_its_pictures_change(tmp_path):
    still = [camera(1, first=n, start_ns=10**18 + i * 10**8) for i, n in enumerate(
        [1] * 30 + [2] * 20)]
    write_bag(tmp_path / 'bags' / 'b', [entry for entries in still for entry in entries])
    assert index(tmp_path, '--unit', 'change-point', '--seconds', '0.3') == 0
    rows = Pool.open(tmp_path / 'pool').units.to_pylist()
    assert [row['frames'] for row in rows] == [30, 20]


def test_a_pool_of_frames_takes_no_segments(data, capsys):
    assert index(data) == 0
    assert capsys.readouterr().err == ''  # no terminal, no bar
    assert index(data, '--unit', 'segment') == 2
    error = capsys.readouterr().err
    assert "description.json: unit: found 'frame'" in error and error.count('\n') == 1
