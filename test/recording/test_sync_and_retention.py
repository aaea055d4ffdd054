# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Episodes reach the central store whole, and only what has may be removed."""
from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from active_collection.cli import main as command_line
from active_collection.cli import sync as sync_command
from active_collection.episode import Outcome
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.recording.episode_index import EpisodeIndex
from active_collection.recording.remote_store import Store
from active_collection.recording.retention import choose
from active_collection.recording.retention import clean
from active_collection.recording.retention import remove
from active_collection.recording.settings import RetentionRules
from active_collection.recording.sync import MANIFEST
from active_collection.recording.sync import sync

DAY_S = 24 * 3600.0
ALL = tuple(outcome.value for outcome in Outcome)


@pytest.fixture
def data(bench):
    bench.add_topic('/a')
    for index, outcome in enumerate((Outcome.SUCCESS, Outcome.DISCARDED, Outcome.ABORTED)):
        bench.start(episode_id=f'e{index}')
        bench.send('/a', bytes(10_000), count=20)
        bench.recorder.finish(f'e{index}', outcome=outcome)
        bench.clock.pass_s(DAY_S)
    return bench.recorder.store.data


def removals(bench, rules):
    index = EpisodeIndex(bench.recorder.store, robot='robot_1')
    index.scan(threading.Event(), share=1.0)
    return list(choose(index, rules, now_ns=bench.clock.ns))


def chosen(bench, **rules):
    return [removal.path.name for removal in removals(bench, RetentionRules(**rules))]


def run_sync(data, url, **options):
    results = list(sync(data, Store(url, options)))
    assert not [r for r in results if isinstance(r, ActiveCollectionError)], results
    return results


def assert_whole(data, copy):
    for episode in data.glob('episodes/*/*'):
        there = copy / 'robot_1' / episode.parent.name / episode.name
        checked = subprocess.run(['sha256sum', '--check', '--quiet', MANIFEST], cwd=there,
                                 capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked
        names = {p.name for p in there.iterdir()}
        assert names == {p.name for p in episode.iterdir()} | {MANIFEST}


def test_sync_copies_once_and_follows_amendments(bench, data, tmp_path):
    copy = tmp_path / 'copy'
    results = run_sync(data, copy.as_uri())
    assert len(results) == 3 and all(r.copied > 200_000 for r in results)
    assert_whole(data, copy)
    assert [r.copied for r in run_sync(data, copy.as_uri())] == [0, 0, 0]
    bench.recorder.amend('e0', outcome=Outcome.FAILURE)
    copied = [r.copied for r in run_sync(data, copy.as_uri())]
    assert 0 < copied[0] < 10_000 and copied[1:] == [0, 0]
    assert_whole(data, copy)


def test_sync_mends_a_damaged_copy_that_is_not_confirmed(data, tmp_path):
    copy = tmp_path / 'copy'
    episode = next(data.glob('episodes/*/e0'))
    there = copy / 'robot_1' / episode.parent.name / 'e0'
    there.mkdir(parents=True)
    content = (episode / 'e0_0.mcap').read_bytes()
    (there / 'e0_0.mcap').write_bytes(content[:1000] + b'X' + content[1001:])
    run_sync(data, copy.as_uri())
    assert_whole(data, copy)


def test_sync_that_was_killed_goes_on(data, tmp_path):
    copy = tmp_path / 'copy'
    script = (
        'import sys, os, pathlib\n'
        'from active_collection.recording import sync as s\n'
        'put = s.Store.put\n'
        'def slow(self, path, name):\n'
        '    put(self, path, name)\n'
        '    print(name, flush=True)\n'
        '    if "e1" in name:\n'
        '        import time; time.sleep(60)\n'
        's.Store.put = slow\n'
        'list(s.sync(pathlib.Path(sys.argv[1]), s.Store(sys.argv[2])))\n')
    process = subprocess.Popen([sys.executable, '-c', script, str(data), copy.as_uri()],
                               stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    while 'e1' not in process.stdout.readline():
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert not list(copy.glob('*/*/e1/manifest.sha256'))
    results = run_sync(data, copy.as_uri())
    assert results[0].copied == 0 and results[2].copied > 0
    assert_whole(data, copy)


def test_store_that_refuses_is_named_for_each_episode(data, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    results = list(sync(data, Store((tmp_path / 'file' / 'below').as_uri())))
    assert len(results) == 3 and all(isinstance(r, ActiveCollectionError) for r in results)
    with pytest.raises(ConfigError):
        Store('/no/url')
    with pytest.raises(ConfigError):
        Store('nonsense://x')
    for nowhere in ('file://', 'file:///', 's3://'):
        with pytest.raises(ConfigError):
            Store(nowhere)


def test_sync_to_an_s3_server(data, tmp_path):
    pytest.importorskip('s3fs')
    moto = pytest.importorskip('moto.server')
    server = moto.ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        options = {'endpoint_url': f'http://{host}:{port}', 'key': 'k', 'secret': 's'}
        import s3fs
        files = s3fs.S3FileSystem(**options)
        files.mkdir('robots')
        results = run_sync(data, 's3://robots/fleet', **options)
        assert all(r.copied for r in results)
        assert [r.copied for r in run_sync(data, 's3://robots/fleet', **options)] == [0, 0, 0]
        files.invalidate_cache()
        files.get('robots/fleet', str(tmp_path / 'back'), recursive=True)
        assert_whole(data, tmp_path / 'back')
    finally:
        server.stop()


def test_command_says_what_it_did(data, tmp_path, capsys):
    import argparse

    parser = argparse.ArgumentParser()
    sync_command.add_arguments(parser)
    arguments = parser.parse_args([str(data), (tmp_path / 'copy').as_uri()])
    assert sync_command.run(arguments) == 0
    assert '3 episodes' in capsys.readouterr().out


def test_command_names_a_store_that_cannot_be_used_once(data, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    target = (tmp_path / 'file' / 'below').as_uri()
    assert command_line.main(['sync', str(data), target]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and target in error


def test_nothing_is_removed_without_a_limit_or_of_other_outcomes(bench, data):
    assert chosen(bench, only_synced=False) == []
    everything = {'only_synced': False, 'maximum_age_days': 0.1}
    assert chosen(bench, **everything) == ['e1', 'e2']
    assert chosen(bench, **everything, outcomes=('success',)) == ['e0']
    assert chosen(bench, **everything, outcomes=()) == []


def test_limits_on_age_count_and_size(bench, data):
    rules = {'only_synced': False, 'outcomes': ALL}
    assert chosen(bench, **rules, maximum_age_days=1.5) == ['e0', 'e1']
    assert chosen(bench, **rules, maximum_episodes=2) == ['e0']
    assert chosen(bench, **rules, maximum_bytes=250_000) == ['e0', 'e1']


def test_what_is_not_confirmed_elsewhere_stays(bench, data, tmp_path):
    rules = {'outcomes': ALL, 'maximum_age_days': 0.1}
    assert chosen(bench, **rules) == []
    run_sync(data, (tmp_path / 'copy').as_uri())
    bench.recorder.amend('e1', outcome=Outcome.SUCCESS)
    assert chosen(bench, **rules) == ['e0', 'e2']


def test_removal_is_at_once_and_is_finished_later(bench, data):
    [removal] = removals(bench, RetentionRules(
        only_synced=False, outcomes=ALL, maximum_episodes=2))
    remove(removal)
    assert not removal.path.exists() and len(list(data.glob('episodes/*/*'))) == 2
    interrupted = removal.path.with_name('.e1.removing.recording')
    removal.path.with_name(removal.path.name).parent.mkdir(exist_ok=True)
    interrupted.mkdir()
    clean(data)
    assert not interrupted.exists()
