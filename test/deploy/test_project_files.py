# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Continuous integration, pre-commit, the development container and rosdoc2 name what there is."""
import importlib.util
import json
import os
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / '.github' / 'workflows' / 'test.yaml'
CONTAINER = ROOT / '.devcontainer' / 'devcontainer.json'
COMMIT = ROOT / '.pre-commit-config.yaml'
#: Releases of ROS 2 that are supported, as their images are tagged.
RELEASES = {'humble', 'jazzy', 'kilted'}


def targets():
    return set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))


def commands():
    """Return where and what of each command that runs in continuous integration and container."""
    jobs = yaml.safe_load(WORKFLOW.read_text())['jobs']
    found = [(name, step['run']) for name, job in jobs.items() for step in job['steps']
             if 'run' in step]
    container = json.loads(CONTAINER.read_text())
    return found + [('devcontainer', text) for key, text in container.items()
                    if key.endswith('Command')]


def wheels():
    """Return the releases that the project's own environment can be made of."""
    specification = importlib.util.spec_from_file_location(
        'make', ROOT / 'environment' / 'make.py')
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return set(module.RELEASES)


@pytest.mark.parametrize(('where', 'command'), commands())
def test_commands_call_targets_and_scripts_that_there_are(where, command):
    called = re.findall(r'\bmake ([a-z-]+)', command)
    scripts = re.findall(r'\benvironment/\w+', command)
    assert called or scripts, command
    assert set(called) <= targets()
    for script in scripts:
        assert os.access(ROOT / script, os.X_OK), script


def test_every_release_is_tested_in_its_image_and_from_wheels():
    jobs = yaml.safe_load(WORKFLOW.read_text())['jobs']
    assert set(jobs['ros']['strategy']['matrix']['distro']) == RELEASES
    assert jobs['ros']['container'] == 'ros:${{ matrix.distro }}'
    assert set(jobs['bare']['strategy']['matrix']['distro']) == wheels()
    for job in jobs.values():
        assert job['timeout-minutes'] <= 180
        for step in job['steps']:
            assert 'run' in step or re.fullmatch(r'[\w-]+/[\w-]+@v\d+', step['uses'])


def test_the_development_container_is_of_one_release_throughout():
    container = json.loads(CONTAINER.read_text())
    release = container['image'].removeprefix('ros:')
    assert release in RELEASES
    text = CONTAINER.read_text()
    assert set(re.findall(r'/opt/ros/(\w+)', text)) == {release}
    assert set(re.findall(r'\.venv/(\w+)', text)) == {release}


@pytest.mark.skipif(subprocess.run(['environment/run', 'true'], cwd=ROOT).returncode != 0,
                    reason='no environment was made here')
def test_a_commit_is_checked_by_the_tools_of_the_environment(tmp_path):
    repositories = yaml.safe_load(COMMIT.read_text())['repos']
    [local] = [each for each in repositories if each['repo'] == 'local']
    assert {hook['id'] for hook in local['hooks']} == {'ruff', 'mypy', 'tables'}
    for hook in local['hooks']:
        assert hook['entry'].startswith('environment/run ')
    [ruff] = [hook['entry'] for hook in local['hooks'] if hook['id'] == 'ruff']
    # Given the files by name, as pre-commit does, it leaves out what the project leaves out.
    for text, status in (("NAME = 'a'\n", 0), ('import os\n', 1)):
        file = tmp_path / 'module.py'
        file.write_text('# Copyright\n"""A module."""\n' + text)
        done = subprocess.run([*ruff.split(), str(file)], cwd=ROOT, capture_output=True)
        assert done.returncode == status
    for each in repositories:
        assert each['repo'] == 'local' or re.fullmatch(r'v\d+\.\d+\.\d+', each['rev'])


def test_rosdoc2_is_told_where_code_and_documentation_are():
    said = ElementTree.parse(ROOT / 'package.xml').findtext('export/rosdoc2')
    first, second = yaml.safe_load_all((ROOT / said).read_text())
    assert first == {'type': 'rosdoc2 config', 'version': 1}
    assert (ROOT / second['settings']['python_source'] / '__init__.py').is_file()
    [builder] = second['builders']
    assert (ROOT / builder['sphinx']['user_doc_dir'] / 'README.md').is_file()


def test_the_script_for_fresh_images_asks_for_a_release(tmp_path):
    plain = {name: value for name, value in os.environ.items() if name != 'ROS_DISTRO'}
    done = subprocess.run([ROOT / 'environment' / 'dependencies'], env=plain,
                          capture_output=True, text=True)
    assert done.returncode != 0 and 'source a ROS 2 installation' in done.stderr
