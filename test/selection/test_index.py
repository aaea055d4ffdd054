# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from bag_factory import START_NS
from bag_factory import STORE
from bag_factory import camera
from bag_factory import estimate
from bag_factory import image
from bag_factory import joints
from bag_factory import scene
from bag_factory import write_bag

from active_collection.bags.find import find_bags
from active_collection.episode import CUSTOM_DATA_KEY
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import ConfigError
from active_collection.errors import SelectionError
from active_collection.names import is_safe_name
from active_collection.scenario import Scenario
from active_collection.selection import engines
from active_collection.selection import index as index_module
from active_collection.selection.extractors.descriptor import Descriptor
from active_collection.selection.fingerprint import former_content_key
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling
from active_collection.selection.pool import Pool

ALL = IndexSettings('descriptor', sampling=Sampling(rate_hz=0))
RECORD = EpisodeRecord('e0', Scenario.of('reach', 'lab', {'x': 0.1}), 'robot_1', Source.SCRIPTED,
                       START_NS)


@pytest.fixture
def data(tmp_path):
    for i in range(3):
        write_bag(tmp_path / 'bags' / f'b{i}', camera(6, first=10 * i))
    return tmp_path


def run(data, settings=ALL, pool='pool'):
    return index(find_bags([data / 'bags']), data / pool, settings)


def test_a_row_holds_what_the_bag_says_and_maps_back_to_its_message(data):
    report = run(data)
    pool = Pool.open(data / 'pool')
    assert (report.indexed, report.added, report.units) == (3, 18, 18)
    rows = sorted(pool.units.to_pylist(), key=lambda r: (r['bag'], r['receive_ns']))
    assert [r['bag'] for r in rows[::6]] == ['bags/b0', 'bags/b1', 'bags/b2']
    assert rows[7]['receive_ns'] == START_NS + 101_000_000
    assert rows[7]['stamp_ns'] == START_NS + 100_000_000
    assert (rows[7]['width'], rows[7]['height']) == (32, 24)
    assert pool.bag_path('bags/b1') == (data / 'bags' / 'b1').resolve()
    assert len({r['unit_id'] for r in rows}) == 18
    assert all(is_safe_name(r['unit_id']) for r in rows)
    assert np.isnan(rows[0]['epistemic'])
    expected = Descriptor({}).embed([scene(11)])[0]
    assert np.array_equal(pool.embeddings[rows[7]['embedding_row']], expected)


def test_the_episode_record_and_the_estimates_are_joined(tmp_path):
    frames = camera(4)
    stamps = [ns - 1_000_000 for _, ns, _ in frames]
    estimates = [('/robot_1/uncertainty/estimate', stamp + 40_000_000, estimate(stamp, 0.1 * i))
                 for i, stamp in enumerate(stamps[:3])]
    others = [('/robot_2/uncertainty/estimate', stamp, estimate(stamp, 9.0)) for stamp in stamps]
    frames = [(f'/robot_1{topic}', ns, message) for topic, ns, message in frames]
    write_bag(tmp_path / 'bags' / 'e0', sorted([*frames, *estimates, *others],
                                             key=lambda e: e[1]), record=RECORD)
    run(tmp_path, replace(ALL, sampling=Sampling(rate_hz=0, tolerance_s=0.05)))
    rows = Pool.open(tmp_path / 'pool').units.to_pylist()
    assert [r['epistemic'] for r in rows[:3]] == pytest.approx([0.0, 0.1, 0.2])
    assert np.isnan(rows[3]['epistemic'])
    assert {(r['episode_id'], r['task'], r['environment'], r['robot'], r['outcome'])
            for r in rows} == {('e0', 'reach', 'lab', 'robot_1', 'unknown')}


@pytest.mark.parametrize(('rate', 'expected'), [(0, 31), (2.0, 7), (10.0, 31), (3.0, 10)])
def test_the_rate_limits_frames_a_second_without_drift(tmp_path, rate, expected):
    rng = np.random.default_rng(0)
    frames = [(t, ns + int(rng.integers(0, 4_000_000)), m) for t, ns, m in camera(31)]
    write_bag(tmp_path / 'bags' / 'b', frames)
    run(tmp_path, IndexSettings('descriptor', sampling=Sampling(rate_hz=rate)))
    assert len(Pool.open(tmp_path / 'pool')) == expected


def test_any_tolerance_will_do(data):
    assert run(data, replace(ALL, sampling=Sampling(rate_hz=0, tolerance_s=1e300))).units == 18


def test_indexing_again_reads_only_what_is_new(data, monkeypatch):
    run(data)
    before = (data / 'pool' / 'index.parquet').stat().st_mtime_ns
    assert run(data).unchanged == 3
    assert (data / 'pool' / 'index.parquet').stat().st_mtime_ns == before
    write_bag(data / 'bags' / 'b3', camera(2, first=90))
    report = run(data)
    assert (report.indexed, report.unchanged, report.units) == (1, 3, 20)
    pool = Pool.open(data / 'pool')
    assert sorted(pool.numbers('embedding_row')) == list(range(20))


def test_a_changed_bag_replaces_its_rows(data):
    run(data)
    shutil.rmtree(data / 'bags' / 'b1')
    write_bag(data / 'bags' / 'b1', camera(2, first=70))
    report = run(data)
    pool = Pool.open(data / 'pool')
    assert (report.indexed, report.units) == (1, 14)
    assert pool.texts('bag').count('bags/b1') == 2


def test_a_bag_that_moved_keeps_its_units_and_gets_its_path(data):
    run(data)
    old = Pool.open(data / 'pool')
    before = dict(zip(old.texts('unit_id'), old.texts('bag'), strict=True))
    (data / 'bags' / 'b1').rename(data / 'bags' / 'x')
    (data / 'bags' / 'b0').rename(data / 'bags' / 'b1')
    (data / 'bags' / 'x').rename(data / 'bags' / 'b0')
    assert run(data).unchanged == 3
    pool = Pool.open(data / 'pool')
    swapped = {'bags/b0': 'bags/b1', 'bags/b1': 'bags/b0', 'bags/b2': 'bags/b2'}
    assert dict(zip(pool.texts('unit_id'), pool.texts('bag'), strict=True)) == {
        unit: swapped[bag] for unit, bag in before.items()}


def test_a_copy_is_counted_once(data):
    shutil.copytree(data / 'bags' / 'b1', data / 'bags' / 'copy')
    report = run(data)
    assert (report.copies, report.units) == (1, 18)


def test_an_amended_record_is_taken_without_reading_the_images(tmp_path):
    path = write_bag(tmp_path / 'bags' / 'e0', camera(3), record=RECORD)
    run(tmp_path)
    metadata = path / 'metadata.yaml'
    content = yaml.safe_load(metadata.read_text())
    content['rosbag2_bagfile_information']['custom_data'][CUSTOM_DATA_KEY] = RECORD.amended(
        outcome=Outcome.SUCCESS).to_json()
    metadata.write_text(yaml.safe_dump(content))
    assert run(tmp_path).unchanged == 1
    assert set(Pool.open(tmp_path / 'pool').texts('outcome')) == {'success'}


def test_broken_bags_are_reported_and_the_others_indexed(data):
    write_bag(data / 'bags' / 'states', [('/joint_states', START_NS, joints())])
    whole = (data / 'bags' / 'b0' / 'b0.mcap').read_bytes()
    (data / 'bags' / 'cut.mcap').write_bytes(whole[:len(whole) // 2])
    report = run(data)
    # Of the bag that was cut off, the pictures before the cut.
    assert (report.indexed, report.units) == (4, 21)
    assert any('cut.mcap' in line and 'cut off' in line for line in report.corrupt)
    assert [bag.rsplit('/', 1)[1] for bag, _ in report.failed] == ['states']
    assert '/joint_states' in report.failed[0][1]


def test_bags_without_data_are_no_copies_of_each_other(data):
    for name in ('lost', 'gone'):
        (data / 'bags' / name).mkdir()
        (data / 'bags' / name / 'metadata.yaml').write_text('{')
    (data / 'bags' / 'nowhere.mcap').symlink_to(data / 'none.mcap')

    report = run(data)

    assert sorted(bag.rsplit('/', 1)[1] for bag, _ in report.failed) == [
        'gone', 'lost', 'nowhere.mcap']
    assert report.copies == 0


def test_corrupt_images_are_left_out_and_counted(tmp_path):
    broken = image(scene(1))
    broken.step = 3
    frames = [*camera(3), ('/camera/image_raw', START_NS + 10**9, broken)]
    write_bag(tmp_path / 'bags' / 'b', frames)
    report = run(tmp_path)
    assert report.added == 3
    assert len(report.corrupt) == 1
    assert 'step' in report.corrupt[0]


def test_processes_give_the_same_pool_as_one(data, monkeypatch):
    run(data)
    monkeypatch.setattr(index_module, '_PROCESS_BYTES', 1)
    run(data, replace(ALL, processes=2), 'other')
    one, two = Pool.open(data / 'pool'), Pool.open(data / 'other')
    key = [('unit_id', 'ascending')]
    columns = one.units.column_names[:one.units.column_names.index('epistemic')]
    assert one.units.sort_by(key).select(columns) == two.units.sort_by(key).select(columns)


def test_a_killed_run_goes_on_where_it_stopped(data, monkeypatch):
    real = engines.run_job
    calls = []

    def dies_at_the_third(job):
        calls.append(job)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(job)

    monkeypatch.setattr(engines, 'run_job', dies_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(data)
    monkeypatch.setattr(engines, 'run_job', real)
    report = run(data)
    assert (report.indexed, report.unchanged, report.units) == (1, 2, 18)
    assert not list((data / 'pool' / 'parts').iterdir())


def test_what_a_killed_run_of_another_kind_left_is_not_taken(data, monkeypatch):
    real = engines.run_job
    calls = []

    def dies_at_the_second(job):
        calls.append(job)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(job)

    monkeypatch.setattr(engines, 'run_job', dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run(data)
    monkeypatch.setattr(engines, 'run_job', real)
    sparse = replace(ALL, sampling=Sampling(rate_hz=1))

    report = run(data, sparse)

    assert (report.indexed, report.unchanged) == (3, 0)
    assert Pool.open(data / 'pool').description.rate_hz == 1


def test_parts_that_are_merged_already_do_not_count_twice(data, monkeypatch):
    monkeypatch.setattr('pathlib.Path.unlink', lambda self, missing_ok=False: None)
    run(data)
    monkeypatch.undo()
    assert run(data).units == 18


@pytest.mark.parametrize('change', [
    {'dtype': 'float16'}, {'sampling': Sampling(rate_hz=1)},
    {'sampling': Sampling(rate_hz=0, topics=('/other',))}])
def test_a_pool_is_indexed_in_one_way_only(data, change):
    run(data)
    with pytest.raises(SelectionError, match=r'description\.json'):
        run(data, replace(ALL, **change))


def test_two_processes_do_not_write_one_pool(data):
    (data / 'pool').mkdir()
    with index_module._locked(data / 'pool'), pytest.raises(SelectionError, match='another'):
        run(data)


def test_unknown_extractors_engines_and_options_are_refused(data):
    with pytest.raises(ConfigError, match='descriptor'):
        run(data, replace(ALL, extractor='descripter'))
    with pytest.raises(ConfigError, match='index engine'):
        run(data, replace(ALL, engine='ry'))
    with pytest.raises(ConfigError, match='option'):
        run(data, replace(ALL, options=(('a', 'b'),)))


def test_float16_embeddings_are_stored_as_such(data):
    run(data, replace(ALL, dtype='float16'))
    assert Pool.open(data / 'pool').embeddings.dtype == np.float16


@pytest.mark.parametrize('damage', [
    lambda p: (p / 'index.parquet').write_bytes(b'PAR1'),
    lambda p: (p / 'embeddings.npy').write_bytes(b''),
    lambda p: (p / 'description.json').write_text('{'),
    lambda p: (p / 'description.json').unlink(),
    lambda p: np.save(p / 'embeddings.npy', np.zeros((3, 576), np.float32)),
    lambda p: pq.write_table(pq.read_table(p / 'index.parquet').drop_columns(['topic']),
                             p / 'index.parquet')])
def test_a_damaged_pool_is_an_error_of_one_line(data, damage):
    run(data)
    damage(data / 'pool')
    with pytest.raises(SelectionError) as caught:
        Pool.open(data / 'pool')
    assert '\n' not in str(caught.value)


def test_codes_tell_groups_apart(data):
    run(data)
    pool = Pool.open(data / 'pool')
    assert len(set(pool.codes('bag', 'topic'))) == 3
    assert len(set(pool.codes('unit_id'))) == 18


def test_the_store_of_the_factory_knows_the_package_messages():
    assert 'active_collection/msg/UncertaintyEstimate' in STORE.types


def test_a_copy_in_the_store_is_the_bag_that_was_indexed(data):
    run(data)
    for bag in find_bags([data / 'bags']):
        (bag / 'manifest.sha256').write_text(f'{"0" * 64}  metadata.yaml\n')
    assert run(data).unchanged == 3


def test_a_pool_that_knows_copies_by_their_former_key_goes_on_with_it(data, monkeypatch):
    for bag in find_bags([data / 'bags']):
        (bag / 'manifest.sha256').write_text(f'{"0" * 64}  {bag.name}\n')
    with monkeypatch.context() as formerly:
        formerly.setattr(index_module, 'content_key', former_content_key)
        run(data)
    report = run(data)
    assert (report.unchanged, report.indexed) == (3, 0)
