# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the sections compute."""
from __future__ import annotations

import dataclasses
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_collection.report import bag_timeline
from active_collection.report import collection
from active_collection.report import contact
from active_collection.report import coverage
from active_collection.report import label_rounds
from active_collection.report import learning
from active_collection.report import summary
from active_collection.report.data import Assignment
from active_collection.report.data import Evaluation
from active_collection.report.data import LabelRound
from active_collection.report.data import ReportData
from active_collection.report.data import TaskEvaluation
from active_collection.report.data import Term
from active_collection.report.embedding_map import MOST_POINTS
from active_collection.report.embedding_map import build as build_map
from active_collection.report.numbers import count
from active_collection.report.numbers import duration
from active_collection.report.numbers import figure
from active_collection.report.numbers import mean
from active_collection.report.numbers import moment
from active_collection.report.numbers import percent
from active_collection.report.numbers import ticks
from active_collection.report.numbers import time_ticks
from active_collection.report.numbers import wilson
from active_collection.report.pictures import SMALLEST
from active_collection.report.pictures import budget
from active_collection.report.pictures import thumbnail
from active_collection.report.projection import project
from active_collection.scenario import Scenario


def given_assignments(*tasks_of_rounds):
    return tuple(
        Assignment(f'{number}-{index}', Scenario(task, 'e'), 'r', number,
                   10**9 * (number * 100 + index + 1))
        for number, tasks in enumerate(tasks_of_rounds) for index, task in enumerate(tasks))


def data_of(**parts):
    return ReportData('t', 's', 0, **parts)


# Wilson's interval by hand: Newcombe (1998), Statistics in Medicine 17, table I
@pytest.mark.parametrize(('successes', 'trials', 'low', 'high'), [
    (81, 263, .2553, .3662), (15, 148, .0624, .1605), (0, 20, 0, .1611), (1, 29, .0061, .1718)])
def test_wilson_interval_is_the_published_one(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_of_no_trial_is_everything():
    assert wilson(0, 0) == (0, 1)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_rate(case):
    successes, trials = case
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12 and successes / trials - 1e-12 <= high <= 1


@pytest.mark.parametrize(('written', 'expected'), [
    (figure(0.02914), '0.0291'), (figure(12345.6), '12,346'), (figure(-0.5), '−0.500'),
    (figure(math.nan), '–'), (figure(3.2e-5), '3.2e−05'), (figure(0), '0'),
    (percent(0.256), '26\u202f%'), (percent(math.nan), '–'), (count(1, 'bag'), '1\u202fbag'),
    (count(1200, 'bag'), '1,200\u202fbags'), (duration(42), '42\u202fs'),
    (duration(192), '3\u202fmin 12\u202fs'), (duration(18420), '5\u202fh 07\u202fmin'),
    (duration(273600), '3\u202fd 4\u202fh'), (moment(0), '–'), (moment(2**80), '–'),
    (moment(1_763_800_000 * 10**9), '2025-11-22 08:26 UTC')])
def test_numbers_are_written_for_people(written, expected):
    assert written == expected


def test_mean_leaves_out_what_is_not_known():
    assert mean([1, math.nan, 3]) == 2
    assert math.isnan(mean([]))


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_ascending_and_inside(low, span):
    high = low + span
    values = [value for value, _ in ticks(low, high)]
    slack = 1e-6 * max(1.0, abs(low), abs(high))
    assert len(values) <= 7
    assert values == sorted(values)
    assert all(low - slack <= value <= high + slack for value in values)


@given(st.floats(0.01, 1e8))
def test_time_ticks_are_few_and_written_without_repeating(seconds):
    written = [text for _, text in time_ticks(seconds)]
    assert 1 <= len(written) <= 8 and len(set(written)) == len(written)


def test_shares_of_each_round_add_up():
    view = collection.build(data_of(assignments=given_assignments('aab', 'bbbb')))

    assert view.rounds == ('bootstrap', 'round 1')
    assert [row.task for row in view.tasks] == ['b', 'a']
    assert [[share.number for share in row.shares] for row in view.tasks] == [[1, 4], [2, 0]]
    assert 'Round 1 gave 100\u202f% of its assignments to b' in view.conclusion


def test_even_collection_is_said_to_be_even():
    view = collection.build(data_of(assignments=given_assignments('abab')))
    assert 'nearly evenly' in view.conclusion


def demonstrated(tasks, *, failed=''):
    """Return demonstrations of tasks, and attempts that nobody can learn from."""
    good = [dataclasses.replace(a, is_demonstration=True) for a in given_assignments(tasks)]
    return (*good, *given_assignments(failed))


def test_demonstrations_stand_beside_those_of_an_even_spread():
    """A task of the space that was never collected would have had its part."""
    tried = [Evaluation(number, f'e{number}', {
        'a': TaskEvaluation(a, 20), 'b': TaskEvaluation(b, 10), 'c': TaskEvaluation(b, 10)})
        for number, a, b in ((1, 2, 8), (2, 5, 8), (3, 12, 9))]
    view = collection.build(data_of(
        assignments=demonstrated('aaaaaabb', failed='bbbbbb'), evaluations=tuple(tried),
        factors={'a': {}, 'b': {}, 'c': {}, 'd': {}}))

    assert view.spread.even == 2
    assert view.spread.tasks == (('a', 6), ('b', 2), ('c', 0), ('d', 0))
    assert view.spread.sentence == (
        '1\u202ftask of 4 got more than the 2 of an even spread, 6 of 8 in all. After round 3 the '
        'policy succeeds in 60\u202f% of 20 held-out trials of these tasks and in 90\u202f% of 20 '
        'of the others, after round 1 in 10\u202f% of 20 and 80\u202f% of 20. No policy was '
        'trained on an even spread here: what it would have reached is not known.')


def test_of_a_spread_nothing_is_said_that_was_not_tried():
    one = Evaluation(0, 'e', {'a': TaskEvaluation(1, 2)})
    both = Evaluation(0, 'e', {'a': TaskEvaluation(1, 2), 'b': TaskEvaluation(2, 2)})

    def said(tasks, *tried):
        data = data_of(assignments=demonstrated(tasks), evaluations=tried)
        return collection.build(data).spread.sentence

    got = '1\u202ftask of 2 got more than the 2.5 of an even spread, 4 of 5 in all.'
    assert said('aaaab') == said('aaaab', one) == got
    assert said('aaaab', both).startswith(
        f'{got} After the bootstrap the policy succeeds in 50\u202f% of 2 held-out trials of '
        'these tasks and in 100\u202f% of 2 of the others. No policy')
    assert said('aab', both) == 'They were spread evenly: 1 or 2 of each task.'
    assert said('ab', both) == 'They were spread evenly: 1 of each task.'


def test_without_demonstrations_or_of_one_task_there_is_no_spread():
    assert collection.build(data_of(assignments=given_assignments('ab'))).spread is None
    assert collection.build(data_of(assignments=demonstrated('aa'))).spread is None


def test_of_very_many_assignments_the_last_are_shown():
    many = given_assignments('ab' * 3000)
    view = collection.build(data_of(assignments=many))

    assert view.total == 6000
    assert [a.assignment_id for a in view.rows[-1:]] == [many[-1].assignment_id]
    assert len(view.rows) == collection.MOST_ROWS and view.marks == collection.MOST_MARKS
    assert view.timeline.count('<rect') == collection.MOST_MARKS


def test_many_rounds_are_shown_compactly():
    assert not collection.build(data_of(assignments=given_assignments(*['ab'] * 6))).compact
    assert collection.build(data_of(assignments=given_assignments(*['ab'] * 7))).compact


def test_held_out_results_are_added_over_tasks():
    view = learning.build(data_of(evaluations=(
        Evaluation(2, 'e2', {'a': TaskEvaluation(9, 10, .1), 'b': TaskEvaluation(8, 10, .3)}),
        Evaluation(1, 'e1', {'a': TaskEvaluation(1, 10, .4), 'b': TaskEvaluation(0, 10)}))))

    whole = view.panels[0]
    assert view.rounds == (1, 2) and whole.name == 'All tasks'
    assert [(c.result.successes, c.result.episodes) for c in whole.cells] == [(1, 20), (17, 20)]
    assert whole.cells[1].result.epistemic == pytest.approx(.2)
    assert '85\u202f% of 20 held-out trials succeed after round 2, up from 5' in view.conclusion
    assert 'overlap' not in view.conclusion


def test_gain_within_the_intervals_is_called_so():
    view = learning.build(data_of(evaluations=(
        Evaluation(1, 'e1', {'a': TaskEvaluation(4, 10)}),
        Evaluation(2, 'e2', {'a': TaskEvaluation(6, 10)}))))
    assert 'intervals overlap' in view.conclusion and not view.has_epistemic


def test_task_that_was_not_evaluated_in_a_round_has_an_empty_cell():
    view = learning.build(data_of(evaluations=(
        Evaluation(1, 'e1', {'a': TaskEvaluation(4, 10)}),
        Evaluation(2, 'e2', {'a': TaskEvaluation(6, 10), 'b': TaskEvaluation(0, 0)}))))
    assert [cell.result is None for cell in view.panels[-1].cells] == [True, True]


def test_factors_that_differ_in_their_axis_are_set_against_each_other():
    assert coverage.pair(['goal_y', 'angle', 'goal_x', 'cup.x', 'cup.y', 'mass', 'speed']) == [
        ('goal_x', 'goal_y'), ('cup.x', 'cup.y'), ('angle', 'mass'), ('speed', 'speed')]


def test_coverage_counts_the_cells_that_hold_an_episode():
    leases = tuple(
        Assignment(str(i), Scenario.of('a', 'e', {'x': x, 'y': y, 'cup': 'red'}), 'r', 0, 1, 2,
                   outcome=outcome)
        for i, (x, y, outcome) in enumerate([
            (0.0, 0.0, 'success'), (0.01, 0.01, 'failure'), (1.0, 1.0, 'success'),
            (0.5, 0.5, 'aborted')]))
    (task,) = coverage.build(data_of(assignments=leases)).tasks

    assert task.episodes == 3 and task.planes[0].filled == 2
    assert task.bars[0].values == (('red', 3, 1.0),)


def test_single_factor_is_shown_over_rounds():
    leases = tuple(Assignment(str(i), Scenario.of('a', 'e', {'x': i / 4}), 'r', i % 2, 1, 2,
                              outcome='success') for i in range(5))
    (task,) = coverage.build(data_of(assignments=leases)).tasks
    assert (task.planes[0].filled, task.planes[0].cells) == (5, 5)


def test_map_shows_every_pick_of_a_large_pool(report):
    pool = report.pool
    repeats = 4
    units = tuple(dataclasses.replace(unit, unit_id=f'{k}/{unit.unit_id}' if k else unit.unit_id)
                  for k in range(repeats) for unit in pool.units)
    large = dataclasses.replace(pool, units=units,
                                embeddings=np.tile(pool.embeddings, (repeats, 1)))
    view = build_map(dataclasses.replace(report, pool=large))

    assert view.shown == MOST_POINTS
    assert view.chart.count('picked') == len(report.selection.picks)


def test_bags_show_where_their_picks_lie(report):
    view = bag_timeline.build(report)

    assert sum(row.picks for row in view.rows) <= len(report.selection.picks)
    assert view.hidden + len(view.rows) + view.untouched == len(report.pool.bags)
    assert len(view.rows) == bag_timeline.MOST_BAGS


def test_pictures_beyond_the_page_s_limit_are_counted(report):
    picks = tuple(dataclasses.replace(pick, picture=b'x' * 1_000_000)
                  for pick in report.selection.picks)
    selection = dataclasses.replace(report.selection, picks=picks)
    view = contact.build(dataclasses.replace(report, selection=selection))
    assert view.without_picture == len(picks) - contact.MOST_BYTES // 1_000_000


def test_summary_has_five_lines_whatever_there_is(report):
    assert len(summary.build(report)) == 5
    assert [line.figure for line in summary.build(data_of())] == ['–'] * 5


def test_projection_finds_the_plane_that_the_points_lie_in():
    random = np.random.default_rng(0)
    plane = random.normal(size=(200, 2)) * (5, 2)
    axes, _ = np.linalg.qr(random.normal(size=(16, 2)))
    projection = project(plane @ axes.T + 3)

    assert sum(projection.explained) == pytest.approx(1)
    distances = np.linalg.norm(plane[:, None] - plane[None], axis=-1)
    shown = np.linalg.norm(projection.points[:, None] - projection.points[None], axis=-1)
    np.testing.assert_allclose(shown / shown.max(), distances / distances.max(), atol=1e-9)


def test_projection_of_many_dimensions_is_the_exact_one():
    random = np.random.default_rng(2)
    data = random.normal(size=(300, 900)) * np.linspace(3, 1, 900)
    centred = data - data.mean(axis=0)
    exact = np.linalg.svd(centred, full_matrices=False)[1][:2] ** 2 / (centred ** 2).sum()

    assert project(data).explained == pytest.approx(exact, rel=0.02)


def test_projection_does_not_depend_on_the_order_of_rows():
    random = np.random.default_rng(1)
    data, order = random.normal(size=(50, 8)), random.permutation(50)
    np.testing.assert_allclose(project(data).points[order], project(data[order]).points,
                               atol=1e-9)


@pytest.mark.parametrize('embeddings', [
    np.empty((0, 4)), np.ones((1, 4)), np.ones((5, 1)), np.zeros((3, 4)), np.empty((3, 0)),
    np.full((4, 3), 6e4, np.float16), np.array([[1.0, 2.0], [np.nan, 1.0], [2.0, 1.0]]),
    np.full((3, 2), 1e300) * [[1], [2], [3]]])
def test_projection_of_anything_has_a_row_for_each(embeddings):
    projection = project(embeddings)

    assert projection.points.shape == (len(embeddings), 2)
    if embeddings.size:
        finite = np.isfinite(embeddings).all(axis=1)
        assert (np.isfinite(projection.points).all(axis=1) == finite).all()


@pytest.mark.parametrize('shape', [(480, 640, 3), (128, 128), (1, 3000, 3), (3000, 1), (1, 1, 3)])
def test_thumbnail_keeps_its_limit(shape):
    noise = np.random.default_rng(0).integers(0, 255, shape, np.uint8)

    jpeg = thumbnail(noise, limit=SMALLEST)

    assert jpeg[:2] == b'\xff\xd8' and len(jpeg) <= SMALLEST


@pytest.mark.parametrize('shape', [(0, 5, 3), (4, 4, 4), (7,)])
def test_thumbnail_refuses_what_is_no_picture(shape):
    with pytest.raises(ValueError, match='shape'):
        thumbnail(np.zeros(shape, np.uint8))


def test_thumbnail_keeps_colours():
    import cv2

    red = np.zeros((64, 64, 3), np.uint8)
    red[:, :, 0] = 200
    back = cv2.imdecode(np.frombuffer(thumbnail(red), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    np.testing.assert_allclose(back.reshape(-1, 3).mean(axis=0), (200, 0, 0), atol=4)


@pytest.mark.parametrize('shape', [(1, 1, 3), (1, 1), (1, 300, 3)])
def test_thumbnail_takes_what_is_a_pixel_high(shape):
    assert thumbnail(np.zeros(shape, np.uint8)).startswith(b'\xff\xd8')


@pytest.mark.parametrize('pictures', [0, 1, 500, 2000])
def test_pictures_of_a_page_share_its_budget(pictures):
    assert pictures * budget(pictures) <= 10_000_000


def test_terms_that_only_inform_are_kept_apart():
    lease = Assignment('a', Scenario('t', 'e'), 'r', 1, 1, rule='hybrid', terms=(
        Term('epistemic', .25, 4.0), Term('recent_share', .1, 0.0)))

    assert collection.explain(lease) == 'epistemic 0.250 × 4.00; recent_share 0.100'
    assert collection.build(data_of(assignments=(lease,))).terms == ('epistemic',)


def test_reasons_are_those_of_the_round_s_main_rule():
    leases = [
        Assignment(str(i), Scenario('t', 'e'), 'r', 1, i, rule=rule, terms=(Term(name, 1, value),))
        for i, (rule, name, value) in enumerate([
            ('hybrid', 'epistemic', .25), ('retry', 'attempt', 2.0),
            ('hybrid', 'epistemic', .75)])]
    view = collection.build(data_of(assignments=tuple(leases)))
    assert (view.rule, view.decided, view.terms) == ('hybrid', 2, ('epistemic',))
    assert view.tasks[0].terms == (.5,)


def labelled(*points, held_out=True):
    return data_of(labels=tuple(
        LabelRound(number, 'hybrid', 10, count_, 0, correct, tested, held_out, kappa=.5, radius=2)
        for number, count_, correct, tested in points))


def test_labels_section_says_what_the_last_round_added():
    view = label_rounds.build(labelled((3, 30, 18, 20), (1, 10, 10, 20)))

    assert view.conclusion == (
        '30 labelled units in 2\u202frounds: a light head gets 90\u202f% of 20 held-out labels '
        'right (70–97\u202f%), +40.0 points since the round before.')
    assert [row.round.round for row in view.rows] == [1, 3]
    assert [title for title, _ in view.charts] == [
        'accuracy', 'agreement with the round before (kappa)', 'cover radius']


def test_labels_section_without_a_test_says_so_and_draws_what_is_known():
    view = label_rounds.build(labelled((1, 10, 0, 0)))

    assert view.conclusion == '10 labelled units in 1\u202fround; too few to test a model on.'
    assert view.charts[0][0] == 'agreement with the round before (kappa)'
    assert label_rounds.build(data_of()) is None


def test_labels_without_a_held_out_set_are_said_to_be_left_out_in_turn():
    assert 'each left out in turn' in label_rounds.build(
        labelled((1, 10, 5, 10), held_out=False)).conclusion


@pytest.mark.parametrize('value', [0.0, -0.2, 1.0, 1e-9, 5.0, 1e6])
def test_label_curves_stay_inside_their_panel(value):
    data = data_of(labels=tuple(
        LabelRound(n, 's', 1, n, kappa=value, radius=value, uncertainty=value)
        for n in (1, 2)))

    for _, chart in label_rounds.build(data).charts:
        for y in re.findall(r'cy="([^"]+)"', chart):
            assert 0 <= float(y) <= label_rounds.HEIGHT
