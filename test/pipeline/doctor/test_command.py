# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The command active-collection doctor, without a robot."""
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
from spoiling import SMALL_SPACE

from active_collection.cli.main import main
from active_collection.packages import GROUPS
from active_collection.pipeline.doctor.checks import DATA_CHECKS
from active_collection.pipeline.doctor.checks import MACHINE_CHECKS

#: Without what a robot that only records does without, and without ROS.
BARE = f"""
import sys
for name in {sorted({name for members in GROUPS.values() for name in members}
                    - set(GROUPS['base']))!r}:
    sys.modules[name] = None
from active_collection.cli.main import main
sys.exit(main(['doctor', *sys.argv[1:]]))
"""


def doctor(*arguments, prefix=(), **environment):
    return subprocess.run(
        [*prefix, sys.executable, '-c', BARE, *map(str, arguments)],
        capture_output=True, text=True,
        env={**os.environ, 'AMENT_PREFIX_PATH': '', 'ROS_DISTRO': '', **environment})


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    data = tmp_path_factory.mktemp('data')
    return data, doctor('--data', data, '--json', '--limit', '60')


def test_it_ends_with_status_0_where_there_are_but_warnings(report):
    _, result = report
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.returncode == 0, result.stdout
    assert result.stderr == ''
    assert list(dict.fromkeys(line['check'] for line in lines)) == [
        *MACHINE_CHECKS.names(), *DATA_CHECKS.names()]
    assert all(line['expected'] and line['remedy'] for line in lines
               if line['verdict'] == 'warning')


def test_it_leaves_the_data_directory_as_it_was(report):
    data, _ = report
    assert list(data.iterdir()) == []


@pytest.mark.parametrize('arguments', [
    ['--robot', ''], ['--robot', '/'], ['--robot', 'ärm'], ['--robot', 'arm 1'],
    ['--robot', '/arm//1'], ['--robot', '../arm'], ['--robot', '1arm'], ['--robot', 'a' * 65],
    ['--seconds', '0'], ['--seconds', 'nan'], ['--seconds', '0.5'], ['--seconds', '1e30'],
    ['--limit', '1e30'], ['--limit', '14', '--seconds', '3'], ['--limit', '0'],
    ['--space', '/nowhere.yaml'], ['--params', '/nowhere.yaml']])
def test_misuse_is_one_line_and_status_2(arguments, capsys):
    assert main(['doctor', *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == '' and captured.err.count('\n') == 1


def test_a_directory_of_parameters_is_told_from_none(tmp_path, capsys):
    assert main(['doctor', '--params', str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f'active-collection: {tmp_path}: found something else than a file, '
        'expected a YAML file\n')


@pytest.mark.parametrize('name', ['', 'deeper/data'])
def test_a_data_directory_that_its_user_may_not_see_is_wrong(tmp_path, name):
    closed = tmp_path / 'closed'
    closed.mkdir(mode=0)
    as_others = []
    if os.geteuid() == 0:  # for whom nothing is closed, but for capabilities
        if not shutil.which('setpriv'):
            pytest.skip('needs setpriv where it is run by root')
        as_others = ['setpriv', '--inh-caps=-all', '--bounding-set=-all']

    result = doctor('--data', closed / name, '--json', '--limit', '60', prefix=as_others)

    found = {line['check']: line for line in map(json.loads, result.stdout.splitlines())}
    assert result.returncode == 1, result.stderr
    assert found['data directory']['found'].startswith(f'{closed} cannot be written by uid ')
    assert found['index']['verdict'] == 'wrong'
    assert found['index']['found'] == f'{closed / name / "pool"}: no permission'
    assert 'the check itself failed' not in result.stdout


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path):
    process = subprocess.Popen(
        [sys.executable, '-c', BARE, '--data', str(tmp_path), '--limit', '60'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in {130, 0, 1}
    assert 'Traceback' not in errors
    assert list(tmp_path.iterdir()) == []


def test_without_ros_a_robot_is_not_looked_at_and_the_rest_is(tmp_path):
    files = [tmp_path / name for name in ('space.yaml', 'agent.yaml', 'bad.yaml')]
    for path, text in zip(files, (
            SMALL_SPACE, 'agent: {ros__parameters: {collectors: [teleoperation]}}',
            'recorder: {ros__parameters: {topcis: []}}'), strict=True):
        path.write_text(text)

    result = doctor('--robot', 'nobody.s_arm', '--data', tmp_path / 'data', '--space', files[0],
                    '--params', *files[1:], '--limit', '60')

    *lines, counts = result.stdout.splitlines()
    assert result.returncode == 1
    assert lines[0].startswith(f'wrong   parameters       {files[2]}: recorder: topcis: an ')
    assert '; expected ' in lines[0] and '; mend the file' in lines[0]
    assert any(line.startswith('skipped robot            /nobody/s_arm is not looked at: no ROS 2')
               for line in lines)
    assert any(line.startswith('wrong   scenarios ') and 'reaches none' in line for line in lines)
    assert counts.endswith('skipped') and '2 wrong' in counts
