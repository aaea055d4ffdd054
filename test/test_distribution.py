# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What an index would serve: the source distribution, the wheel built from it, its command."""
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

# The first that builds wheels by itself; an installer takes one for the build, whatever is here.
pytest.importorskip('setuptools', minversion='70.1')

ROOT = Path(__file__).parents[1]
VERSION = ElementTree.parse(ROOT / 'package.xml').getroot().findtext('version')
SOURCES = ('active_collection', 'package.xml', 'setup.py', 'setup.cfg', 'pyproject.toml',
           'MANIFEST.in', 'README.md', 'LICENSE')


def run(*command, cwd):
    # In a built workspace the package is installed already, as pip sees it.
    environment = {name: value for name, value in os.environ.items()
                   if name not in {'PYTHONPATH', 'AMENT_PREFIX_PATH'}}
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd,
                            env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope='module')
def sdist(tmp_path_factory):
    source, out = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('sdist')
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name,
                            ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copy(ROOT / name, source / name)
    run(sys.executable, '-c', 'import sys; from setuptools import build_meta; '
        'build_meta.build_sdist(sys.argv[1])', out, cwd=source)
    (archive,) = out.glob('*.tar.gz')
    return archive


@pytest.fixture(scope='module')
def wheel(sdist, tmp_path_factory):
    """The wheel, built from the unpacked source distribution and nothing else."""
    unpacked, out = tmp_path_factory.mktemp('unpacked'), tmp_path_factory.mktemp('wheel')
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter='data')
    (source,) = unpacked.iterdir()
    run(sys.executable, '-c', 'import sys; from setuptools import build_meta; '
        'build_meta.build_wheel(sys.argv[1])', out, cwd=source)
    (built,) = out.glob('*.whl')
    return built


def test_the_source_distribution_bears_the_version_of_package_xml(sdist):
    assert sdist.name == f'active_collection-{VERSION}.tar.gz'


def test_the_wheel_has_every_file_of_the_package(wheel):
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / 'active_collection').rglob('*')
            if path.is_file() and '__pycache__' not in path.parts}

    with zipfile.ZipFile(wheel) as archive:
        assert ours <= set(archive.namelist())


def test_the_wheel_says_what_it_needs_and_who_made_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith('/METADATA'))
        metadata = archive.read(name).decode()

    assert 'Requires-Dist: rosbags' in metadata
    assert 'Provides-Extra: server' in metadata
    assert 'Home-page: http' in metadata or 'Project-URL: ' in metadata
    assert 'Author: ' in metadata or 'Author-email: ' in metadata


def test_the_command_of_the_installed_wheel_runs(wheel, tmp_path):
    home = tmp_path / 'environment'
    run(sys.executable, '-m', 'venv', '--without-pip', home, cwd=tmp_path)
    packages = Path(run(home / 'bin' / 'python', '-c',
                        'import sysconfig; print(sysconfig.get_path("purelib"))',
                        cwd=tmp_path).strip())
    run(sys.executable, '-m', 'pip', '--disable-pip-version-check', '--python', home, 'install',
        '--no-deps', '--no-index', wheel, cwd=tmp_path)
    # what it requires comes from the environment that the tests run in
    (packages / 'required.pth').write_text(sysconfig.get_path('purelib') + '\n')

    said = run(home / 'bin' / 'active-collection', '--version', cwd=tmp_path)

    assert said == f'active-collection {VERSION}\n'
    assert (packages / 'active_collection' / 'cli' / 'main.py').is_file()
