# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Chosen episodes become a LeRobot dataset v3.0: read by pyarrow, PyAV and lerobot itself."""
from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from bag_factory import JOINTS
from bag_factory import START_NS
from bag_factory import STORE
from bag_factory import actor
from bag_factory import camera
from bag_factory import header
from bag_factory import scene
from bag_factory import write_bag
from other_python import answers
from other_python import python_with

from active_collection.annotation.chosen import easy_to_hard
from active_collection.annotation.chosen import episodes_of
from active_collection.annotation.items import Item
from active_collection.annotation.lerobot import layout
from active_collection.annotation.lerobot import statistics
from active_collection.annotation.lerobot.dataset import Settings
from active_collection.annotation.lerobot.dataset import write_dataset
from active_collection.bags.observation import ObservationSpec
from active_collection.episode import Actor
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import AnnotationError
from active_collection.errors import ConfigError
from active_collection.names import namespace_of
from active_collection.pipeline.rounds.content import cameras_of
from active_collection.scenario import Scenario

av = pytest.importorskip('av')

FPS = 10
CAMERA = 'observation.images.front'
SPEC = ObservationSpec.model_validate({
    'format': 1, 'reference': 'joint_states',
    'observation': [{'name': 'arm', 'field': 'joint_states.position'}],
    'action': {'field': 'action.position', 'low': [-9.0], 'high': [9.0]}})


def joint_state(stamp_ns, *values):
    return STORE.types[JOINTS](header(stamp_ns), ['a', 'b', 'c'][:len(values)],
                               np.array(values, float), np.empty(0), np.empty(0))


def episode(path, number, *, seconds=2.0, pictures=None, actors=None, source=Source.POLICY):
    """
    A bag in which joint 0 is the time and joint 1 the episode's number, at 50 Hz.

    `actors`: time (s) to who acts from it on; without, the bag has no episode record.
    """
    record = EpisodeRecord(f'e{number}', Scenario('pick', 'lab'), 'arm_1', source, START_NS,
                           finished_ns=START_NS + 10**9, outcome=Outcome.SUCCESS)
    entries = list(camera(round(seconds * 10) if pictures is None else pictures,
                          first=20 * number))
    for i in range(round(seconds * 50)):
        ns = START_NS + i * 20_000_000
        entries += [('/joint_states', ns + 100, joint_state(ns, i / 50, float(number))),
                    ('/action', ns + 200, joint_state(ns + 5_000_000, -i / 50))]
    for when, who in (actors or {}).items():
        ns = START_NS + round(when * 10**9)
        entries.append(('/actor', ns, actor(ns, who, record.episode_id)))
    return write_bag(path, sorted(entries, key=lambda e: e[1]),
                     record=None if actors is None else record)


def item(bag, order, *, task='pick', unit=''):
    return Item(unit_id=unit or f'u{order}', file='', order=order, bag=str(bag),
                topic='/camera/image_raw', receive_ns=START_NS, sequence=0, stamp_ns=START_NS,
                width=32, height=24, task=task)


@pytest.fixture(scope='module')
def bags(tmp_path_factory):
    directory = tmp_path_factory.mktemp('bags')
    return [episode(directory / f'b{n}', n) for n in range(3)]


def export(bags, directory, **changes):
    settings = {'spec': SPEC, 'fps': FPS, 'cameras': {'front': 'camera/image_raw'}, **changes}
    chosen = episodes_of([item(bag, n, task='push' if n == 1 else 'pick')
                          for n, bag in enumerate(bags)])
    return write_dataset(chosen, directory, Settings(**settings))


@pytest.fixture(scope='module')
def dataset(bags, tmp_path_factory):
    directory = tmp_path_factory.mktemp('out') / 'dataset'
    assert export(bags, directory).missing == ()
    return directory


def info(directory):
    return json.loads((directory / layout.INFO).read_text())


def rows(directory):
    return pq.read_table(directory / layout.DATA.format(**layout.place(0)))


def episodes(directory):
    return pq.read_table(directory / layout.EPISODES.format(**layout.place(0))).to_pylist()


def test_the_description_names_every_column_and_counts(dataset):
    said = info(dataset)
    assert said['codebase_version'] == 'v3.0'
    assert (said['total_episodes'], said['fps'], said['total_tasks']) == (3, FPS, 2)
    assert said['total_frames'] == rows(dataset).num_rows
    numeric = {name for name, f in said['features'].items() if f['dtype'] != 'video'}
    assert numeric == set(rows(dataset).column_names)
    assert said['features'][CAMERA]['shape'] == [24, 32, 3]
    assert said['features']['observation.state']['names'] == ['arm.0', 'arm.1']


def test_time_is_steady_and_starts_anew_in_each_episode(dataset):
    table = rows(dataset)
    for row in episodes(dataset):
        own = table.slice(row['dataset_from_index'], row['length'])
        assert set(own['episode_index'].to_pylist()) == {row['episode_index']}
        np.testing.assert_allclose(own['timestamp'].to_numpy(),
                                   np.arange(row['length']) / FPS, atol=1e-6)
        assert own['frame_index'].to_pylist() == list(range(row['length']))
    assert table['index'].to_pylist() == list(range(table.num_rows))


def test_state_is_the_newest_before_and_action_the_first_after_each_instant(dataset):
    table = rows(dataset)
    state = np.array(table['observation.state'].to_pylist())
    np.testing.assert_allclose(state[:, 0], table['timestamp'].to_numpy(), atol=1e-6)
    np.testing.assert_allclose(state[:, 1], table['episode_index'].to_numpy())
    np.testing.assert_allclose(table['action'].to_numpy(), -state[:, 0], atol=1e-6)


def test_the_picture_of_each_row_is_that_of_its_instant(dataset):
    for row in episodes(dataset):
        path = dataset / layout.VIDEO.format(video_key=CAMERA, chunk_index=0, file_index=0)
        first = row[f'videos/{CAMERA}/from_timestamp']
        with av.open(str(path)) as container:
            frames = [(float(f.pts * f.time_base), f.to_ndarray(format='rgb24'))
                      for f in container.decode(video=0)]
        stamps = np.array([stamp for stamp, _ in frames])
        for number in (0, 7, row['length'] - 1):
            shown = frames[int(np.abs(stamps - first - number / FPS).argmin())]
            assert abs(shown[0] - first - number / FPS) < 1e-4
            expected = scene(20 * row['episode_index'] + number).astype(float)
            assert np.abs(shown[1] - expected).mean() < 12


def test_each_episode_maps_back_to_its_bag_and_task(dataset, bags):
    tasks = pq.read_table(dataset / layout.TASKS).to_pydict()
    assert dict(zip(tasks['task'], tasks['task_index'], strict=True)) == {'pick': 0, 'push': 1}
    said = episodes(dataset)
    assert [row['source/bag'] for row in said] == [str(bag) for bag in bags]
    assert [row['tasks'] for row in said] == [['pick'], ['push'], ['pick']]
    assert all(row['source/start_ns'] >= START_NS for row in said)


def test_the_statistics_are_those_of_the_numbers(dataset):
    stats = json.loads((dataset / layout.STATS).read_text())
    state = np.array(rows(dataset)['observation.state'].to_pylist())
    for name, expected in (('mean', state.mean(0)), ('std', state.std(0)), ('min', state.min(0)),
                           ('max', state.max(0))):
        np.testing.assert_allclose(stats['observation.state'][name], expected, atol=1e-6)
    assert np.shape(stats[CAMERA]['mean']) == (3, 1, 1)
    assert 0 < np.min(stats[CAMERA]['mean']) <= np.max(stats[CAMERA]['mean']) < 1
    assert set(stats['action']) == {'min', 'max', 'mean', 'std', 'count', *statistics.QUANTILES}


def test_files_end_at_their_size_and_the_next_episode_says_where_it_is(bags, tmp_path):
    export(bags, tmp_path / 'd', data_mb=0, video_mb=0)
    for row in episodes(tmp_path / 'd'):
        number = row['episode_index']
        assert row['data/file_index'] == row[f'videos/{CAMERA}/file_index'] == number
        assert row[f'videos/{CAMERA}/from_timestamp'] == 0.0
        table = pq.read_table(tmp_path / 'd' / layout.DATA.format(chunk_index=0,
                                                                  file_index=number))
        assert set(table['episode_index'].to_pylist()) == {number}


def test_episodes_that_the_encoder_holds_back_whole_go_into_one_video(tmp_path):
    bags = [episode(tmp_path / f'b{n}', n, seconds=0.3) for n in range(3)]

    written = export(bags, tmp_path / 'dataset')

    assert (written.episodes, written.frames) == (3, 9)
    with av.open(str(tmp_path / 'dataset' / layout.VIDEO.format(
            video_key=CAMERA, **layout.place(0)))) as video:
        assert sum(1 for _ in video.decode(video=0)) == 9


def test_where_a_person_took_over_from_the_policy_is_an_intervention(bags, tmp_path):
    actors = {0.0: Actor.POLICY, 0.5: Actor.NOBODY, 0.8: Actor.PERSON, 1.4: Actor.POLICY,
              1.7: Actor.SCRIPT}
    helped = episode(tmp_path / 'helped', 7, actors=actors)
    old = episode(tmp_path / 'old', 8, actors={})
    by_hand = episode(tmp_path / 'by_hand', 9, source=Source.TELEOPERATION,
                      actors={0.0: Actor.PERSON, 0.5: Actor.POLICY, 1.0: Actor.PERSON})

    export([helped, old, by_hand, bags[0]], tmp_path / 'd', cameras={})

    table = rows(tmp_path / 'd')
    time, whole = table['timestamp'].to_numpy(), [tuple(row.values()) for row in table.select(
        ['episode_index', 'intervention']).to_pylist()]
    expected = [(0, bool(0.79 < t < 1.39 or t > 1.69)) for t in time[:20]]
    assert whole[:20] == expected
    assert {(number, False) for number in (1, 2, 3)} == set(whole[20:])
    assert info(tmp_path / 'd')['features']['intervention'] == {
        'dtype': 'bool', 'shape': [1], 'names': None}


def test_numbers_alone_need_no_video(bags, tmp_path):
    export(bags, tmp_path / 'd', cameras={})
    assert info(tmp_path / 'd')['video_path'] is None
    assert not (tmp_path / 'd' / 'videos').exists()


def test_an_episode_that_cannot_be_read_is_left_out_and_named(bags, tmp_path):
    silent = episode(tmp_path / 'silent', 5, pictures=3)
    written = export([bags[0], silent, tmp_path / 'gone', bags[2]], tmp_path / 'd')
    assert written.episodes == 2
    assert len(written.missing) == 2
    assert 'no picture for' in written.missing[0]
    assert 'gone' in written.missing[1]
    assert [row['episode_index'] for row in episodes(tmp_path / 'd')] == [0, 1]
    last = rows(tmp_path / 'd').slice(episodes(tmp_path / 'd')[1]['dataset_from_index'])
    assert {v[1] for v in last['observation.state'].to_pylist()} == {2.0}


@pytest.mark.parametrize('wrong', [{'fps': 0}, {'fps': 5000}])
def test_a_rate_out_of_range_is_refused(bags, tmp_path, wrong):
    with pytest.raises(ConfigError, match='fps'):
        export(bags, tmp_path / 'd', **wrong)


def test_nothing_is_left_where_no_episode_can_be_exported(bags, tmp_path):
    with pytest.raises(AnnotationError, match='nowhere'):
        export(bags, tmp_path / 'd', cameras={'front': 'nowhere'})
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_there_is_left_alone(bags, tmp_path):
    (tmp_path / 'd').mkdir()
    with pytest.raises(AnnotationError, match='new directory'):
        export(bags, tmp_path / 'd')


def test_a_curriculum_goes_from_easy_to_hard(bags):
    items = [item(bag, n) for n, bag in enumerate(bags)]
    order = easy_to_hard(episodes_of(items, {'u0': 0.5, 'u1': 0.9, 'u2': 0.1}))
    assert [e.bag for e in order] == [str(bags[n]) for n in (2, 0, 1)]
    with pytest.raises(AnnotationError, match='neither uncertainty nor novelty'):
        easy_to_hard(episodes_of(items, {'u0': 0.5}))


#: What lerobot's own reader says of a dataset, by its own Python: it pins other versions of av
#: and torch than ours.
PROBE = """
import json, sys
from lerobot.datasets.lerobot_dataset import LeRobotDataset
read = LeRobotDataset('local/test', root=sys.argv[1], video_backend='pyav')
rows = [read[i] for i in range(len(read))]
print('said', json.dumps({
    'episodes': read.num_episodes, 'frames': len(read), 'fps': read.fps,
    'tasks': [row['task'] for row in rows],
    'state': [row['observation.state'].tolist() for row in rows],
    'action': [row['action'].tolist() for row in rows],
    'picture': list(rows[-1]['observation.images.front'].shape),
    'intervention': [bool(row['intervention']) for row in rows],
    'bright': [float(row['observation.images.front'].mean()) for row in rows],
    'mean': read.meta.stats['observation.state']['mean'].tolist()}))
part = LeRobotDataset('local/test', root=sys.argv[1], episodes=[1], video_backend='pyav',
                      delta_timestamps={'action': [0.0, 0.1, 0.2]})
print('said', json.dumps([len(part), list(part[0]['action'].shape)]))
"""


def test_lerobot_itself_reads_it(dataset, tmp_path):
    python = python_with('lerobot', 'LEROBOT_PYTHON')
    said, part = answers(python, PROBE, dataset, home=tmp_path)

    table = rows(dataset)
    assert (said['episodes'], said['frames'], said['fps']) == (3, table.num_rows, FPS)
    names = ['pick', 'push', 'pick']
    assert said['tasks'] == [names[n] for n in table['episode_index'].to_pylist()]
    np.testing.assert_allclose(said['state'], table['observation.state'].to_pylist(), atol=1e-6)
    np.testing.assert_allclose(np.ravel(said['action']), np.ravel(table['action'].to_pylist()),
                               atol=1e-6)
    np.testing.assert_allclose(said['mean'], np.mean(said['state'], axis=0), atol=1e-5)
    assert said['intervention'] == table['intervention'].to_pylist()
    assert said['picture'] == [3, 24, 32]
    expected = [scene(20 * e + f).mean() / 255 for e, f in zip(
        table['episode_index'].to_pylist(), table['frame_index'].to_pylist(), strict=True)]
    np.testing.assert_allclose(said['bright'], expected, atol=0.03)
    assert part == [episodes(dataset)[1]['length'], [3]]  # lerobot holds shape (1,) as scalars


def recorded_by(robot, path):
    """A bag of a robot's own episode with the topics of a second one, whose camera is another."""
    own, other = namespace_of(robot), f'{namespace_of(robot)}0'
    entries = [entry for place in (own, other) for entry in camera(
        2, topic=f'{place}/wrist/image_raw', size=(24, 32))]
    for i in range(10):
        ns = START_NS + i * 20_000_000
        entries += [(f'{place}/{topic}', ns + k, joint_state(ns, float(place == own)))
                    for place in (own, other)
                    for k, topic in enumerate(('joint_states', 'action'))]
    record = EpisodeRecord('e', Scenario('pick', 'lab'), robot, Source.SCRIPTED, START_NS,
                           finished_ns=START_NS + 10**9, outcome=Outcome.SUCCESS)
    return write_bag(path, sorted(entries, key=lambda e: e[1]), record=record)


@pytest.mark.parametrize('robot', ['arm_1', 'cell_3.arm_1'])
def test_of_a_bag_with_two_robots_that_of_the_episode_is_exported(tmp_path, robot):
    bag = recorded_by(robot, tmp_path / 'bag')
    picture = replace(item(bag, 0), topic=f'{namespace_of(robot)}/wrist/image_raw')

    assert cameras_of([picture]) == {'wrist': 'wrist/image_raw'}
    settings = Settings(spec=SPEC, fps=FPS, cameras=cameras_of([picture]))
    assert write_dataset(episodes_of([picture]), tmp_path / 'd', settings).missing == ()

    assert set(rows(tmp_path / 'd')['observation.state'].to_pylist()) == {1.0}
