# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import shutil
import sys
import threading
import time

from active_collection.uncertainty.health import Health
from active_collection.uncertainty.health import Level
from active_collection.uncertainty.watching import EnsembleWatcher

GOOD = {'ensemble_id': 'x', 'loading_problem': '', 'missing_topics': (), 'silent_topics': (),
        'is_lost': False, 'dropped': 0, 'dropped_problem': ''}


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def taken(watcher):
    found = []

    def take():
        ensemble = watcher.take()
        found.extend([ensemble] if ensemble else [])
        return bool(found)

    wait_for(take)
    return found[0]


def test_an_ensemble_that_appears_later_is_taken_once(built, tmp_path):
    watcher = EnsembleWatcher(tmp_path / 'ensembles')
    watcher.start(0.01)
    assert watcher.take() is None

    shutil.copytree(built.path.parent, tmp_path / 'copy')
    (tmp_path / 'copy').rename(tmp_path / 'ensembles')
    ensemble = taken(watcher)
    watcher.stop()

    assert ensemble.description.ensemble_id == built.ensemble_id
    assert watcher.take() is None


def test_a_bad_ensemble_is_a_problem_until_a_good_one_comes(built, tmp_path):
    (tmp_path / '20250101T000000-aaaaaa').mkdir()
    (tmp_path / '20250101T000000-aaaaaa' / 'description.json').write_text('{')
    watcher = EnsembleWatcher(tmp_path)
    watcher.start(0.01)

    assert watcher.take() is None
    assert 'description.json' in watcher.problem
    shutil.copytree(built.path, tmp_path / 'copy')
    (tmp_path / 'copy').rename(tmp_path / built.path.name)
    taken(watcher)
    watcher.stop()

    assert watcher.problem == ''


def test_without_a_period_it_looks_once(built):
    watcher = EnsembleWatcher(built.path)

    watcher.start(0)

    assert watcher.take() is not None
    watcher.stop()


def test_how_often_it_looks_can_be_changed(built, tmp_path):
    watcher = EnsembleWatcher(tmp_path / 'ensembles')
    watcher.start(0)
    shutil.copytree(built.path.parent, tmp_path / 'ensembles')
    assert watcher.take() is None

    watcher.change(0.01)
    assert taken(watcher).description.ensemble_id == built.ensemble_id
    watcher.change(0)
    (tmp_path / 'ensembles' / '20990101T000000-aaaaaa').mkdir()
    watcher.change(1000.0)

    watcher.stop()
    assert not any(thread.name == 'ensembles' for thread in threading.enumerate())
    assert (watcher.take(), watcher.problem) == (None, '')


def test_a_healthy_node_says_what_it_scores_with():
    health = Health()
    for latency in (0.001, 0.004, 0.002):
        health.scored(latency)

    report = health.report(**GOOD)

    assert report.level is Level.OK
    assert report.message == 'scoring with x'
    assert dict(report.values)['latency_median_ms'] == '2.00'
    assert dict(report.values)['latency_max_ms'] == '4.00'


def test_every_problem_is_in_the_message():
    health = Health()
    health.failed('hand: too short')

    report = health.report(ensemble_id='', loading_problem='bad file', missing_topics=('hand',),
                           silent_topics=('joints',), is_lost=True, dropped=3,
                           dropped_problem='goal: 1.000 s old')

    assert report.level is Level.WARN
    for part in ('no ensemble', 'refused: bad file', 'not published: hand',
                 'nothing received of: joints', 'the threshold stays where it is',
                 '3 observations dropped, last: goal: 1.000 s old', 'hand: too short'):
        assert part in report.message


def test_a_problem_is_told_once_and_drops_are_counted_between_reports():
    health = Health()
    health.failed('hand: too short')
    health.report(**{**GOOD, 'dropped': 3, 'dropped_problem': 'late'})

    assert health.report(**{**GOOD, 'dropped': 3, 'dropped_problem': 'late'}).level is Level.OK
    assert '1 observations' in health.report(
        **{**GOOD, 'dropped': 4, 'dropped_problem': 'late'}).message


def test_a_library_that_is_not_installed_is_a_problem_of_one_line(built, monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch', None)
    watcher = EnsembleWatcher(built.path)
    watcher.start(0.0)

    assert watcher.take() is None
    assert watcher.problem.startswith(f'{built.path}: found no Python package torch, expected pip')
    assert '\n' not in watcher.problem
