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
    'errors', 'names', 'files', 'registry', 'config', 'constraint', 'scenario', 'task', 'episode'}
MIDDLE = {
    'recording', 'uncertainty', 'scheduling', 'selection', 'annotation', 'report', 'simulation'}
INTERFACES = {'msg', 'srv', 'action'}
ROS = {
    'rclpy', 'std_msgs', 'sensor_msgs', 'geometry_msgs', 'diagnostic_msgs', 'std_srvs',
    'builtin_interfaces', 'rosidl_runtime_py', 'rcl_interfaces', 'lifecycle_msgs', 'action_msgs',
    'ament_index_python'}
ALLOWED = {
    'leaf': LEAVES,
    'bags': LEAVES | {'bags'},
    **{part: LEAVES | {'bags', part} for part in MIDDLE},
    'cli': LEAVES | MIDDLE | {'bags', 'cli'},
    'nodes': LEAVES | MIDDLE | {'bags', 'nodes'} | INTERFACES,
}

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
