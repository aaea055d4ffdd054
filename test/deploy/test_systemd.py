# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
The systemd units start what is installed, with arguments and variables that exist.

`systemctl` itself needs a machine that booted with systemd: what the units run is run here as
systemd would, by the rules of systemd.service(5).
"""
import ast
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from active_collection.cli import sync
from active_collection.cli.main import main

ROOT = Path(__file__).parents[2]
UNITS = ROOT / 'deploy' / 'systemd'
ENVIRONMENT = UNITS / 'active-collection.env'
ROBOT, FLEET, SYNC = (UNITS / f'active-collection-{name}.service'
                      for name in ('robot@', 'fleet', 'sync'))
SERVICES = [ROBOT, FLEET, SYNC]
#: The workspace that the tests run in.
BUILT = ROOT / '.build' / os.environ.get('DISTRO', os.environ.get('ROS_DISTRO', 'kilted'))
PAGE = (ROOT / 'docs' / 'how-to' / 'run-as-a-service.md').read_text()


def settings(unit):
    """Return (section, key) to the values of a unit."""
    found, section = {}, ''
    for line in unit.read_text().splitlines():
        if line.startswith('[') and line.endswith(']'):
            section = line[1:-1]
        elif line and not line.startswith(('#', ';')):
            key, equals, value = line.partition('=')
            assert section and equals and not line.endswith('\\'), line
            found.setdefault((section, key), []).append(value)
    return found


def only(unit, key, section='Service'):
    [value] = settings(unit)[section, key]
    return value


def variables(*, examples=False):
    """Return the keys and values of the environment file; with its commented examples too."""
    found = {}
    text = ENVIRONMENT.read_text()
    if examples:
        text = re.sub(r'^# (?=[A-Z_]+=)', '', text, flags=re.MULTILINE)
    for line in text.splitlines():
        if line and not line.startswith('#'):
            key, _, value = line.partition('=')
            found[key] = value.strip('"')
    return found


def command(unit, instance=''):
    """Return what systemd runs: specifiers put in, quotes taken off, $$ for a dollar sign."""
    line = only(unit, 'ExecStart')
    assert not re.search(r'%(?!I)', line) and '$' not in line.replace('$$', '')
    return [word.replace('$$', '$') for word in shlex.split(line.replace('%I', instance))]


@pytest.mark.skipif(not shutil.which('systemd-analyze'), reason='no systemd here')
def test_systemd_finds_nothing_wrong(tmp_path):
    for unit in [*UNITS.glob('*.service'), *UNITS.glob('*.timer')]:
        shutil.copy(unit, tmp_path)
    names = ['active-collection-robot@arm_1.service', 'active-collection-fleet.service',
             'active-collection-sync.service', 'active-collection-sync.timer']

    done = subprocess.run(
        ['systemd-analyze', 'verify', '--man=no', *(f'./{name}' for name in names)],
        cwd=tmp_path, capture_output=True, text=True)

    ours = [line for line in done.stderr.splitlines() if 'active-collection' in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize('unit', [ROBOT, FLEET], ids=lambda unit: unit.stem)
def test_nodes_are_interrupted_and_restarted_within_bounds(unit):
    assert only(unit, 'KillSignal') == 'SIGINT'
    assert only(unit, 'KillMode') == 'mixed'  # launch hands it on; twice would cut closing short
    assert only(unit, 'Restart') == 'on-failure'
    interval = int(only(unit, 'StartLimitIntervalSec', 'Unit'))
    burst = int(only(unit, 'StartLimitBurst', 'Unit'))
    pause = int(only(unit, 'RestartSec'))
    assert burst > 1 and burst * pause < interval  # or the bound would never be reached


def test_a_copy_that_is_interrupted_is_no_failure(monkeypatch):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(sync, 'run', interrupted)
    status = main(['sync', '--data', '/data', 'file:///store'])

    assert only(SYNC, 'KillSignal') == 'SIGINT'
    assert only(SYNC, 'SuccessExitStatus') == str(status)


def test_stopping_takes_longer_than_anything_that_closes():
    text = (ROOT / 'config' / 'recorder.yaml').read_text()
    close_s = float(re.search(r'close_timeout_s: ([\d.]+)', text)[1])
    of_launch_s = 10 + 10  # until it sends SIGTERM, and until it kills
    for unit in (ROBOT, FLEET):
        assert int(only(unit, 'TimeoutStopSec')) > close_s + of_launch_s


@pytest.mark.parametrize('unit', SERVICES, ids=lambda unit: unit.stem)
def test_a_unit_uses_the_variables_of_the_environment_file(unit):
    assert only(unit, 'EnvironmentFile') == '/etc/active-collection.env'
    used = set(re.findall(r'ACTIVE_COLLECTION_\w+', only(unit, 'ExecStart')))
    assert used and used <= set(variables(examples=True))
    assert (unit == SYNC) == (not used <= {
        *variables(), 'ACTIVE_COLLECTION_ROBOT_ARGUMENTS', 'ACTIVE_COLLECTION_FLEET_ARGUMENTS'})


def test_every_variable_is_explained_and_of_use():
    used = ' '.join(only(unit, 'ExecStart') for unit in SERVICES)
    known = {'ROS_DOMAIN_ID', 'RMW_IMPLEMENTATION', 'FASTRTPS_DEFAULT_PROFILES_FILE',
             'FASTDDS_DEFAULT_PROFILES_FILE', 'ROS_LOG_DIR', 'AWS_ACCESS_KEY_ID',
             'AWS_SECRET_ACCESS_KEY', 'AWS_ENDPOINT_URL'}
    for name in variables(examples=True):
        assert name in used or name in known, name
    for block in ENVIRONMENT.read_text().split('\n\n'):
        assert re.match(r'# [A-Z]', block), block


def declared(launch_file):
    """Return the arguments that a launch file declares, itself or by what it takes from ours."""
    tree = ast.parse((ROOT / 'launch' / launch_file).read_text())
    taken = [ROOT / f'{node.module.replace(".", "/")}.py' for node in ast.walk(tree)
             if isinstance(node, ast.ImportFrom) and node.module.startswith('active_collection')]
    trees = [tree, *(ast.parse(path.read_text()) for path in taken)]
    return {node.args[0].value for each in trees for node in ast.walk(each)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == 'DeclareLaunchArgument'}


@pytest.mark.parametrize(('unit', 'launch_file', 'more'), [
    (ROBOT, 'robot.launch.py', 'ACTIVE_COLLECTION_ROBOT_ARGUMENTS'),
    (FLEET, 'fleet.launch.py', 'ACTIVE_COLLECTION_FLEET_ARGUMENTS')])
def test_launch_files_have_the_arguments_that_are_given(unit, launch_file, more):
    line = only(unit, 'ExecStart')
    assert f'exec ros2 launch active_collection {launch_file}' in line
    given = {*re.findall(r'(\w+):=', line),
             *re.findall(r'(\w+):=', variables(examples=True)[more])}
    assert given <= declared(launch_file)


@pytest.fixture
def workspace(tmp_path):
    """Give a workspace whose ros2 prints its arguments and lives until it is interrupted."""
    place = tmp_path / 'my ws'
    (place / 'install').mkdir(parents=True)
    (place / '.venv' / 'bin').mkdir(parents=True)
    (place / '.venv' / 'bin' / 'activate').write_text('export ORDER="$ORDER venv"\n')
    (place / 'install' / 'setup.bash').write_text(
        f'export ORDER="$ORDER install" PATH="{place}/bin:$PATH"\n')
    (place / 'bin').mkdir()
    ros2 = place / 'bin' / 'ros2'
    ros2.write_text(f'#!{sys.executable}\n' + textwrap.dedent("""
        import os, signal, sys
        signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
        print(os.getpid(), os.environ['ORDER'], *sys.argv[1:], sep='|', flush=True)
        while True:
            signal.pause()
        """))
    ros2.chmod(0o755)
    return place


@pytest.mark.parametrize(('unit', 'given', 'instance'), [
    (ROBOT, ['robot.launch.py', 'robot:=arm_1', 'data:=/my data', 'config:=/etc/c',
             'log_level:=debug'], 'arm_1'),
    (ROBOT, ['robot.launch.py', 'robot:=cell_3/arm_1', 'data:=/my data', 'config:=/etc/c',
             'log_level:=debug'], 'cell_3/arm_1'),
    (FLEET, ['fleet.launch.py', 'data:=/my data', 'space:=/my space.yaml'], '')])
def test_what_a_unit_runs_is_launch_in_the_workspace_itself(workspace, unit, given, instance):
    environment = {
        'PATH': os.environ['PATH'], 'ACTIVE_COLLECTION_WORKSPACE': str(workspace),
        'ACTIVE_COLLECTION_DATA': '/my data', 'ACTIVE_COLLECTION_SPACE': '/my space.yaml',
        'ACTIVE_COLLECTION_ROBOT_ARGUMENTS': 'config:=/etc/c log_level:=debug'}
    with subprocess.Popen(command(unit, instance), env=environment, text=True,
                          stdout=subprocess.PIPE) as process:
        pid, order, *arguments = process.stdout.readline().strip().split('|')
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    assert int(pid) == process.pid  # so that the interrupt is launch's
    assert order == ' venv install'
    assert arguments == ['launch', 'active_collection', *given]


def test_a_workspace_that_is_not_there_is_a_failure_that_says_so(tmp_path):
    for unit in SERVICES:
        done = subprocess.run(
            command(unit, 'arm_1'), env={'PATH': os.environ['PATH'],
                                         'ACTIVE_COLLECTION_WORKSPACE': str(tmp_path / 'none')},
            capture_output=True, text=True)
        assert done.returncode not in {0, 2}  # it may come later, with its disk
        assert str(tmp_path / 'none') in done.stderr


@pytest.mark.skipif(not (BUILT / 'install' / 'setup.bash').is_file(), reason='nothing built')
def test_sync_copies_from_a_real_workspace(tmp_path):
    (tmp_path / 'data').mkdir()
    done = subprocess.run(
        command(SYNC), capture_output=True, text=True, timeout=60, env={
            **os.environ, 'ACTIVE_COLLECTION_WORKSPACE': str(BUILT),
            'ACTIVE_COLLECTION_DATA': str(tmp_path / 'data'),
            'ACTIVE_COLLECTION_STORE': (tmp_path / 'store').as_uri()})
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith(f'0 episodes in {(tmp_path / "store").as_uri()}')
    assert (tmp_path / 'store').is_dir()


def test_the_page_names_units_and_files_that_there_are():
    named = set(re.findall(r'active-collection-[a-z]+@?(?:\.timer)?', PAGE))
    there = {path.name.removesuffix('.service') for path in UNITS.iterdir()}
    assert named <= there
    assert {name for name in there if name.startswith('active-collection-')} == named | {
        'active-collection-sync'}
