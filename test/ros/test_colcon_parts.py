# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""`colcon test` runs every quick test, in parts."""
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command, cwd):
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout


@pytest.fixture(scope='module')
def build(tmp_path_factory):
    """A build folder that CMake has configured with the tests."""
    work = tmp_path_factory.mktemp('colcon')
    source, build = work / 'source', work / 'build'
    source.mkdir()
    for name in ('package.xml', 'CMakeLists.txt', 'cmake', 'msg', 'srv', 'action', 'config',
                 'launch', 'active_collection', 'test'):
        (source / name).symlink_to(ROOT / name)
    run('cmake', '-S', source, '-B', build, '-DBUILD_TESTING=ON',
        f'-DPython3_EXECUTABLE={sys.executable}', cwd=work)
    return build


def commands(build):
    """Return part to the path that pytest is given."""
    listed = run('ctest', '-N', '-V', cwd=build)
    return {name: Path(path) for path, name in re.findall(
        r'Test command: .*?"pytest" "([^"]+)".*?Test +#\d+: (\w+)', listed, re.DOTALL)}


@pytest.mark.slow
def test_every_test_file_is_in_one_part(build):
    parts = commands(build)
    paths = [path.relative_to(build.parent / 'source') for path in parts.values()]

    for file in (ROOT / 'test').rglob('test_*.py'):
        relative = file.relative_to(ROOT)
        holders = [path for path in paths if path == relative or path in relative.parents]
        assert len(holders) == 1, f'{relative} is in {holders}'


@pytest.mark.slow
def test_a_part_leaves_slow_tests_out_and_writes_its_result(build):
    run('ctest', '-R', '^test_names_files_registry$', '--output-on-failure', cwd=build)

    (result,) = build.rglob('test_names_files_registry.xunit.xml')
    assert 'failures="0"' in result.read_text()
    assert "PYTEST_ADDOPTS=-m 'not slow'" in run('ctest', '-N', '-V', cwd=build)
