# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Every executable explains itself at once, and starts nothing where it was not asked to."""
from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
from ament_index_python.packages import get_package_prefix

from active_collection.nodes.catalogue import NODES
from active_collection.nodes.executable import own_arguments
from active_collection.nodes.executable import start
from active_collection.setting import settings_of

FOLDER = Path(get_package_prefix('active_collection')) / 'lib' / 'active_collection'
ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path):
    """Run an executable of an empty home directory, which has to stay empty."""
    def run(name, *arguments, **environment):
        result = subprocess.run(
            [sys.executable, str(FOLDER / name), *arguments], capture_output=True, text=True,
            timeout=60, cwd='/', env={**os.environ, 'HOME': str(tmp_path), **environment})
        assert list(tmp_path.iterdir()) == []
        return result

    return run


def test_every_node_of_the_catalogue_is_installed_and_no_other():
    assert {path.name for path in FOLDER.iterdir()} == {*NODES, 'demo', 'doctor', 'operator_keys'}


def test_the_doctor_is_the_subcommand(run):
    result = run('doctor', '--help')
    assert (result.returncode, result.stderr) == (0, '')
    assert result.stdout.startswith('usage: active-collection doctor ')


@pytest.mark.parametrize(('name', 'flag'), [*((name, '--help') for name in NODES),
                                            ('recorder', '-h')])
def test_help_names_everything_that_can_be_set_or_met(run, name, flag):
    result = run(name, flag, COLUMNS='90')

    assert (result.returncode, result.stderr) == (0, '')
    text = result.stdout
    assert text.startswith(f'usage: ros2 run active_collection {name} ')
    # What is to be copied is not broken.
    assert max(len(line) for line in text.splitlines() if 'ros2 ' not in line) <= 90
    for endpoint in NODES[name].endpoints:
        assert re.search(rf'^  {endpoint.role} +{re.escape(endpoint.name)} ', text, re.MULTILINE)
    flat = ' '.join(text.split())
    for setting in settings_of(NODES[name].settings()):
        assert f' {setting.name} {setting.kind_words}' in flat, setting.name
        assert setting.description in flat, setting.name
        assert not setting.unit or f'[{setting.unit}]' in flat
    assert '`' not in text
    assert f'ros2 run active_collection {name} --ros-args {NODES[name].example}' in text


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='there is no /dev/full here')
@pytest.mark.parametrize('flag', ['--help', '--version'])
def test_an_answer_that_cannot_be_written_is_one_line(tmp_path, flag):
    with Path('/dev/full').open('w') as full:
        result = subprocess.run(
            [sys.executable, str(FOLDER / 'recorder'), flag], stdout=full, stderr=subprocess.PIPE,
            text=True, timeout=60, cwd='/', env={**os.environ, 'HOME': str(tmp_path)})

    assert result.returncode == 2
    assert result.stderr == (
        'standard output: found No space left on device, expected a place to write to\n')


def test_help_is_not_broken_into_letters_by_a_terminal_without_a_width(run):
    assert run('recorder', '--help', COLUMNS='1').stdout == run(
        'recorder', '--help', COLUMNS='40').stdout


def test_help_of_a_parameter_says_all_of_it(run):
    flat = ' '.join(run('recorder', '--help').stdout.split())

    assert ('pre_roll_s double, 0 to 60 [s], default 0.0, next episode put so much of the time '
            'before the start into the episode') in flat
    assert 'data_directory string, not empty, default ~/active_collection, configuration' in flat


def test_nothing_heavy_is_imported_for_it():
    program = ('import sys; from active_collection.nodes.executable import start; '
               f'[start(name, ["--help"]) for name in {[*NODES]}]; '
               'print(sorted({"rclpy", "torch", "scipy", "rosbags"} & set(sys.modules)))')

    result = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, cwd='/', timeout=60)

    assert result.stdout.splitlines()[-1] == '[]', result.stderr


@pytest.mark.parametrize('name', ['recorder', 'demo'])
def test_version_is_that_of_the_package(run, name):
    result = run(name, '--version')

    version = re.search('<version>(.*)</version>', (ROOT / 'package.xml').read_text())[1]
    assert (result.returncode, result.stdout) == (0, f'{name} (active_collection) {version}\n')


@pytest.mark.parametrize(('arguments', 'words'), [
    (['start'], ["recorder: argument: found 'start'", '--help', '--ros-args']),
    (['--hlep'], ["found '--hlep'", '--help']),
    (['data_directory:=/data'], ['--ros-args -p data_directory:=/data']),
    (['__ns:=/arm_1'], ['--ros-args -r __ns:=/arm_1']),
    (['-p', 'pre_roll_s:=1.0'], ['--ros-args in front of it: --ros-args -p pre_roll_s:=1.0']),
    (['--params-file', 'a.yaml'], ['--ros-args --params-file a.yaml']),
    (['--ros-args', '-r', '__ns:=/a', '--', 'more'], ["found 'more'"]),
    ([''], ["found ''"]),
])
def test_an_argument_that_nobody_reads_is_refused_in_one_line(capsys, arguments, words):
    assert start('recorder', arguments) == 2

    out, err = capsys.readouterr()
    [line] = err.splitlines()
    assert out == ''
    for word in words:
        assert word in line


def test_nothing_is_started_for_an_argument_that_nobody_reads(run):
    result = run('recorder', 'start')

    assert (result.returncode, result.stdout) == (2, '')
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(('arguments', 'own'), [
    ([], []), (['a', '--ros-args', '-p', 'b:=1'], ['a']),
    (['--ros-args', '-p', 'b:=1', '--', 'a', '--ros-args', '--help'], ['a']),
    (['--ros-args', '--', '--help'], ['--help']), (['--', 'a'], ['--', 'a'])])
def test_what_is_for_ros_is_left_to_ros(arguments, own):
    assert own_arguments(arguments) == own


@pytest.mark.parametrize('name', NODES)
def test_the_example_sets_what_the_node_has(name):
    known = {setting.name for setting in settings_of(NODES[name].settings())}
    parts = shlex.split(NODES[name].example)

    for flag, value in zip(parts[::2], parts[1::2], strict=True):
        assert flag in {'-p', '-r'}
        assert flag == '-r' or value.partition(':=')[0] in known


def test_reading_no_further_than_the_first_line_is_no_error(tmp_path):
    result = subprocess.run(
        f'{sys.executable} {FOLDER / "recorder"} --help | head -n 1', shell=True, text=True,
        capture_output=True, timeout=60, env={**os.environ, 'HOME': str(tmp_path)})

    assert (result.returncode, result.stderr) == (0, '')
    assert len(result.stdout.splitlines()) == 1


def test_the_demo_has_options_of_its_own(run):
    result = run('demo', '--help')

    assert result.returncode == 0
    assert result.stdout.startswith('usage: demo ') and '--robots' in result.stdout
