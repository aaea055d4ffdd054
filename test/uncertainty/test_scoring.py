# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from active_collection.cli.main import main
from active_collection.episode import Actor
from active_collection.episode import Source
from active_collection.selection.pool import SCHEMA
from active_collection.selection.pool import Pool
from active_collection.uncertainty.decoding import decode_episode
from active_collection.uncertainty.ensemble_files import load
from active_collection.uncertainty.monitor import UncertaintyMonitor
from active_collection.uncertainty.scoring import score_bag


def test_a_bag_is_scored_as_a_node_that_saw_its_observations(write_episode, built, spec):
    path = write_episode(3, task='pull', length=25)
    ensemble = load(built.path)

    scored = score_bag(path, ensemble)

    monitor = UncertaintyMonitor(ensemble)
    monitor.start_episode('episode-3')
    episode, _ = decode_episode(path, spec)
    expected = [monitor.observe(values.double().numpy(), 0) for values in episode.observations]
    assert [e.epistemic for e in scored.estimates] == [e.epistemic for e in expected]
    assert [e.novelty for e in scored.estimates] == [e.novelty for e in expected]
    assert scored.estimates[-1].episode == expected[-1].episode
    assert scored.record.episode_id == 'episode-3'


def test_score_writes_every_step(write_episode, built, tmp_path, capsys):
    for seed in range(3):
        write_episode(seed, length=12)

    assert main(['score', str(tmp_path / 'data'), '--ensemble', str(built.path.parent),
                 '--out', str(tmp_path / 'steps.parquet')]) == 0

    table = pq.read_table(tmp_path / 'steps.parquet')
    lines = capsys.readouterr().out.splitlines()
    assert table.num_rows == 36
    assert set(table['ensemble_id'].to_pylist()) == {built.ensemble_id}
    assert lines[1].split()[:3] == ['push', '3', '36']


def test_score_says_who_acted_at_each_step(write_episode, built, tmp_path):
    write_episode(1, length=6, source=Source.POLICY, actors={2: Actor.NOBODY, 3: Actor.PERSON})
    write_episode(2, length=3)
    record = write_episode(3, length=2) / 'metadata.yaml'
    record.write_text(record.read_text().replace('active_collection.episode', 'something else'))

    main(['score', str(tmp_path / 'data'), '--ensemble', str(built.path),
          '--out', str(tmp_path / 'steps.parquet')])

    assert pq.read_table(tmp_path / 'steps.parquet')['actor'].to_pylist() == [
        'policy', 'policy', 'policy', 'nobody', 'person', 'person', *['script'] * 3, None, None]


def make_pool(directory, bag, stamps):
    directory.mkdir()
    rows = []
    for number, stamp in enumerate(stamps):
        row = {f.name: 0 if pa.types.is_integer(f.type) else np.nan if pa.types.is_floating(f.type)
               else '' for f in SCHEMA}
        rows.append({**row, 'unit_id': str(number), 'bag': bag, 'stamp_ns': stamp,
                     'embedding_row': number})
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), directory / 'index.parquet')
    np.save(directory / 'embeddings.npy', np.zeros((len(stamps), 2), np.float32))
    (directory / 'description.json').write_text(
        json.dumps({'extractor': 'descriptor', 'dimension': 2}))


def test_score_fills_the_frames_of_a_pool(write_episode, built, tmp_path, capsys):
    path = write_episode(1, length=10)
    estimates = score_bag(path, load(built.path)).estimates
    stamps = [estimates[4].stamp_ns + 1000, estimates[0].stamp_ns - 10**9]
    make_pool(tmp_path / 'data' / 'pool', 'episodes/2026-01-02/episode-1', stamps)

    assert main(['score', '--ensemble', str(built.path),
                 '--pool', str(tmp_path / 'data' / 'pool')]) == 0

    pool = Pool.open(tmp_path / 'data' / 'pool')
    assert pool.numbers('epistemic')[0] == np.float32(estimates[4].epistemic)
    assert pool.numbers('aleatoric')[0] == np.float32(estimates[4].aleatoric)
    assert pool.numbers('novelty')[0] == np.float32(estimates[4].novelty)
    assert np.isnan(pool.numbers('epistemic')[1])
    assert pool.units.schema.equals(SCHEMA)
    assert '1 frames of' in capsys.readouterr().out


@pytest.mark.parametrize(('arguments', 'message'), [
    ([], 'a data directory, or --pool'),
    (['nowhere.mcap'], 'nowhere.mcap'),
    (['--pool', 'nowhere'], 'nowhere'),
])
def test_a_mistake_is_one_line_and_status_2(
        built, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.setenv('HOME', str(tmp_path))
    assert main(['score', '--ensemble', str(built.path), *arguments]) == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]


def test_a_bag_without_the_topics_is_left_out_by_name(write_episode, built, tmp_path, capsys):
    write_episode(1)
    broken = write_episode(2)
    storage = next(broken.glob('*.mcap'))
    storage.write_bytes(storage.read_bytes()[:200])

    assert main(['score', str(tmp_path / 'data'), '--ensemble', str(built.path)]) == 0

    captured = capsys.readouterr()
    assert 'left out' in captured.err
    assert 'episode-2' in captured.err
    assert captured.out.splitlines()[1].split()[:2] == ['push', '1']


def test_the_only_bag_is_refused_by_its_own_error(write_episode, built, capsys):
    broken = write_episode(1)
    storage = next(broken.glob('*.mcap'))
    storage.write_bytes(storage.read_bytes()[:200])

    assert main(['score', str(broken), '--ensemble', str(built.path),
                 '--tolerance', '1e300']) == 2

    captured = capsys.readouterr()
    assert captured.err.count('active-collection: ') == 1
    assert 'expected a whole' in captured.err


def test_a_place_that_cannot_be_written_is_refused_before_the_work(
        write_episode, built, tmp_path, capsys):
    (tmp_path / 'file').write_text('')

    assert main(['score', str(write_episode(1)), '--ensemble', str(built.path),
                 '--out', str(tmp_path / 'file' / 'x.parquet')]) == 2

    captured = capsys.readouterr()
    assert captured.out == ''
    assert captured.err.startswith(f'active-collection: {tmp_path}/file: found ')
