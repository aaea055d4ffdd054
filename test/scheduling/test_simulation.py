# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules are compared by the scheduler itself against learning curves."""
import pytest
from fleets import SPACE

from active_collection.cli.main import main
from active_collection.scheduling.fleet_simulation import FleetSimulation
from active_collection.scheduling.fleet_simulation import LearningCurves
from active_collection.scheduling.fleet_simulation import TaskCurve
from active_collection.scheduling.fleet_simulation import band
from active_collection.scheduling.fleet_simulation import fitted
from active_collection.scheduling.fleet_simulation import made_up
from active_collection.scheduling.settings import SchedulerSettings


def simulate(space, rule, curves, *, seed=0, episodes=120, robots=3):
    simulation = FleetSimulation(space, curves, robots=robots, retrain=30, seed=seed)
    return simulation.run(SchedulerSettings(rule=rule, seed=seed), episodes)


def test_success_grows_and_the_same_seed_gives_the_same_run(space):
    curves = made_up(space, 1)

    first, second = simulate(space, 'hybrid', curves), simulate(space, 'hybrid', curves)

    assert first == second
    assert first.episodes == (0, 30, 60, 90, 120)
    assert first.success[-1] > first.success[0]


def test_a_rule_that_knows_the_slope_beats_chance_where_one_task_is_hopeless(space):
    curves = LearningCurves(tasks={
        'pick': TaskCurve(a=1.0, b=0.4), 'push': TaskCurve(a=1.0, b=0.0),
        'pour': TaskCurve(a=0.02, b=0.5)})

    def area(rule):
        return sum(simulate(space, rule, curves, seed=s, episodes=240).area for s in range(3))

    assert area('slope') > area('uniform')


def test_a_band_holds_its_mean(space):
    runs = [simulate(space, 'uniform', made_up(space, seed), seed=seed) for seed in range(3)]

    for episodes, mean, low, high in band(runs):
        assert low <= mean <= high
        assert episodes in runs[0].episodes


def test_curves_are_fitted_to_a_ledger(fleet):
    one = fleet()
    for k in range(30):
        one.collect(ensemble=f'e{k // 10}')

    curves = fitted(one.scheduler.books)

    assert set(curves.tasks) == {'pick', 'push', 'pour'}


def test_the_command_prints_a_table_and_writes_a_plot(tmp_path, capsys):
    space = tmp_path / 'space.yaml'
    space.write_text(SPACE)
    plot = tmp_path / 'plot.html'

    assert main(['simulate', str(space), '--rules', 'uniform,hybrid', '--episodes', '40',
                 '--retrain', '10', '--seeds', '2', '--plot', str(plot)]) == 0

    said = capsys.readouterr().out
    assert 'uniform' in said and 'hybrid' in said and '±' in said
    assert plot.stat().st_size > 10_000


@pytest.mark.parametrize(('arguments', 'says'), [
    (['--rules', 'hybird'], 'hybird'), (['--robots', '0'], '--robots'),
    (['--curves', 'none.yaml'], 'none.yaml'), (['--ledger', 'none'], 'none')])
def test_bad_arguments_are_one_line(tmp_path, capsys, arguments, says):
    space = tmp_path / 'space.yaml'
    space.write_text(SPACE)

    assert main(['simulate', str(space), *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert says in error[-1]
