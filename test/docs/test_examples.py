# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Today's code reads what was written when each format was made: docs/reference/examples/data."""
from __future__ import annotations

import csv
import hashlib
import json
import math
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from active_collection.bags.observation import ObservationSpec
from active_collection.bags.reader import open_bag
from active_collection.cli.main import main
from active_collection.config import load
from active_collection.episode import HELP_GIVEN
from active_collection.recording import confirmation
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.uncertainty.decoding import decode_episode
from active_collection.uncertainty.settings import ThresholdSettings
from active_collection.uncertainty.threshold import AdaptiveThreshold
from active_collection.uncertainty.threshold_file import read_recent

EXAMPLES = Path(__file__).resolve().parents[2] / 'docs' / 'reference' / 'examples'
KEPT, HELPED = EXAMPLES / 'data', EXAMPLES / 'helped'


@pytest.fixture
def data(tmp_path) -> Path:
    """A copy, for what is kept never changes."""
    shutil.copytree(KEPT, tmp_path / 'data')
    return tmp_path / 'data'


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def at_least(found: list[dict], kept: list[dict]) -> None:
    """Each kept row is found again; a later release may tell more of it."""
    assert len(found) == len(kept)
    for row, old in zip(found, kept, strict=True):
        assert {key: row.get(key) for key in old} == old


def test_episodes_are_whole_and_tell_everything(capsys):
    assert main(['episodes', 'verify', '--data', str(KEPT)]) == 0
    capsys.readouterr()
    assert main(['episodes', 'list', '--json', str(KEPT)]) == 0

    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record['outcome'] for record in records] == [
        'success', 'success', 'success', 'success', 'aborted', 'success', 'failure']
    judged = records[-1]
    assert judged['source'] == 'policy'
    assert judged['operator'] == 'ada'
    assert judged['scenario'] == {'task': 'bring', 'environment': 'table', 'configuration': {
        'block': 'blue', 'x': -0.28375939294519303, 'y': 0.22282149975521764}}
    assert judged['tags']['judged_by'] == 'ada'
    assert judged['notes'] == 'the block slipped'
    assert judged['revision'] == 2
    assert judged['uncertainty']['ensemble_id'] == '20261126T230630-bfb415'
    assert judged['uncertainty']['epistemic_mean'] == pytest.approx(0.203500, abs=1e-6)
    joints = next(t for t in judged['topics'] if t['topic'] == '/arm_1/joint_states')
    assert joints['received'] == joints['written'] > 0


def test_every_message_is_read():
    for metadata in KEPT.glob('episodes/*/2*/metadata.yaml'):
        with open_bag(metadata.parent) as bag:
            counted = sum(1 for _ in bag.messages())
            assert counted == sum(info.count for info in bag.topics.values()) > 0


def test_what_a_dead_recorder_left_is_salvaged(data, capsys):
    torn = next(data.glob('episodes/*/torn.recording'))

    assert main(['salvage', str(torn)]) == 0
    assert main(['episodes', 'verify', '--data', str(data)]) == 0

    assert not torn.exists()
    with open_bag(torn.with_suffix('')) as bag:
        assert bag.topics['/arm_1/joint_states'].count > 100
        assert bag.episode.stop_reason.value == 'salvaged'


def test_an_ensemble_says_the_same_of_the_same_bags(tmp_path):
    """Bags, specification, weights and novelty mean what they meant."""
    out = tmp_path / 'steps.parquet'

    assert main(['score', str(KEPT / 'episodes'), '--ensemble', str(KEPT / 'ensembles'),
                 '--out', str(out)]) == 0

    kept, found = pq.read_table(KEPT / 'steps.parquet'), pq.read_table(out)
    assert found['stamp_ns'].to_pylist() == kept['stamp_ns'].to_pylist()
    for name in ('epistemic', 'aleatoric', 'novelty'):
        assert found[name].to_pylist() == pytest.approx(
            kept[name].to_pylist(), rel=1e-3, abs=1e-5, nan_ok=True), name
    for one, other in zip(found['action_mean'].to_pylist(), kept['action_mean'].to_pylist(),
                          strict=True):
        assert one == pytest.approx(other, abs=1e-4)


def test_an_episode_that_a_person_finished_tells_which_steps_are_theirs(tmp_path):
    [path] = (HELPED / 'episodes').glob('*/*')
    spec = load(KEPT / 'observation.yaml', ObservationSpec)
    kept = pq.read_table(HELPED / 'steps.parquet')['actor'].to_pylist()

    assert main(['score', str(path), '--ensemble', str(KEPT / 'ensembles'),
                 '--out', str(tmp_path / 'steps.parquet')]) == 0
    episode, _ = decode_episode(path, spec)

    assert pq.read_table(tmp_path / 'steps.parquet')['actor'].to_pylist() == kept
    assert kept == ['policy'] * 11 + ['person'] * 39
    assert episode.teaches.tolist() == [False] * 11 + [True] * 38  # the last has no action
    with open_bag(path) as bag:
        assert bag.episode.is_demonstration and bag.episode.tags[HELP_GIVEN] == 'teleoperation'


def test_a_ledger_is_sound_and_gives_the_same_tables(data, tmp_path, capsys):
    assert main(['ledger', 'verify', str(data / 'scheduler.sqlite3')]) == 0
    assert main(['ledger', 'export', str(data / 'scheduler.sqlite3'), str(tmp_path / 'out')]) == 0

    for kept in sorted((KEPT / 'ledger').iterdir()):
        at_least(rows((tmp_path / 'out' / kept.name).read_text()), rows(kept.read_text()))


def test_a_ledger_says_why(data, capsys):
    assert main(['ledger', 'explain', str(data / 'scheduler.sqlite3'), '20261126T230643-15']) == 0

    text = capsys.readouterr().out
    assert 'bring @ table' in text
    assert "cannot be replayed from the ledger: acquisition rule: found 'hybrid'" in text


def test_a_scheduler_goes_on_where_the_ledger_ends(data):
    space = load(data / 'scenario_space.yaml', ScenarioSpace)
    ledger = Ledger(data / 'scheduler.sqlite3')
    now_ns = 1_795_800_000 * 10**9
    try:
        scheduler = Scheduler(space, SchedulerSettings(), ledger, now_ns=now_ns)
        answer = scheduler.request(Request('arm_1', collectors=('scripted', 'policy')), now_ns)
        state = scheduler.status(now_ns)
    finally:
        ledger.close()

    assert answer.scenario.task in {'reach', 'bring'}
    counted = {task.task: (task.successes, task.failures, task.aborted) for task in state.tasks}
    assert counted == {'reach': (3, 0, 1), 'bring': (2, 1, 0)}
    boosted = next(task for task in state.tasks if task.task == 'bring')
    assert boosted.boost == 2.0


def test_weights_are_the_same_and_train(data, tmp_path, capsys):
    assert main(['ledger', 'weights', str(KEPT / 'scenario_space.yaml'), str(KEPT)]) == 0
    at_least(rows(capsys.readouterr().out), rows((KEPT / 'weights.csv').read_text()))

    assert main(['train', '--data', str(data), '--spec', str(KEPT / 'observation.yaml'),
                 '--config', str(KEPT / 'training.yaml'), '--weights', str(KEPT / 'weights.csv'),
                 '--steps', '20', '--out', str(tmp_path / 'ensembles')]) == 0


@pytest.mark.parametrize('directory', [KEPT, HELPED])  # the first format and the second
def test_the_values_behind_a_threshold_are_taken_up(directory):
    recent = read_recent(directory / 'threshold.json', '20261126T230630-bfb415', 'epistemic')

    assert recent is not None
    assert math.isfinite(AdaptiveThreshold(ThresholdSettings(), recent).value)


def test_a_pool_needs_no_bag_read_again(data, capsys):
    before = pq.read_table(data / 'pool' / 'index.parquet')

    assert main(['index', str(data / 'episodes'), '--pool', str(data / 'pool'),
                 '--extractor', 'descriptor', '--processes', '1', '--verify']) == 0

    assert ' 7 unchanged' in capsys.readouterr().out
    after = pq.read_table(data / 'pool' / 'index.parquet')
    for name in ('unit_id', 'bag_key', 'record_key', 'hash', 'embedding_row'):
        assert after[name].equals(before[name])


def test_rounds_go_on_from_a_round(data, capsys):
    exported = data / 'again'
    coco = data / 'rounds' / '1' / 'export' / 'coco.json'
    labels = json.loads(coco.read_text())
    labels['annotations'] = [
        {'id': number, 'image_id': image['id'], 'category_id': labels['categories'][0]['id'],
         'bbox': [1.0, 1.0, 8.0, 8.0]} for number, image in enumerate(labels['images'])]
    (data / 'labels.json').write_text(json.dumps(labels))

    assert main(['round', 'export', '--data', str(data), '--out', str(exported)]) == 0
    assert main(['round', 'ingest', '--data', str(data), '--annotator', 'bob',
                 str(data / 'labels.json')]) == 0
    assert main(['round', 'stop', '--data', str(data), '--criteria',
                 str(data / 'stop.yaml')]) == 0
    assert main(['round', 'start', '--data', str(data), '--count', '3', '--gap', '0']) == 0

    kept = pq.read_table(KEPT / 'rounds' / '1' / 'labels' / '1.parquet').to_pylist()
    both = pq.read_table(data / 'rounds' / '1' / 'labels' / '2.parquet').to_pylist()
    assert all(row in both for row in kept)
    assert {row['annotator'] for row in both} == {'ada', 'bob'}
    chosen = [set(pq.read_table(data / 'rounds' / n / 'selection.parquet')['unit_id'].to_pylist())
              for n in ('1', '2')]
    assert not chosen[0] & chosen[1]


def test_a_report_shows_all_of_it(tmp_path):
    page = tmp_path / 'report.html'

    assert main(['report', '--data', str(KEPT), '--out', str(page)]) == 0

    text = page.read_text()
    for expected in ('bring', 'typiclust', 'push'):  # the last one is only in the evaluations
        assert expected in text


def test_a_confirmed_copy_is_known():
    name = next((KEPT / 'synced').iterdir()).stem
    episode = next(KEPT.glob(f'episodes/*/{name}'))

    known = confirmation.read(KEPT, name)

    assert known.target == f'file:///data/example/store/arm_1/2026-11-26/{name}'
    assert {file: state.sha256 for file, state in known.files.items()} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in episode.iterdir()}
