# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules are compared by the scheduler itself against learning curves."""
import pytest
from fleets import SPACE

from active_collection.cli.main import main
from active_collection.config import parse
from active_collection.errors import ConfigError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.comparison import band
from active_collection.scheduling.comparison import gain
from active_collection.scheduling.comparison import mean_success
from active_collection.scheduling.fleet_simulation import FleetSimulation
from active_collection.scheduling.fleet_simulation import Run
from active_collection.scheduling.fleet_simulation import fleet_of
from active_collection.scheduling.learning_curves import LearningCurves
from active_collection.scheduling.learning_curves import TaskCurve
from active_collection.scheduling.learning_curves import fitted
from active_collection.scheduling.learning_curves import made_up
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings


def simulate(space, rule, curves, *, seed=0, budget=120, robots=3, **settings):
    simulation = FleetSimulation(
        space, curves, robots=fleet_of(space, robots, where='robots'), retrain=30, seed=seed)
    return simulation.run(SchedulerSettings(rule=rule, seed=seed, **settings), budget)


def test_success_grows_and_the_same_seed_gives_the_same_run(space):
    curves = made_up(space, 1)

    first, second = simulate(space, 'hybrid', curves), simulate(space, 'hybrid', curves)

    assert first == second
    assert first.cost == (0, 30, 60, 90, 120)
    assert first.success[-1] > first.success[0]


def test_a_rule_that_knows_the_slope_beats_chance_where_one_task_is_hopeless(space):
    curves = LearningCurves(tasks={
        'pick': TaskCurve(a=1.0, b=0.4), 'push': TaskCurve(a=1.0, b=0.0),
        'pour': TaskCurve(a=0.02, b=0.5)})

    def area(rule):
        return mean_success([simulate(space, rule, curves, seed=s, budget=240)
                             for s in range(3)]).mean[0]

    assert area('slope') > area('uniform')


SHARED = SPACE[:SPACE.index('environments:')] + """
environments:
  kitchen: {capacity: 1}
  lab: {capacity: 1, robots: [bob]}
robots: {bob: {}, ada: {}}
"""


def test_a_refused_robot_asks_again():
    """The only place that one robot reaches is taken now and then when it asks first."""
    space = parse(SHARED, ScenarioSpace, where='space.yaml')
    work = []

    class Watched(FleetSimulation):
        def _work(self, assigned, turn, settings, random):
            work[-1].append((assigned.request.robot, assigned.scenario.environment))
            return super()._work(assigned, turn, settings, random)

    for seed in range(4):
        work.append([])
        Watched(space, made_up(space, 1), robots=fleet_of(space, None, where='robots'),
                retrain=30, seed=seed).run(SchedulerSettings(rule='uniform', seed=seed), 60)

    assert any(began[0] == ('bob', 'kitchen') for began in work)
    for began in work:
        assert {robot for robot, _ in began} == {'ada', 'bob'}


def test_many_robots_that_have_to_wait_cost_little(space, monkeypatch):
    """A thousand robots with room for eight: those that wait do not each ask in vain."""
    asked = []
    request = Scheduler.request

    def counted(self, *arguments):
        asked.append(arguments)
        return request(self, *arguments)

    monkeypatch.setattr(Scheduler, 'request', counted)

    run = simulate(space, 'uniform', made_up(space, 1), robots=1000, budget=60)

    assert run.episodes == 60
    assert len(asked) < 500


def test_a_run_in_which_nothing_is_left_to_do_says_why(space):
    run = simulate(space, 'uniform', made_up(space, 1), budget_episodes=37)

    assert run.cost[:2] == (0, 30)
    assert 37 <= run.episodes < 37 + 3  # those who were at work finish
    assert 'budget' in run.ended


def test_robots_that_can_do_nothing_end_the_run(space):
    tasks = {name: task.model_copy(update={'maximum_episodes': 2})
             for name, task in space.tasks.items()}

    run = simulate(space.model_copy(update={'tasks': tasks}), 'uniform', made_up(space, 1))

    assert run.cost == (0, 6)
    assert run.ended


NAMED = SPACE.replace('  pour:\n', '  pour:\n    capabilities: [pouring]\n') + """
robots:
  ada: {capabilities: [pouring]}
  bob: {}
"""


def test_named_robots_do_only_what_the_space_says_they_can():
    space = parse(NAMED, ScenarioSpace, where='space.yaml')
    did = set()

    class Watched(FleetSimulation):
        def _work(self, assigned, turn, settings, random):
            did.add((assigned.request.robot, assigned.scenario.task))
            return super()._work(assigned, turn, settings, random)

    Watched(space, made_up(space, 1), robots=fleet_of(space, None, where='robots'), retrain=30,
            seed=0).run(SchedulerSettings(rule='uniform'), 90)

    assert did == {('ada', 'pick'), ('ada', 'push'), ('ada', 'pour'), ('bob', 'pick'),
                   ('bob', 'push')}


def test_a_fleet_has_no_robots_that_its_space_does_not_name(space):
    named = parse(NAMED, ScenarioSpace, where='space.yaml')

    assert fleet_of(named, None, where='robots') == ['ada', 'bob']
    assert fleet_of(named, 1, where='robots') == ['ada']
    assert len(fleet_of(space, None, where='robots')) == 4
    with pytest.raises(ConfigError, match='--robots: found 3, expected at most 2, the robots '):
        fleet_of(named, 3, where='--robots')


TRAVEL = """
format: 1
tasks: {pick: {cost: 2.0, collectors: [scripted]}}
environments: {kitchen: {travel_s: 60.0, capacity: 1}, lab: {travel_s: 60.0, capacity: 1}}
robots: {ada: {environment: kitchen}}
"""


def test_runs_are_compared_by_what_their_episodes_cost():
    """Episode, travel and reset."""
    space = parse(TRAVEL, ScenarioSpace, where='space.yaml')
    moves = []

    class Watched(FleetSimulation):
        def _work(self, assigned, turn, settings, random):
            after = super()._work(assigned, turn, settings, random)
            moves.append((turn.environment, assigned.scenario.environment, after.cost))
            return after

    run = Watched(space, made_up(space, 1), robots=['ada'], retrain=10, seed=0).run(
        SchedulerSettings(rule='uniform', travel_cost=0.1, reset_cost=0.5), 100.0)

    assert {(before != after, cost) for before, after, cost in moves} == {
        (False, 2.5), (True, 8.5)}
    assert moves[0][0] == 'kitchen'
    assert run.cost[-1] == pytest.approx(sum(cost for _, _, cost in moves[:run.episodes]))
    assert 100 <= run.cost[-1] < 100 + 8.5


def test_a_band_holds_its_mean(space):
    runs = [simulate(space, 'uniform', made_up(space, seed), seed=seed) for seed in range(3)]

    found = band(runs)

    assert found.cost == runs[0].cost
    assert (found.low <= found.mean).all() and (found.mean <= found.high).all()
    assert found.at(0).startswith(f'{found.mean[0]:.3f}±')


def test_a_band_is_students(space):
    """Of two seeds 0.2 apart the mean is only known to 12.706 standard errors."""
    runs = [Run('uniform', seed, (0,), (success,)) for seed, success in ((0, 0.4), (1, 0.6))]

    assert band(runs).high[0] - band(runs).mean[0] == pytest.approx(12.706 * 0.1, rel=1e-3)


def test_rules_are_compared_seed_by_seed_and_a_run_that_ended_keeps_its_success():
    slow = [Run('uniform', 0, (0, 10, 20), (0.1, 0.2, 0.3)),
            Run('uniform', 1, (0, 10, 20), (0.6, 0.7, 0.8))]
    fast = [Run('slope', 0, (0, 10, 15), (0.1, 0.3, 0.5), 15, 'all stopped'),
            Run('slope', 1, (0, 10, 20), (0.6, 0.8, 1.0))]

    found = gain(fast, slow)

    assert found.cost == (0, 10, 15, 20)
    assert found.mean == pytest.approx([0, 0.1, 0.2, 0.2])
    assert found.high - found.low == pytest.approx([0, 0, 2 * 12.706 * 0.1, 0], rel=1e-3)


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

    assert main(['simulate', str(space), '--rules', 'uniform,hybrid', '--budget', '40',
                 '--retrain', '10', '--seeds', '2', '--plot', str(plot)]) == 0

    said = capsys.readouterr().out
    assert 'uniform' in said and 'hybrid' in said and '±' in said
    assert 'at 20' in said and 'at 40' in said
    assert 'gain: over the run, over uniform' in said
    text = plot.read_text()
    assert 'hybrid \\u2212 uniform' in text and '95 % confidence, paired by seed' in text


def test_the_schedulers_own_parameters_count(tmp_path, capsys):
    space, parameters = tmp_path / 'space.yaml', tmp_path / 'scheduler.yaml'
    space.write_text(SPACE)
    parameters.write_text('scheduler:\n  ros__parameters: {budget_episodes: 9, rule: mt_opt}\n')

    assert main(['simulate', str(space), '--rules', 'uniform', '--seeds', '1', '--parameters',
                 str(parameters)]) == 0

    assert 'uniform: 1 of 1 runs ended early' in capsys.readouterr().out


@pytest.mark.parametrize(('text', 'says'), [
    ('{}', 'found nothing, expected the parameters of one node'),
    ('a: {ros__parameters: {}}\nb: {ros__parameters: {}}', 'found a, b, expected'),
    ('a:\n  ros__parameters:\n    epsilon: 7\n', ':3: a.ros__parameters.epsilon: found 7'),
    ('a: {ros_parameters: {}}', "found an unknown key (did you mean 'ros__parameters'?)"),
    ('a: {ros__parameters: {epsilom: 0.1}}', "found an unknown key (did you mean 'epsilon'?)")])
def test_bad_parameter_files_are_one_line(tmp_path, capsys, text, says):
    space, parameters = tmp_path / 'space.yaml', tmp_path / 'scheduler.yaml'
    space.write_text(SPACE)
    parameters.write_text(text)

    assert main(['simulate', str(space), '--parameters', str(parameters)]) == 2

    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert str(parameters) in error[0] and says in error[0]


@pytest.mark.parametrize(('arguments', 'says'), [
    (['--rules', 'hybird'], 'hybird'), (['--robots', '0'], '--robots'),
    (['--budget', '0'], '--budget'), (['--budget', 'nan'], '--budget'),
    (['--plot', 'no/such/directory.html'], '--plot'),
    (['--curves', 'none.yaml'], 'none.yaml'), (['--ledger', 'none'], 'none')])
def test_bad_arguments_are_one_line(tmp_path, capsys, arguments, says):
    space = tmp_path / 'space.yaml'
    space.write_text(SPACE)

    assert main(['simulate', str(space), *arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert says in error[-1]


def test_more_robots_than_the_space_names_are_one_line(tmp_path, capsys):
    space = tmp_path / 'space.yaml'
    space.write_text(NAMED)

    assert main(['simulate', str(space), '--robots', '7']) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert error == ['active-collection: --robots: found 7, expected at most 2, the robots that '
                     'the scenario space names (ada, bob)']


def test_a_run_that_ended_early_is_told(tmp_path, capsys):
    space = tmp_path / 'space.yaml'
    space.write_text(SPACE.replace('minimum_episodes: 0', 'maximum_episodes: 5').replace(
        '    factors:', '    maximum_episodes: 5\n    factors:'))

    assert main(['simulate', str(space), '--rules', 'uniform', '--budget', '40', '--seeds',
                 '2']) == 0

    said = capsys.readouterr().out
    assert 'uniform: 2 of 2 runs ended early, the first after 15 episodes: ' in said
