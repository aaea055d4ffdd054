# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A fleet's load is foretold by the scheduler itself against assumed learning curves."""
import pytest
from fleets import SPACE

from active_collection.cli.main import main
from active_collection.config import parse
from active_collection.errors import ConfigError
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings
from active_collection.scheduling.simulation.fleet_simulation import FleetSimulation
from active_collection.scheduling.simulation.fleet_simulation import fleet_of
from active_collection.scheduling.simulation.learning_curves import LearningCurves
from active_collection.scheduling.simulation.learning_curves import TaskCurve
from active_collection.scheduling.simulation.learning_curves import assumed
from active_collection.scheduling.simulation.learning_curves import fitted


def simulate(space, *, curves=None, hours=0.5, robots=3, **settings):
    simulation = FleetSimulation(space, curves or assumed(space), retrain=30,
                                 robots=fleet_of(space, robots, where='robots'))
    return simulation.run(SchedulerSettings(**settings), hours)


def episodes(load):
    return sum(task.episodes for task in load.tasks.values())


def test_the_same_seed_gives_the_same_load(space):
    first, second = simulate(space), simulate(space)

    assert first == second != simulate(space, seed=1)
    assert first.lasted_s == 1800 and not first.ended
    assert episodes(first) == pytest.approx(3 * 1800 / 30, rel=0.1)


def test_what_tasks_took_is_what_robots_did(space):
    """A person picks, a minute each, and fails at half; a script pushes in ten seconds."""
    tasks = {name: space.tasks[name].model_copy(update={'collectors': collectors})
             for name, collectors in (('pick', ('teleoperation',)), ('push', ('scripted',)))}
    curves = LearningCurves(tasks={
        'pick': TaskCurve(duration_s=60, demonstrator=0.5), 'push': TaskCurve(duration_s=10)})

    load = simulate(space.model_copy(update={'tasks': tasks}), curves=curves, rule='round_robin')

    pick, push = load.tasks['pick'], load.tasks['push']
    assert pick.operator_s == pick.robot_s == pytest.approx(60 * pick.episodes, rel=0.1)
    assert push.operator_s == 0 and push.robot_s == pytest.approx(10 * push.episodes, rel=0.1)
    assert sum(load.busy_s.values()) == pytest.approx(pick.robot_s + push.robot_s)
    assert 0.2 < pick.demonstrations / pick.episodes < 0.8 < push.demonstrations / push.episodes
    assert pick.success == pytest.approx(curves.tasks['pick'].success(pick.demonstrations), abs=.1)


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
        def _work(self, assigned, turn, random):
            work[-1].append((assigned.request.robot, assigned.scenario.environment))
            return super()._work(assigned, turn, random)

    for seed in range(4):
        work.append([])
        Watched(space, assumed(space), robots=fleet_of(space, None, where='robots'),
                retrain=30).run(SchedulerSettings(rule='uniform', seed=seed), 0.25)

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

    load = simulate(space, rule='uniform', robots=1000, hours=0.07)

    assert 50 < episodes(load) < 70
    assert len(asked) < 500
    assert sum(busy_s > 0 for busy_s in load.busy_s.values()) < 70


@pytest.mark.parametrize(('budget', 'least'), [
    ({'budget_episodes': 37}, 37), ({'budget_hours': 0.25}, 26), ({'budget_cost': 37}, 37)])
def test_a_fleet_whose_budget_is_spent_says_when(space, budget, least):
    load = simulate(space, rule='uniform', **budget)

    assert least <= episodes(load) < least + 9  # those who were at work finish
    assert load.lasted_s == pytest.approx(30 * episodes(load) / 3, rel=0.2)
    assert 'budget' in load.ended


def test_a_task_that_reaches_its_target_is_stopped(space):
    """Pick and push are learnt at once, pour not: its demonstrators fail at it."""
    curves = LearningCurves(tasks={
        'pick': TaskCurve(a=0.0), 'push': TaskCurve(a=0.0), 'pour': TaskCurve(demonstrator=0.0)})

    load = simulate(space, curves=curves, hours=2, target_success=0.8)

    assert 'success' in load.tasks['pick'].stopped and 'success' in load.tasks['push'].stopped
    assert not load.tasks['pour'].stopped
    assert load.tasks['pour'].demonstrations == 0 and load.tasks['pour'].success == 0
    assert load.tasks['pour'].episodes > load.tasks['pick'].episodes


def test_robots_that_can_do_nothing_end_the_run(space):
    tasks = {name: task.model_copy(update={'maximum_episodes': 2})
             for name, task in space.tasks.items()}

    load = simulate(space.model_copy(update={'tasks': tasks}), rule='uniform')

    assert episodes(load) == 6
    assert load.lasted_s < 200 and load.ended


NAMED = SPACE.replace('  pour:\n', '  pour:\n    capabilities: [pouring]\n') + """
robots:
  ada: {capabilities: [pouring]}
  bob: {}
"""


def test_named_robots_do_only_what_the_space_says_they_can():
    space = parse(NAMED, ScenarioSpace, where='space.yaml')
    did = set()

    class Watched(FleetSimulation):
        def _work(self, assigned, turn, random):
            did.add((assigned.request.robot, assigned.scenario.task))
            return super()._work(assigned, turn, random)

    Watched(space, assumed(space), robots=fleet_of(space, None, where='robots'),
            retrain=30).run(SchedulerSettings(rule='uniform'), 0.4)

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


def test_travel_and_resets_cost_and_travel_takes_time():
    space = parse(TRAVEL, ScenarioSpace, where='space.yaml')
    moves = []

    class Watched(FleetSimulation):
        def _work(self, assigned, turn, random):
            moves.append(turn.environment != assigned.scenario.environment)
            return super()._work(assigned, turn, random)

    load = Watched(space, assumed(space), robots=['ada'], retrain=10).run(
        SchedulerSettings(rule='uniform', travel_cost=0.1, reset_cost=0.5), 1)

    pick = load.tasks['pick']
    moves = moves[:pick.episodes]
    assert 0 < sum(moves) < len(moves) and not moves[0]
    assert pick.cost == pytest.approx(2.5 * len(moves) + 6.0 * sum(moves))
    assert pick.robot_s == pytest.approx(30 * len(moves) + 60 * sum(moves), rel=0.1)


def test_curves_are_fitted_to_a_ledger(fleet):
    """Its episodes took 20 s."""
    one = fleet()
    for k in range(30):
        one.collect(ensemble=f'e{k // 10}')

    curves = fitted(one.scheduler.fleet)

    assert set(curves.tasks) == {'pick', 'push', 'pour'}
    assert {curve.duration_s for curve in curves.tasks.values()} == {20.0}


def test_the_command_tells_the_load_and_what_starves(tmp_path, capsys):
    space, parameters = tmp_path / 'space.yaml', tmp_path / 'scheduler.yaml'
    space.write_text(NAMED.replace('minimum_episodes: 0', 'minimum_episodes: 30').replace(
        'ada: {capabilities: [pouring]}', 'ada: {capabilities: [grasping]}'))
    parameters.write_text('scheduler:\n  ros__parameters: {budget_episodes: 9}\n')

    assert main(['simulate', str(space), '--parameters', str(parameters), '--retrain', '10']) == 0

    said = capsys.readouterr().out
    assert 'of what 2 robots have; 0.0 operator hours' in said
    assert 'pour starved: 0 episodes of a minimum of 30' in said
    assert 'ended early: finished: budget: 9 of 9 episodes' in said


@pytest.mark.parametrize(('text', 'says'), [
    ('{}', 'found nothing, expected the parameters of one node'),
    ('a: {ros__parameters: {}}\nb: {ros__parameters: {}}', 'found a, b, expected'),
    ('a:\n  ros__parameters:\n    confidence: 7\n', ':3: a.ros__parameters.confidence: found 7'),
    ('a: {ros_parameters: {}}', "found an unknown key (did you mean 'ros__parameters'?)"),
    ('a: {ros__parameters: {confidense: 0.9}}', "unknown key (did you mean 'confidence'?)")])
def test_bad_parameter_files_are_one_line(tmp_path, capsys, text, says):
    space, parameters = tmp_path / 'space.yaml', tmp_path / 'scheduler.yaml'
    space.write_text(SPACE)
    parameters.write_text(text)

    assert main(['simulate', str(space), '--parameters', str(parameters)]) == 2

    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert str(parameters) in error[0] and says in error[0]


@pytest.mark.parametrize(('arguments', 'says'), [
    (['--rule', 'hybird'], 'hybird'), (['--robots', '0'], '--robots'),
    (['--hours', '0'], '--hours'), (['--hours', 'nan'], '--hours'),
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
