# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
The images' steps find what they name in the context, and those that need no image run here.

What is left to a machine with a builder: apt, rosdep, and pip with everything that it fetches.
"""
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / 'deploy' / 'docker'
ROBOT, SERVER = DOCKER / 'robot.Dockerfile', DOCKER / 'server.Dockerfile'
BOTH = [ROBOT, SERVER]


def instructions(file):
    """Return (instruction, what follows) of a Dockerfile, lines joined, comments left out."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith('#')]
    text = re.sub(r'\\\n\s*', '', '\n'.join(lines))
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line]


def steps(file):
    """Return the commands that a Dockerfile runs one after another."""
    return [step.strip() for name, text in instructions(file) if name == 'RUN'
            for step in text.split('&&')]


@pytest.fixture(scope='module')
def context(tmp_path_factory):
    """Give what a build is sent: the tracked files that .dockerignore lets through."""
    place = tmp_path_factory.mktemp('context')
    lines = [line for line in (ROOT / '.dockerignore').read_text().splitlines()
             if line and not line.startswith('#')]
    taken = [line[1:].rstrip('/') for line in lines if line.startswith('!')]
    left_out = [line.removeprefix('**/') for line in lines if line.startswith('**/')]
    assert set(lines) == {'*', *(line for line in lines if line[0] == '!'),
                          *(f'**/{name}' for name in left_out)}
    for name in taken:
        source = ROOT / name
        assert source.exists(), f'.dockerignore: {name}'
        if source.is_dir():
            shutil.copytree(source, place / name, ignore=shutil.ignore_patterns(*left_out))
        else:
            shutil.copy(source, place / name)
    return place


@pytest.mark.parametrize('file', BOTH, ids=lambda file: file.stem)
def test_files_that_steps_name_are_in_the_context(file, context):
    source = 'src/active_collection/' if file == ROBOT else ''
    named = {word.strip('"\'') for step in steps(file) for word in step.split()
             if word.startswith(('src/active_collection/', 'environment/', 'deploy/'))}
    assert named
    for name in named:
        assert (context / name.removeprefix(source)).is_file(), name


@pytest.mark.parametrize('file', BOTH, ids=lambda file: file.stem)
def test_an_image_runs_as_no_root_and_is_ended_by_an_interrupt(file):
    found = dict(instructions(file))
    assert found['USER'] == '1001' and '--uid 1001' in file.read_text()
    assert found['STOPSIGNAL'] == 'SIGINT' and found['VOLUME'] == '/data'


def test_the_builds_need_no_file_that_is_left_out(context):
    linked = re.search(r'for entry in (.*); do', (ROOT / 'environment' / 'build').read_text())[1]
    for name in linked.split():
        assert (context / name).exists(), name


@pytest.mark.slow
def test_the_robot_s_environment_is_made_up_to_what_pip_fetches(context, tmp_path):
    (tmp_path / 'src').mkdir()
    (tmp_path / 'src' / 'active_collection').symlink_to(context)
    [made] = [text for name, text in instructions(ROBOT)
              if name == 'RUN' and '-m venv' in text]
    fetch = '&& pip install --no-cache-dir --requirement .venv/requirements.txt'
    assert made.endswith(fetch)
    done = subprocess.run(['bash', '-eo', 'pipefail', '-c', made.removesuffix(fetch)],
                          cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    environment = tmp_path / '.venv'
    assert (environment / 'COLCON_IGNORE').is_file()
    required = (environment / 'requirements.txt').read_text()
    assert all(name in required for name in ('torch', 's3fs', 'paramiko', 'rosbags'))
    asked = subprocess.run([environment / 'bin' / 'pip', 'config', 'get', 'global.constraint'],
                           capture_output=True, text=True, check=True)
    constraint = Path(asked.stdout.strip())
    assert constraint == environment / 'constraints.txt' and 'pyarrow' in constraint.read_text()


def test_the_server_s_package_installs_and_runs_from_the_context_alone(context, tmp_path):
    pytest.importorskip('setuptools', minversion='70.1')  # as it builds without isolation
    source = tmp_path / 'source'
    shutil.copytree(context, source)
    said = [step for step in steps(SERVER) if step.startswith(('python', 'grep'))]
    done = subprocess.run(['bash', '-c', ' && '.join(said)], cwd=source, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    assert (source / 'torch.txt').read_text().startswith('torch>=')
    required = (source / 'requirements.txt').read_text()
    assert all(name in required for name in ('torch', 'pyarrow', 'jinja2', 's3fs', 'av>='))
    assert 'numpy==' in (source / 'constraints.txt').read_text()
    [install] = [step for step in steps(SERVER) if step.endswith('--no-deps .')]
    # What it depends on is in this environment already.
    without = {**os.environ, 'PIP_NO_BUILD_ISOLATION': 'false',
               'PIP_TARGET': str(tmp_path / 'target'), 'PIP_DISABLE_PIP_VERSION_CHECK': '1'}
    without.pop('PYTHONPATH', None)
    done = subprocess.run(['bash', '-c', f'{sys.executable} -m {install}'], cwd=source,
                          env=without, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]

    command = [tmp_path / 'target' / 'bin' / 'active-collection', *_entry_arguments()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={
        **without, 'PYTHONPATH': str(tmp_path / 'target')})
    assert done.returncode == 0 and 'SUBCOMMAND' in done.stdout, done.stderr
    assert not list((tmp_path / 'target').glob('active_collection/msg'))


def _entry_arguments():
    found = dict(instructions(SERVER))
    assert found['ENTRYPOINT'] == '["active-collection"]'
    return re.findall(r'"([^"]*)"', found['CMD'])


def test_the_entry_of_the_robot_s_image_becomes_its_command(tmp_path):
    for name in ('.venv/bin/activate', 'install/setup.bash'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f'export ORDER="$ORDER {name}"\n')
    entry = (DOCKER / 'in-workspace').read_text()
    assert dict(instructions(ROBOT))['WORKDIR'] == '/ws' and entry.count('/ws/') == 2
    script = tmp_path / 'in-workspace'
    script.write_text(entry.replace('/ws/', f'{tmp_path}/'))
    with subprocess.Popen(['bash', script, 'bash', '-c', 'echo $$ $ORDER "$0"', 'a b'],
                          stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.read()
    assert said == f'{process.pid} .venv/bin/activate install/setup.bash a b\n'
    assert os.access(DOCKER / 'in-workspace', os.X_OK)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_robot_s_workspace_builds_from_the_context_alone(context, tmp_path):
    pytest.importorskip('ament_package')
    (tmp_path / 'src').mkdir()
    shutil.copytree(context, tmp_path / 'src' / 'active_collection')
    [build] = [step for step in steps(ROBOT) if step.startswith('colcon build')]
    done = subprocess.run(
        ['bash', '-c', f'{build} -DPython3_EXECUTABLE={sys.executable}'], cwd=tmp_path,
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    installed = tmp_path / 'install' / 'active_collection'
    assert (installed / 'lib' / 'active_collection' / 'recorder').is_file()
    assert not [path for path in installed.rglob('*') if fnmatch(path.name, '*.Dockerfile')]
