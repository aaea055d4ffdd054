# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Robots that call their episodes the same share a store, and none loses its last copy."""
from __future__ import annotations

import hashlib
import json
import shutil
import threading

import pytest

from active_collection.bags.episodes import MANIFEST
from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.cli import main as command_line
from active_collection.episode import Outcome
from active_collection.errors import ActiveCollectionError
from active_collection.errors import RecordingError
from active_collection.recording import confirmation
from active_collection.recording.episode_index import EpisodeIndex
from active_collection.recording.remote_store import Store
from active_collection.recording.retention import choose
from active_collection.recording.retention import remove
from active_collection.recording.settings import RetentionRules
from active_collection.recording.sync import sync
from active_collection.selection.fingerprint import content_key

ALL = tuple(outcome.value for outcome in Outcome)
RULES = RetentionRules(outcomes=ALL, maximum_age_days=0.1)


@pytest.fixture
def store(tmp_path):
    made = Store((tmp_path / 'fleet' / 'episodes').as_uri())
    made.check()
    return made


@pytest.fixture
def make_robot(make_bench, tmp_path):
    def make(robot, *, message=b'\0\1\0\0\2\0\0\0a\0'):
        bench = make_bench(robot=robot, data_directory=str(tmp_path / robot))
        bench.add_topic('/a')
        bench.start(episode_id='test_1')
        bench.send('/a', message, count=20)
        bench.recorder.finish('test_1', outcome=Outcome.SUCCESS)
        return bench

    return make


def brought(bench, store):
    return list(sync(bench.recorder.store.data, store))


def as_formerly(bench, store, tmp_path):
    """Lay a copy of an episode where it was laid when no robot was in its place."""
    path = bench.last_path
    copy = tmp_path / 'fleet' / 'episodes' / path.parent.name / path.name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(path, copy)
    sums = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in path.iterdir()}
    (copy / MANIFEST).write_text(''.join(f'{s}  {n}\n' for n, s in sorted(sums.items())))
    content = {'target': f'{store.url}/{path.parent.name}/{path.name}', 'files': {
        name: {'size': (path / name).stat().st_size,
               'modified_ns': (path / name).stat().st_mtime_ns, 'sha256': value}
        for name, value in sums.items()}}
    kept = bench.recorder.store.data / 'synced' / 'test_1.json'
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(content))
    return copy


def retained(bench):
    bench.clock.pass_s(24 * 3600)
    index = EpisodeIndex(bench.recorder.store, robot='')
    index.scan(threading.Event(), share=1.0)
    return list(choose(index, RULES, now_ns=bench.clock.ns))


def test_two_robots_call_an_episode_the_same(make_robot, store, tmp_path):
    robots = [make_robot('arm_1'), make_robot('arm_2')]
    for bench in robots:
        [result] = brought(bench, store)
        assert result.copied
    copies = find_episodes(tmp_path / 'fleet')
    assert [read_record(copy).robot for copy in copies] == ['arm_1', 'arm_2']
    for bench, copy in zip(robots, copies, strict=True):
        assert content_key(copy) == content_key(bench.last_path)


def test_copies_of_every_robot_are_found_in_the_store(make_robot, store, tmp_path, capsys):
    old = make_robot('arm_1')
    as_formerly(old, store, tmp_path)
    new = make_robot('arm_2')
    brought(new, store)
    fleet = str(tmp_path / 'fleet')
    assert command_line.main(['episodes', 'list', fleet]) == 0
    listed = capsys.readouterr().out
    assert listed.count('test_1') == 2 and 'arm_1' in listed and 'arm_2' in listed
    assert command_line.main(['episodes', 'verify', fleet]) == 0
    assert command_line.main(['episodes', 'show', 'test_1', '--data', fleet]) == 0


def test_what_was_copied_without_a_robot_is_kept_up_to_date_there(make_robot, store, tmp_path):
    bench = make_robot('arm_1')
    copy = as_formerly(bench, store, tmp_path)
    [result] = brought(bench, store)
    assert (result.copied, result.target) == (0, f'{store.url}/{copy.parent.name}/test_1')
    bench.recorder.amend('test_1', outcome=Outcome.FAILURE)
    [result] = brought(bench, store)
    assert 0 < result.copied < 10_000
    assert find_episodes(tmp_path / 'fleet') == [copy]
    assert read_record(copy).outcome is Outcome.FAILURE
    assert [removal.path for removal in retained(bench)] == [bench.last_path]


def test_what_another_robot_has_overwritten_is_copied_again(make_robot, store, tmp_path):
    first, second = make_robot('arm_1'), make_robot('arm_2')
    as_formerly(first, store, tmp_path)
    as_formerly(second, store, tmp_path)  # in the same place
    assert not retained(first), 'what said so then does not count any more'
    [result] = brought(first, store)
    assert result.copied and result.target.endswith('/arm_1/2026-09-21/test_1')
    assert retained(first)
    [result] = brought(second, store)
    assert not result.copied
    assert sorted(read_record(copy).robot for copy in find_episodes(tmp_path / 'fleet')) == [
        'arm_1', 'arm_2']


def test_a_name_that_was_given_twice_replaces_no_copy(make_robot, store, tmp_path):
    first = make_robot('arm_1')
    brought(first, store)
    remove(retained(first)[0])
    again = make_robot('arm_1', message=b'\0\1\0\0\2\0\0\0b\0')
    [error] = brought(again, store)
    assert isinstance(error, ActiveCollectionError)
    assert f'{store.url}/arm_1/' in str(error) and str(again.last_path) in str(error)
    [copy] = find_episodes(tmp_path / 'fleet')
    assert content_key(copy) != content_key(again.last_path)
    assert not retained(again)
    copy.rename(copy.with_name('test_1_before'))
    [result] = brought(again, store)
    assert result.copied and len(find_episodes(tmp_path / 'fleet')) == 2


def test_a_robot_s_name_that_is_no_path_leads_nowhere_else(make_robot, store, tmp_path):
    bench = make_robot('arm_1')
    metadata = bench.last_path / 'metadata.yaml'
    metadata.write_text(metadata.read_text().replace('"arm_1"', '"../../up"'))
    [result] = brought(bench, store)
    assert result.target.endswith('/_/2026-09-21/test_1')
    assert not (tmp_path / 'up').exists() and not (tmp_path / 'fleet' / 'up').exists()


def test_a_copy_is_no_bag_before_its_last_file(make_robot, store, tmp_path, monkeypatch):
    bench = make_robot('arm_1')
    put, at_each = Store.put, []

    def watched(self, path, name):
        put(self, path, name)
        at_each.append((path.name, len(find_episodes(tmp_path / 'fleet'))))

    monkeypatch.setattr(Store, 'put', watched)
    brought(bench, store)
    assert at_each == [('test_1_0.mcap', 0), ('metadata.yaml', 1)]


def test_what_is_amended_while_it_is_removed_stays(make_robot, store):
    bench = make_robot('arm_1')
    brought(bench, store)
    [removal] = retained(bench)
    bench.recorder.amend('test_1', outcome=Outcome.FAILURE)
    with pytest.raises(RecordingError, match='changed since they were copied'):
        remove(removal)
    assert read_record(bench.last_path).outcome is Outcome.FAILURE


def test_a_file_that_is_replaced_has_its_old_content_until_it_has_its_new(make_robot, tmp_path):
    import fsspec

    class Moves(fsspec.implementations.local.LocalFileSystem):
        """A file system that refuses to move a file onto another, and fails when it is told to."""

        protocol = 'moves'
        failing = False

        @classmethod
        def _strip_protocol(cls, path):  # before 2024 fsspec's own knows but its own protocols
            return super()._strip_protocol(str(path).removeprefix('moves://'))

        def mv(self, old, new, **options):
            if self.exists(new):
                raise FileExistsError(new)
            if Moves.failing and old.endswith('.partial'):
                raise OSError('Failure')
            super().mv(old, new, **options)

    fsspec.register_implementation('moves', Moves, clobber=True)
    store = Store(f'moves://{tmp_path}/there')
    one, two = tmp_path / 'one', tmp_path / 'two'
    one.write_text('one')
    two.write_text('two')
    store.put(one, 'd/x')
    Moves.failing = True
    with pytest.raises(ActiveCollectionError):
        store.put(two, 'd/x')
    assert store.read('d/x') == b'one'
    Moves.failing = False
    store.put(two, 'd/x')
    store.write('d/y', b'three')
    assert (store.read('d/x'), store.read('d/y')) == (b'two', b'three')
    assert sorted(p.name for p in (tmp_path / 'there' / 'd').iterdir()) == ['x', 'y']


def test_confirmations_of_former_times_are_not_believed(make_robot, store, tmp_path):
    bench = make_robot('arm_1')
    as_formerly(bench, store, tmp_path)
    assert confirmation.read(bench.recorder.store.data, 'test_1') is None
    brought(bench, store)
    assert confirmation.read(bench.recorder.store.data, 'test_1').covers(bench.last_path)
