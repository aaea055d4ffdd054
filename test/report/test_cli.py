# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""`active-collection report` on what the other parts really write."""
from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
import bag_factory

from active_collection.cli.main import main
from active_collection.config import parse
from active_collection.episode import HELP_GIVEN
from active_collection.episode import Actor
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import UncertaintySummary
from active_collection.pipeline.reporting.collected import in_rounds
from active_collection.pipeline.reporting.collected import read_evaluations
from active_collection.pipeline.reporting.collected import read_ledger
from active_collection.pipeline.reporting.collected import with_episodes
from active_collection.pipeline.reporting.selected import read_pool
from active_collection.pipeline.reporting.selected import read_selection
from active_collection.pipeline.reporting.selected import with_pictures
from active_collection.report.data import Assignment
from active_collection.report.data import Evaluation
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.selection.batch import Pick
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.pool import Pool
from active_collection.selection.rounds import Round
from active_collection.selection.rounds import write_round
from active_collection.selection.select import Query
from active_collection.selection.select import Selection

S = 10**9
START = bag_factory.START_NS
# trained 14 s after START, which is 2023-11-14 22:13:20 UTC
ENSEMBLE = '20231114T221334-aa'
SPACE = """
format: 1
tasks:
  pick:
    factors: {x: {low: 0.0, high: 1.0, unit: m}, y: {low: 0.0, high: 0.5, unit: m}}
    minimum_episodes: 2
  push:
    factors: {x: {low: 0.0, high: 1.0, unit: m}}
    minimum_episodes: 2
environments: {table: {capacity: 2}}
"""


def collect(data):
    """Run a scheduler for eight leases of two robots; every other one fails; leave real bags."""
    space = parse(SPACE, ScenarioSpace, where='space')
    ledger = Ledger(data / 'scheduler.sqlite3')
    scheduler = Scheduler(space, SchedulerSettings(), ledger, now_ns=START)
    for number in range(8):
        now = START + number * 4 * S
        robot = f'arm{number % 2}'
        assigned = scheduler.request(Request(robot, collectors=('scripted',)), now)
        record = EpisodeRecord(
            f'e{number}', assigned.scenario, robot, Source.SCRIPTED, now, now + 2 * S,
            Outcome.FAILURE if number % 2 else Outcome.SUCCESS,
            assignment_id=assigned.assignment_id, revision=1,
            uncertainty=UncertaintySummary(f'e{number}', ENSEMBLE if number > 3 else '',
                                           20 if number > 3 else 0, 0.1))
        bag_factory.write_bag(
            data / 'episodes' / '2023-11-14' / f'e{number}',
            bag_factory.camera(4, period_ns=S // 2, first=number * 10, start_ns=now),
            record=record)
        scheduler.finished(record, now + 2 * S)
    scheduler.request(Request('arm0', collectors=('scripted',)), START + 40 * S)
    ledger.close()
    return data


def evaluate(data):
    (data / 'evaluations').mkdir()
    for number, (name, success) in enumerate(((ENSEMBLE, 2), ('20231114T230000-bb', 7))):
        (data / 'evaluations' / f'{number}.json').write_text(json.dumps({
            'ensemble_id': name, 'round': number, 'tasks': {
                'pick': {'success': success, 'episodes': 10, 'epistemic': .05 / (number + 1)},
                'push': {'success': success, 'episodes': 10, 'epistemic': None}}}))


def choose(data, number='1', count=7):
    """Select by hand, so that order, score and reason are known, and write it as `select` does."""
    pool = Pool.open(data / 'pool')
    picks = tuple(Pick(unit, 1 - unit / 100, 'far <away>') for unit in range(0, 5 * count, 5)
                  if unit < len(pool))
    write_round(data / 'rounds' / number, pool, Query(count, 'k_center', seed=3),
                Selection(picks, 9, 2))


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A data directory with everything."""
    data = collect(tmp_path_factory.mktemp('data'))
    evaluate(data)
    index(sorted((data / 'episodes').glob('*/*')), data / 'pool',
          IndexSettings('descriptor'))
    choose(data)
    return data


@pytest.fixture
def data(whole, tmp_path):
    """A copy that a test may break."""
    return shutil.copytree(whole, tmp_path / 'data')


def ignore(*_):
    pass


def fail(line):
    raise AssertionError(line)


def report(tmp_path, *arguments):
    out = tmp_path / 'report.html'
    status = main(['report', '--out', str(out), *map(str, arguments)])
    return status, out.read_text(encoding='utf-8') if out.exists() else None


def test_ledger_gives_each_lease_with_its_reason_and_end(whole):
    history = read_ledger(whole / 'scheduler.sqlite3')

    assert len(history.assignments) == 9
    assert [a.outcome for a in history.assignments] == ['success', 'failure'] * 4 + ['running']
    assert all(a.rule and a.terms for a in history.assignments if a.rule != 'minimum_quota')
    assert [a.is_demonstration for a in history.assignments] == [True, False] * 4 + [False]
    assert history.assignments[0].ended_ns - history.assignments[0].issued_ns == 2 * S
    assert history.factors['pick']['y'].high == 0.5 and history.factors['pick']['y'].unit == 'm'
    assert history.ensembles == (ENSEMBLE,)


def test_assignment_belongs_to_the_round_of_the_newest_ensemble_at_its_time(whole):
    history = read_ledger(whole / 'scheduler.sqlite3')
    evaluations = read_evaluations(whole / 'evaluations', fail)

    numbered = in_rounds(history.assignments, evaluations, history.ensembles)

    # the ensemble was trained between the fourth and the fifth lease, and the next one is to come
    assert [a.round for a in numbered] == [0] * 4 + [1] * 5


def test_rounds_of_ensembles_whose_names_are_no_times():
    scenario = Scenario('a', 'e')
    leases = [Assignment(str(i), scenario, 'r', 0, i, ensemble_id=name)
              for i, name in enumerate(['', 'rough', 'rough', 'fine'])]
    assert [a.round for a in in_rounds(leases, (), ())] == [0, 1, 1, 2]
    evaluated = [Evaluation(4, 'rough', {})]
    assert [a.round for a in in_rounds(leases, evaluated, ('rough',))] == [0, 5, 5, 6]


def test_episode_records_correct_the_ledger_and_add_free_episodes():
    scenario = Scenario('a', 'e')
    leases = [Assignment('l1', scenario, 'r', 0, 1, 2, outcome='failure', episode_id='e1'),
              Assignment('l2', scenario, 'r', 0, 3, outcome='running')]
    records = [
        EpisodeRecord('e1', scenario, 'r', Source.SCRIPTED, 1, 5, Outcome.DISCARDED),
        EpisodeRecord('e2', scenario, 'r', Source.POLICY, 4, 6, Outcome.SUCCESS,
                      assignment_id='l2'),
        EpisodeRecord('e3', scenario, 'r', Source.TELEOPERATION, 7, 9, Outcome.FAILURE)]

    rows = with_episodes(leases, records)

    assert [(a.assignment_id, a.episode_id, a.outcome, a.ended_ns) for a in rows] == [
        ('l1', 'e1', 'discarded', 5), ('l2', 'e2', 'success', 6), ('', 'e3', 'failure', 9)]
    assert not any(a.is_demonstration for a in rows)  # nor what the policy did alone


def test_an_amended_record_makes_a_demonstration_and_unmakes_it():
    scenario = Scenario('a', 'e')
    leases = [Assignment('l1', scenario, 'r', 0, 1, outcome='success', episode_id='e1',
                         is_demonstration=True),
              Assignment('l2', scenario, 'r', 0, 3, outcome='unknown', episode_id='e2')]
    records = [EpisodeRecord('e1', scenario, 'r', Source.SCRIPTED, 1, 5, Outcome.FAILURE),
               EpisodeRecord('e2', scenario, 'r', Source.SCRIPTED, 1, 5, Outcome.SUCCESS)]

    assert [a.is_demonstration for a in with_episodes(leases, records)] == [False, True]


def test_pictures_are_those_of_the_bags(whole):
    import cv2

    pool = Pool.open(whole / 'pool')
    selection = read_selection(Round.open(whole / 'rounds' / '1'), pool)
    assert [pick.order for pick in selection.picks] == list(range(1, len(selection.picks) + 1))
    assert [pick.score for pick in selection.picks] == [1 - n / 100 for n in range(0, 35, 5)]

    with_them = with_pictures(selection, pool, fail, ignore)

    for pick in with_them.picks:
        unit = pick.unit
        started = START + int(unit.episode_id[1:]) * 4 * S
        number = int(unit.episode_id[1:]) * 10 + round((unit.stamp_ns - started) / (S / 2))
        shown = cv2.imdecode(np.frombuffer(pick.picture, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
        wanted = bag_factory.scene(number).astype(float)
        assert np.abs(shown.astype(float) - wanted).mean() < 25
        assert unit.task in {'pick', 'push'} and unit.outcome in {'success', 'failure'}


def test_pool_has_every_pick_and_every_bag(whole):
    pool = Pool.open(whole / 'pool')
    selection = read_selection(Round.open(whole / 'rounds' / '1'), pool)
    picked = [pick.unit.unit_id for pick in selection.picks]

    sampled = read_pool(pool, picked, fail)

    assert set(picked) <= {unit.unit_id for unit in sampled.units}
    assert len(sampled.bags) == 8 and sum(bag.units for bag in sampled.bags) == sampled.size
    assert sampled.embeddings.shape == (len(sampled.units), pool.description.dimension)
    touched = {unit.bag for unit in sampled.units if unit.unit_id in picked}
    assert {bag.bag for bag in sampled.bags if len(bag.stamps_ns)} == touched


def test_the_timeline_shows_who_acted_when(tmp_path, capsys):
    bag, start_ns = tmp_path / 'data' / 'episodes' / '2023-11-14' / 'e1', START
    acts = {0: Actor.POLICY, 2 * S: Actor.NOBODY, 3 * S: Actor.PERSON}
    bag_factory.write_bag(
        bag, [*bag_factory.camera(11, period_ns=S // 2, start_ns=start_ns), *(
            ('/actor', start_ns + after, bag_factory.actor(start_ns + after, who, 'e1'))
            for after, who in acts.items())],
        record=EpisodeRecord('e1', Scenario('pick', 'table'), 'arm0', Source.POLICY, start_ns,
                             start_ns + 5 * S, Outcome.SUCCESS,
                             tags={HELP_GIVEN: 'teleoperation'}))
    data = tmp_path / 'data'
    index([bag], data / 'pool', IndexSettings('descriptor'))
    choose(data, count=2)

    status, page = report(tmp_path, '--data', data)

    assert status == 0 and 'left out' not in capsys.readouterr().err
    drawn = re.findall(r'<line x1="([\d.]+)%" x2="([\d.]+)%" [^>]*class="(\w+)" '
                       r'data-tip="(\w+) acted\n([\d.]+) to ([\d.]+) s"', page)
    assert drawn == [('0.00', '40.00', 'policy', 'policy', '0.00', '2.00'),
                     ('60.00', '100.00', 'person', 'person', '3.00', '5.00')]
    assert 'On the line, who acted: <i class="key actor person"></i>person' in page
    assert 'policy, then teleoperation' in page


def test_whole_data_directory_makes_a_page_with_every_section(whole, tmp_path, capsys):
    status, page = report(tmp_path, '--data', whole)

    assert status == 0
    for key in ('collection', 'learning', 'coverage', 'map', 'bags', 'contact'):
        assert f'<section id="{key}">' in page
    assert 'far &lt;away&gt;' in page and 'Whether to go on:' in page
    captured = capsys.readouterr()
    assert str(tmp_path / 'report.html') in captured.out and 'left out' not in captured.err


@pytest.mark.parametrize(('gone', 'sections'), [
    ('scheduler.sqlite3', {'collection', 'learning', 'coverage', 'map', 'bags', 'contact'}),
    ('episodes', {'collection', 'learning', 'coverage', 'map', 'bags', 'contact'}),
    ('evaluations', {'collection', 'coverage', 'map', 'bags', 'contact'}),
    ('rounds', {'collection', 'learning', 'coverage', 'map'}),
    ('pool', {'collection', 'learning', 'coverage', 'contact'}),
    ('pool/embeddings.npy', {'collection', 'learning', 'coverage', 'contact'}),
])
def test_missing_part_leaves_out_its_sections(data, tmp_path, gone, sections):
    path = data / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()

    status, page = report(tmp_path, '--data', data)

    assert status == 0
    assert {key for key in ('collection', 'learning', 'coverage', 'map', 'bags', 'contact')
            if f'<section id="{key}">' in page} == sections


@pytest.mark.parametrize('broken', [
    'scheduler.sqlite3', 'evaluations/0.json', 'rounds/1/selection.parquet',
    'rounds/1/manifest.json', 'pool/description.json', 'pool/index.parquet',
    'episodes/2023-11-14/e0/metadata.yaml'])
@pytest.mark.parametrize('content', [b'', b'garbage: [', b'{"tasks": {"a": 1}}'])
def test_broken_part_is_named_and_left_out(data, tmp_path, capsys, broken, content):
    (data / broken).write_bytes(content)

    status, page = report(tmp_path, '--data', data)

    assert status == 0 and page
    assert Path(broken).name in capsys.readouterr().err or content.startswith(b'{')


def test_vanished_bag_costs_only_its_pictures(data, tmp_path, capsys):
    whole = report(tmp_path, '--data', data)[1].count('<img')
    for bag in ('e0', 'e1', 'e2'):
        shutil.rmtree(data / 'episodes' / '2023-11-14' / bag)

    status, page = report(tmp_path, '--data', data)

    assert status == 0 and 0 < page.count('<img') < whole
    assert 'without a picture' in page and 'e0' in capsys.readouterr().err


def test_selector_alone_needs_no_data_directory(whole, tmp_path):
    status, page = report(tmp_path, '--pool', whole / 'pool', '--round', whole / 'rounds' / '1')

    assert status == 0 and page.count('<img') == 7
    assert '<section id="collection">' not in page


def test_round_alone_finds_its_pool(whole, tmp_path):
    status, page = report(tmp_path, '--round', whole / 'rounds' / '1')
    assert status == 0 and page.count('<img') == 7 and '<section id="map">' in page


@pytest.mark.parametrize(('arguments', 'said'), [
    ([], '--data'), (['--data', 'nowhere'], 'nowhere'), (['--pool', 'nowhere'], 'nowhere'),
    (['--data', '{empty}'], 'nothing to report'), (['--round', '7'], 'the directory of the round'),
    (['--data', '{whole}', '--round', '7'], '7'), (['--round', 'nowhere'], 'nowhere'),
    (['--data', '{whole}', '--pool', 'nowhere'], 'nowhere')])
def test_mistake_is_one_line_and_exit_status_2(
        whole, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.setenv('HOME', str(tmp_path))
    empty = tmp_path / 'empty'
    empty.mkdir()

    status, page = report(
        tmp_path, *(a.format(empty=empty, whole=whole) for a in arguments))

    error = capsys.readouterr().err.strip().splitlines()
    assert status == 2 and page is None
    assert len(error) == 1 and said in error[0]


def test_unwritable_place_is_one_line_and_exit_status_2(whole, tmp_path, capsys):
    (tmp_path / 'file').write_text('')

    assert main(['report', '--data', str(whole), '--out', str(tmp_path / 'file' / 'x.html')]) == 2

    assert str(tmp_path / 'file') in capsys.readouterr().err


def test_a_place_without_a_name_takes_no_page(whole, capsys):
    assert main(['report', '--data', str(whole), '--out', '/']) == 2

    assert capsys.readouterr().err.splitlines()[-1] == (
        'active-collection: /: found a directory, expected a writable file')


def test_evaluation_beyond_its_own_episodes_is_refused(tmp_path):
    (tmp_path / 'a.json').write_text(json.dumps({
        'ensemble_id': 'a', 'round': 1, 'tasks': {'t': {'success': 3, 'episodes': 2}}}))
    warned = []
    assert read_evaluations(tmp_path, warned.append) == []
    assert 'tasks.t' in warned[0]


def test_selection_without_a_pool_still_has_its_picks(whole):
    selection = read_selection(Round.open(whole / 'rounds' / '1'), None)
    assert len(selection.picks) == 7 and selection.seed == 3 and selection.made_ns > 0
    assert selection.counts['near_duplicates'] == 2 and selection.counts['selected'] == 7


@pytest.mark.parametrize('text', [
    '{"round": 1e400, "ensemble_id": "x", "tasks": {}}', '[' * 100_000, '[]', '',
    '{"round": 1, "ensemble_id": "x", "tasks": {"a": {"success": 1e400, "episodes": 1}}}'])
def test_a_damaged_evaluation_is_left_out_by_name(tmp_path, text):
    (tmp_path / 'x.json').write_text(text)
    complaints = []

    assert read_evaluations(tmp_path, complaints.append) == []
    assert len(complaints) == 1
    assert 'x.json' in complaints[0]
