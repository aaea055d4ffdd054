# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The parts of examples/own_parts are found by name and do their work."""
from __future__ import annotations

import configparser
import importlib
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from active_collection.cli.main import main
from active_collection.config import load
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.fleet.detectors import DETECTORS

ROOT = Path(__file__).resolve().parents[2]
PARTS = ROOT / 'examples' / 'own_parts'
EXAMPLES = ROOT / 'docs' / 'reference' / 'examples' / 'data'


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package as pip would install it: its modules, and its entry points beside them."""
    site = tmp_path / 'site'
    shutil.copytree(PARTS / 'own_parts', site / 'own_parts')
    configuration = configparser.ConfigParser()
    configuration.read(PARTS / 'setup.cfg')
    information = site / 'own_parts-1.0.0.dist-info'
    information.mkdir()
    (information / 'METADATA').write_text('Metadata-Version: 2.1\nName: own-parts\nVersion: 1\n')
    (information / 'entry_points.txt').write_text('\n'.join(
        f'[{group}]{points}' for group, points in configuration['options.entry_points'].items()))
    monkeypatch.syspath_prepend(str(site))
    importlib.invalidate_caches()
    return site


@pytest.fixture
def data(installed, tmp_path):
    shutil.copytree(EXAMPLES / 'episodes', tmp_path / 'data' / 'episodes')
    shutil.rmtree(next((tmp_path / 'data').rglob('torn.recording')))
    return tmp_path / 'data'


def test_a_pool_is_indexed_selected_and_labelled_by_parts_of_ones_own(data, capsys):
    assert main(['index', str(data / 'episodes'), '--data', str(data), '--extractor',
                 'mean_colour', '--processes', '1']) == 0
    assert main(['round', 'start', '--data', str(data), '--count', '3', '--gap', '0',
                 '--duplicate-bits', '-1', '--strategy', 'newest', '--option', 'skip=2']) == 0
    assert main(['round', 'export', '--data', str(data), '--format', 'lines']) == 0

    units = pq.read_table(data / 'pool' / 'index.parquet').to_pylist()
    newest = sorted(units, key=lambda unit: -unit['stamp_ns'])[::2][:3]
    picks = pq.read_table(data / 'rounds' / '1' / 'selection.parquet').to_pylist()
    assert [pick['unit_id'] for pick in picks] == [unit['unit_id'] for unit in newest]
    exported = data / 'rounds' / '1' / 'export' / 'labels.txt'
    lines = exported.read_text().splitlines()
    assert [line.split('\t')[0] for line in lines] == [pick['unit_id'] for pick in picks]

    labels = data / 'labels.txt'
    labels.write_text(f'{lines[0]}mug\n{lines[1]}hand\nnobody\tmug\nno tab\n')
    assert main(['round', 'ingest', '--data', str(data), '--format', 'lines', str(labels)]) == 1
    told = capsys.readouterr()
    assert 'labels.txt:3' in told.err
    assert 'labels.txt:4' in told.err
    kept = pq.read_table(data / 'rounds' / '1' / 'labels' / '1.parquet').to_pylist()
    assert {row['unit_id']: row['label'] for row in kept} == {
        picks[0]['unit_id']: 'mug', picks[1]['unit_id']: 'hand'}


def test_the_simulation_knows_a_rule_of_ones_own(installed, capsys):
    space = str(EXAMPLES / 'scenario_space.yaml')

    assert main(['simulate', space, '--rule', 'fewest_successes', '--hours', '0.2']) == 0

    assert 'robot hours' in capsys.readouterr().out


@pytest.mark.parametrize(('duration_s', 'outcome'), [
    (4.9, Outcome.SUCCESS), (5.1, Outcome.FAILURE)])
def test_a_task_is_judged_by_a_detector_of_ones_own(installed, duration_s, outcome):
    space = load(EXAMPLES / 'scenario_space.yaml', ScenarioSpace)
    record = EpisodeRecord('e', Scenario('reach', 'table'), 'arm_1', Source.SCRIPTED, 10**9,
                           finished_ns=10**9 + round(duration_s * 1e9), outcome=Outcome.SUCCESS)
    detector = DETECTORS.get('quick')()

    assert detector.judge('reach', space.tasks['reach'], record) is outcome
    assert detector.judge('bring', space.tasks['bring'], record) is Outcome.UNKNOWN
