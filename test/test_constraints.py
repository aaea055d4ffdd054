# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What pip may install beside a distribution's own libraries."""
import subprocess
import sys
from importlib.util import module_from_spec
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ENVIRONMENT = Path(__file__).parents[1] / 'environment'
DISTRIBUTIONS = sorted(path.stem for path in (ENVIRONMENT / 'constraints').glob('*.txt'))


def loaded(name):
    specification = spec_from_file_location(name, ENVIRONMENT / f'{name}.py')
    module = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def script():
    return loaded('requirements')


def by_name(lines):
    found = {}
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({'python_version': '3.10'}):
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def test_the_distributions_of_humble_jazzy_and_kilted_are_known():
    assert {'jammy', 'noble'} <= set(DISTRIBUTIONS)


@pytest.mark.parametrize('distribution', DISTRIBUTIONS)
def test_constraints_hold_one_version_of_each_that_we_allow(script, distribution):
    base, extras = script.declared()
    allowed = by_name([*base, *(line for lines in extras.values() for line in lines)])

    held = by_name(script.constraints(distribution))

    for name, (requirement, *more) in held.items():
        assert not more, f'{name} twice'
        (exact,) = requirement.specifier
        assert exact.operator == '=='
        for wanted in allowed.get(name, ()):
            assert wanted.specifier.contains(exact.version), f'{requirement}, {wanted} declared'
    free = set(allowed) - set(held) - {'active-collection'}
    assert free == {'torch', 'timm', *(script.without(distribution) & set(allowed))}


@pytest.mark.parametrize('distribution', DISTRIBUTIONS)
def test_constraints_keep_numpy_1_where_the_distribution_has_it(script, distribution):
    held = by_name(script.constraints(distribution))

    assert str(held['numpy'][0].specifier).startswith('==1.')
    assert str(held['pyarrow'][0].specifier) < '==26'


def test_a_numpy_of_the_users_own_wins_over_the_distributions(script):
    held = by_name(script.constraints('noble', ['numpy==1.25.0', 'scipy', 'pyarrow<26']))

    assert str(held['numpy'][0].specifier) == '==1.25.0'
    assert str(held['pyarrow'][0].specifier) == '<26'
    assert not held['scipy'][0].specifier


def test_an_unknown_distribution_without_numpy_gets_the_pins(script):
    pins, held = by_name(script.pins()), by_name(script.constraints('unheard_of'))

    assert held['numpy'] == pins['numpy'] and held['pyarrow'] == pins['pyarrow']
    assert not {'torch', 'pip', 'cmake'} & set(held)


def test_the_codename_is_read_from_the_machine(script, monkeypatch, tmp_path):
    release = tmp_path / 'os-release'
    monkeypatch.setattr(script, 'OS_RELEASE', release)
    assert script.codename() == ''

    release.write_text('NAME="Ubuntu"\nVERSION_CODENAME=jammy\nID=ubuntu\n')

    assert script.codename() == 'jammy'


def test_what_is_printed_is_what_pip_takes_as_constraints():
    printed = subprocess.run(
        [sys.executable, ENVIRONMENT / 'requirements.py', '--constraints'],
        capture_output=True, text=True, check=True).stdout

    assert 'rosbags==' in printed
    assert not any(Requirement(line).extras for line in printed.splitlines())


@pytest.mark.parametrize(('installed', 'pyarrow'), [
    ({'numpy': '1.26.4', 'scipy': '1.11.4'}, 'pyarrow<26'), ({'numpy': '2.1.0'}, 'pyarrow')])
def test_an_unknown_distributions_numpy_stays_and_decides_on_pyarrow(
        script, installed, pyarrow, monkeypatch):
    def version(name):
        if name in installed:
            return installed[name]
        raise script.PackageNotFoundError(name)

    monkeypatch.setattr(script, 'version', version)
    lines = script.constraints('of_tomorrow', script.installed_here())

    assert lines[:2] == [f'numpy=={installed["numpy"]}', 'opencv-python-headless']
    assert {f'{name}=={installed[name]}' for name in installed} <= set(lines)
    assert pyarrow in lines
    assert not any(line.startswith(('pyarrow==', 'onnx==', 'onnxruntime==')) for line in lines)


def test_beside_a_sourced_ros_the_environment_has_its_distributions_versions(monkeypatch):
    make = loaded('make')
    script = make.requirement_script()
    monkeypatch.setattr(script, 'installed_here', list)
    monkeypatch.setattr(script, 'codename', lambda: 'jammy')
    monkeypatch.setattr(make, 'requirement_script', lambda: script)

    wanted = by_name(make.requirements(None))

    assert str(wanted['numpy'][0].specifier) == '==1.21.5'
    assert str(wanted['setuptools'][0].specifier) == '<80'
    assert {'torch', 'pyarrow', 'pytest', 'moto', 'ruff'} <= set(wanted)
    assert not any(name.startswith(('ros-', 'colcon', 'onnx')) for name in wanted)


def test_of_the_wheels_only_the_chosen_release_is_installed():
    make = loaded('make')

    wanted = by_name(make.requirements('jazzy'))

    assert {'ros-jazzy-rclpy', 'cmake', 'torch', 'numpy'} <= set(wanted)
    assert not any(name.startswith('ros-kilted-') for name in wanted)
