# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The rules that keep the package clear: who may import what, and where ROS may be imported."""
import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / 'active_collection'
LEAVES = {
    'errors', 'names', 'files', 'registry', 'config', 'setting', 'constraint', 'scenario', 'task',
    'episode', 'packages'}
MIDDLE = {
    'collecting', 'recording', 'uncertainty', 'scheduling', 'selection', 'annotation', 'report',
    'simulation'}
INTERFACES = {'msg', 'srv', 'action'}
ROS = {
    'rclpy', 'std_msgs', 'sensor_msgs', 'geometry_msgs', 'diagnostic_msgs', 'std_srvs',
    'builtin_interfaces', 'rosidl_runtime_py', 'rcl_interfaces', 'lifecycle_msgs', 'action_msgs',
    'ament_index_python', 'type_description_interfaces', 'launch', 'launch_ros'}
ALLOWED = {
    'leaf': LEAVES,
    'mcap': LEAVES | {'mcap'},
    'bags': LEAVES | {'mcap', 'bags'},
    **{part: LEAVES | {'mcap', 'bags', part} for part in MIDDLE},
    'pipeline': LEAVES | MIDDLE | {'mcap', 'bags', 'pipeline'},
    'cli': LEAVES | MIDDLE | {'mcap', 'bags', 'pipeline', 'cli'},
    'nodes': LEAVES | MIDDLE | {'mcap', 'bags', 'pipeline', 'nodes'} | INTERFACES,
}
#: Launch is not installed where nodes are started otherwise: one module makes its actions.
LAUNCH = ('nodes', 'launching', 'actions.py')
#: Of scheduling: each wing may import those before it; what is in none stands where it is named.
SCHEDULING = (
    {'settings', 'assignment', 'encoding', 'places', 'orders', 'repeats', 'events'}, {'beliefs'},
    {'fleet'}, {'ledger'}, {'choosing'}, {'scheduler', 'control', 'counting', 'status'},
    {'simulation'})
#: Of nodes: the one module that uses what rclpy does not promise, and what a subclass has of it.
UNPROMISED = 'rclpy_internals.py'
OF_RCLPY = {'_state_machine'}
#: Of nodes: what a folder may import beside itself and the modules that all share.
NODES = {'recorder': {'topics'}, 'uncertainty': {'topics'}, 'scheduler': {'topics'},
         'doctor': {'topics', 'uncertainty'}, 'demo': {'launching'}}

MODULES = sorted(
    path for path in PACKAGE.rglob('*.py') if path != PACKAGE / '__init__.py')


def imported(path: Path) -> set[str]:
    """Return every module that a file imports anywhere, dotted."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f'{node.module}.{alias.name}' for alias in node.names)
    return names


def part_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return 'leaf' if len(relative.parts) == 1 else relative.parts[0]


@pytest.mark.parametrize('path', MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    part = part_of(path)

    for name in imported(path):
        top, _, rest = name.partition('.')
        if top == 'active_collection' and rest:
            assert rest.split('.')[0] in ALLOWED[part], f'{part} may not import {name}'
        if part != 'nodes':
            assert top not in ROS, f'{part} may not import {name}: only nodes know ROS'
        if path.relative_to(PACKAGE).parts != LAUNCH:
            assert top not in {'launch', 'launch_ros'}, f'{path} may not import {name}'


@pytest.mark.parametrize(
    'path', [m for m in MODULES if part_of(m) == 'scheduling'],
    ids=lambda p: str(p.relative_to(PACKAGE / 'scheduling')))
def test_wings_of_scheduling_point_one_way(path):
    own = path.relative_to(PACKAGE / 'scheduling').with_suffix('').parts[0]
    if own == '__init__':
        return
    level = next(k for k, wings in enumerate(SCHEDULING) if own in wings)
    allowed = set().union(*SCHEDULING[:level], SCHEDULING[level])

    for name in imported(path):
        package, _, rest = name.partition('active_collection.scheduling.')
        if not package and rest:
            assert rest.split('.')[0] in allowed, f'{own} may not import {name}'


@pytest.mark.parametrize(
    'path', [m for m in MODULES if part_of(m) == 'nodes'],
    ids=lambda p: str(p.relative_to(PACKAGE / 'nodes')))
def test_nodes_know_each_other_by_their_interfaces_alone(path):
    folders = {folder.name for folder in (PACKAGE / 'nodes').iterdir() if folder.is_dir()}
    own = path.parent.name
    allowed = (set() if own == 'nodes' else {own}) | NODES.get(own, set())

    for name in imported(path):
        package, _, rest = name.partition('active_collection.nodes.')
        if not package and rest and rest.split('.')[0] in folders:
            assert rest.split('.')[0] in allowed, f'{own} may not import {name}'


@pytest.mark.parametrize('path', sorted((PACKAGE / 'nodes').rglob('*.py')), ids=str)
def test_what_rclpy_does_not_promise_stands_in_one_module(path):
    if path == PACKAGE / 'nodes' / UNPROMISED:
        return
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            of_ros = isinstance(node, ast.ImportFrom) and str(node.module).startswith('rclpy')
            names = [part for alias in node.names for part in alias.name.split('.')]
            modules = str(getattr(node, 'module', '')).split('.')
            found += [n for n in names + modules if of_ros and (n == 'impl' or n[:1] == '_')]
            found += [n for n in names if n.startswith('rclpy.') and ('impl' in n or '._' in n)]
        elif isinstance(node, ast.Attribute):
            is_own = isinstance(node.value, ast.Name) and node.value.id in {'self', 'cls', 'os'}
            if node.attr == 'handle' or (node.attr[:1] == '_' and node.attr[:2] != '__'
                                         and not is_own) or node.attr in OF_RCLPY:
                found.append(ast.unparse(node))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {'getattr', 'setattr'}:
            found += [ast.unparse(node) for name in node.args[1:2]
                      if ast.unparse(name).strip("'").startswith(('_', 'handle'))]

    assert found == []


def test_root_init_is_empty_for_the_generated_interfaces_to_share():
    assert (PACKAGE / '__init__.py').read_text() == ''


def test_the_command_line_starts_without_ros_and_without_heavy_libraries():
    code = (
        'import sys\n'
        'from active_collection.cli.main import parser\n'
        'parser()\n'
        "heavy = {'torch', 'rclpy', 'pyarrow', 'cv2', 'mujoco', 'scipy'} & set(sys.modules)\n"
        'sys.exit(", ".join(sorted(heavy)) or 0)\n')

    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, cwd=PACKAGE.parent)

    assert result.returncode == 0, result.stderr


def timers(path: Path) -> list[ast.Call]:
    """Return every call in a file that makes a timer."""
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute) and node.func.attr == 'create_timer']


def test_every_timer_names_its_clock_and_stands_in_the_table_of_clocks():
    made = {path: calls for path in MODULES if (calls := timers(path))}
    nameless = [f'{path}:{call.lineno}' for path, calls in made.items() for call in calls
                if 'clock' not in {keyword.arg for keyword in call.keywords}]
    assert not nameless, 'without a clock of its own a timer stands still under a paused /clock'

    page = (PACKAGE.parent / 'docs/reference/nodes/README.md').read_text()
    table = page.partition('## Clocks')[2].partition('## ')[0]
    told = {line.split('|')[1].strip() for line in table.splitlines() if line.startswith('| ')}
    # What all nodes share is a row of its own.
    assert told - {'node', '---'} == {
        path.parent.name.replace('nodes', 'each') for path in made}
