# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bag_factory import START_NS
from bag_factory import camera
from bag_factory import image
from bag_factory import write_bag

from active_collection.bags.find import find_bags
from active_collection.cli import select as command
from active_collection.cli.main import main
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.errors import InvalidNameError
from active_collection.errors import SelectionError
from active_collection.selection.batch import Limits
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling
from active_collection.selection.pool import Pool
from active_collection.selection.rounds import Round
from active_collection.selection.rounds import chosen_before
from active_collection.selection.rounds import write_round
from active_collection.selection.select import Query
from active_collection.selection.select import select
from active_collection.selection.strategies import STRATEGIES


@pytest.fixture(scope='module')
def pool(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    for i in range(4):
        write_bag(root / 'bags' / f'b{i}', camera(10, first=20 * i))
    black = image(camera(1)[0][2].data.reshape(24, 32, 3) * 0)
    write_bag(root / 'bags' / 'dark', [('/camera/image_raw', START_NS, black)])
    index(find_bags([root / 'bags']), root / 'pool',
          IndexSettings('descriptor', sampling=Sampling(rate_hz=0)))
    return Pool.open(root / 'pool')


def ids(pool, selection):
    names = pool.texts('unit_id')
    return [names[p.unit] for p in selection.picks]


def test_a_selection_repeats_by_seed_and_leaves_dark_frames(pool):
    query = Query(12, seed=5)
    assert select(pool, query) == select(pool, query)
    everything = select(pool, Query(100, 'random'))
    assert len(everything.picks) == 40
    assert len(select(pool, Query(100, 'random', darkest=0.0)).picks) == 41


def test_included_come_first_excluded_never_and_labelled_not_again(pool):
    names = [n for n, bag in zip(pool.texts('unit_id'), pool.texts('bag'), strict=True)
             if bag != 'bags/dark']
    query = Query(6, 'random', include=[names[3]], exclude=names[4:9], labelled=names[10:20])
    chosen = ids(pool, select(pool, query))
    assert chosen[0] == names[3]
    assert not set(chosen) & {*names[4:9], *names[10:20]}
    with pytest.raises(SelectionError, match='no such'):
        select(pool, replace(query, exclude=['no such']))
    with pytest.raises(SelectionError, match='no such'):
        select(pool, replace(query, include=['no such']))


def test_the_time_gap_holds_towards_labelled_units_too(pool):
    rows = [r for r in pool.units.to_pylist() if r['bag'] == 'bags/b1']
    rows.sort(key=lambda r: r['stamp_ns'])
    query = Query(40, 'random', labelled=[rows[5]['unit_id']], limits=Limits(gap_s=0.25))
    chosen = set(ids(pool, select(pool, query)))
    assert not chosen & {rows[i]['unit_id'] for i in (3, 4, 5, 6, 7)}


def test_a_round_holds_picks_in_order_and_how_they_were_made(pool, tmp_path):
    query = Query(5, 'k_center', seed=3, limits=Limits(0.2, 1, {'bag': 2}))
    selection = select(pool, query)
    made = write_round(tmp_path / 'rounds' / '1', pool, query, selection)
    assert made.picks['unit_id'].to_pylist() == ids(pool, selection)
    assert made.picks['order'].to_pylist() == [0, 1, 2, 3, 4]
    assert made.manifest['seed'] == 3
    assert made.manifest['quotas'] == {'bag': 2}
    assert made.pool == pool.directory.resolve()
    assert chosen_before([made.directory]) == ids(pool, selection)


def test_a_round_is_never_written_twice(pool, tmp_path):
    query = Query(2)
    write_round(tmp_path / 'r', pool, query, select(pool, query))
    with pytest.raises(SelectionError, match='never selected twice'):
        write_round(tmp_path / 'r', pool, query, select(pool, query))


@pytest.mark.parametrize('damage', [
    lambda r: (r / 'manifest.json').unlink(),
    lambda r: (r / 'manifest.json').write_text('[]'),
    lambda r: (r / 'manifest.json').write_text('{"format": 9}'),
    lambda r: (r / 'manifest.json').write_text('{"format": 1, "strategy": "hybrid"}'),
    lambda r: (r / 'manifest.json').write_text('{"format": 1, "pool": "../pool"}'),
    lambda r: (r / 'manifest.json').write_text('{"format": 1, "strategy": "", "pool": "\\u0000"}'),
    lambda r: (r / 'manifest.json').write_text('[' * 100_000),
    lambda r: (r / 'selection.parquet').write_bytes(b'PAR1' * 9),
    lambda r: pq.write_table(pq.read_table(r / 'selection.parquet').drop_columns(['bag']),
                             r / 'selection.parquet')])
def test_a_damaged_round_is_an_error_of_one_line(pool, tmp_path, damage):
    query = Query(2)
    damage(write_round(tmp_path / 'r', pool, query, select(pool, query)).directory)
    with pytest.raises(SelectionError) as caught:
        Round.open(tmp_path / 'r')
    assert '\n' not in str(caught.value)


def test_an_id_that_would_leave_the_directory_is_refused(pool, tmp_path):
    query = Query(2)
    made = write_round(tmp_path / 'r', pool, query, select(pool, query))
    path = made.directory / 'selection.parquet'
    pq.write_table(replaced(made.picks, 'unit_id', pa.array(['../../evil'] * 2)), path)

    with pytest.raises(InvalidNameError, match='unit_id'):
        Round.open(made.directory)


@pytest.mark.parametrize('column', ['unit_id', 'bag', 'stamp_ns', 'hash', 'epistemic',
                                    'embedding_row'])
@pytest.mark.parametrize('values', [[None], [[1]]], ids=['empty', 'lists'])
def test_columns_of_another_type_are_an_error_that_names_them(pool, tmp_path, column, values):
    copied = tmp_path / 'pool'
    shutil.copytree(pool.directory, copied)
    strange = pa.array(values * len(pool))
    pq.write_table(replaced(pool.units, column, strange), copied / 'index.parquet')

    if column == 'epistemic' and values == [None]:
        assert np.isnan(Pool.open(copied).numbers('epistemic')).all()
    else:
        with pytest.raises(SelectionError, match=rf'index\.parquet: column {column}'):
            Pool.open(copied)


@pytest.mark.parametrize('damage', [
    lambda p: np.save(p / 'embeddings.npy', np.load(p / 'embeddings.npy')[:3]),
    lambda p: np.save(p / 'embeddings.npy', np.load(p / 'embeddings.npy').astype(complex)),
    lambda p: (p / 'embeddings.npy').write_bytes(b''),
    lambda p: (p / 'embeddings.npy').unlink()])
def test_damaged_embeddings_are_an_error_that_names_them(pool, tmp_path, damage):
    shutil.copytree(pool.directory, tmp_path / 'pool')
    damage(tmp_path / 'pool')

    with pytest.raises(SelectionError, match=r'^\S*embeddings\.npy: found'):
        Pool.open(tmp_path / 'pool')


def replaced(table, column, values):
    return table.set_column(table.column_names.index(column), column, values)


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(a) for a in arguments]))


def test_the_command_selects_and_says_what_it_did(pool, tmp_path, capsys):
    arguments = ['--pool', pool.directory, '--count', 4, '--gap', 0.1, '--seed', 7]
    assert run(*arguments, '--out', tmp_path / '1') == 0
    out, err = capsys.readouterr()
    assert '4 of 41 units selected by hybrid' in out
    assert '200 to 500' in err
    assert run(*arguments, '--out', tmp_path / '2', '--labelled', tmp_path / '1') == 0
    first, second = (set(Round.open(tmp_path / n).picks['unit_id'].to_pylist()) for n in '12')
    assert not first & second
    assert json.loads((tmp_path / '2' / 'manifest.json').read_text())['labelled'] == 4


@pytest.mark.parametrize('strategy', STRATEGIES.names())
@pytest.mark.parametrize(('count', 'gap', 'expected'), [(10**12, 0.0, 40), (50, 1e300, 4)])
def test_numbers_beyond_the_pool_give_what_there_is(pool, strategy, count, gap, expected):
    names = pool.texts('unit_id')
    query = Query(count, strategy, limits=Limits(gap_s=gap),
                  labels={names[0]: 'a', names[1]: 'b', names[2]: 'a', names[3]: 'b'})

    try:
        chosen = select(pool, query)
    except SelectionError:
        pytest.skip('needs uncertainties, which these bags lack')

    assert len(chosen.picks) <= expected
    assert gap or len(chosen.picks) > expected / 2


@pytest.mark.parametrize('extra', [
    ['--count', 0], ['--quota', 'bag'], ['--quota', 'bag=0'], ['--quota', 'weather=1'],
    ['--gap', -1], ['--gap', 'nan'], ['--duplicate-bits', 65], ['--seed', -1],
    ['--option', 'x'], ['--option', 'x=1'], ['--strategy', 'hybird'], ['--include', '/none'],
    ['--labelled', '/none'], ['--pool', '/none'], ['--strategy', 'entropy']])
def test_wrong_arguments_are_errors_of_one_line_and_write_nothing(pool, tmp_path, extra):
    with pytest.raises(ActiveCollectionError) as caught:
        run('--pool', pool.directory, '--out', tmp_path / '1', *extra)
    assert '\n' not in str(caught.value)
    assert not (tmp_path / '1').exists()


def test_an_unknown_strategy_names_the_nearest(pool):
    with pytest.raises(ConfigError, match='k_center'):
        select(pool, Query(3, 'k_centre'))


def test_an_unknown_format_is_told_with_all_that_there_are(pool, tmp_path, capsys):
    query = Query(2)
    write_round(tmp_path / 'r', pool, query, select(pool, query))

    assert main(['export', '--round', str(tmp_path / 'r'), '--format', 'leRobot']) == 2

    error, = capsys.readouterr().err.splitlines()
    assert "--format: found 'leRobot' (did you mean 'lerobot'?), expected one of coco" in error
    assert error.endswith('lerobot, mcap')
    assert [path.name for path in (tmp_path / 'r').iterdir() if path.is_dir()] == []
