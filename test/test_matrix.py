# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The pieces of `make test-matrix`; what it finds stands in docs/reference/tested-versions.md."""
import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))  # last: the package itself comes from where it is installed

from environment import requirements  # noqa: E402
from environment.matrix import making  # noqa: E402
from environment.matrix.__main__ import logged  # noqa: E402
from environment.matrix.results import Result  # noqa: E402
from environment.matrix.results import counted  # noqa: E402
from environment.matrix.results import page  # noqa: E402
from environment.matrix.rows import ROWS  # noqa: E402
from environment.matrix.rows import Row  # noqa: E402

GOOD = Result('jammy', '3.10.13', {'numpy': '1.21.5', 'torch': '2.13.0+cpu'},
              {'active_collection.errors': ''}, {'passed': 7, 'failed': 0, 'skipped': 2}, [],
              {'index': '', 'select': ''}, [])


def test_every_distribution_with_constraints_is_a_row():
    known = {path.stem for path in (ROOT / 'environment' / 'constraints').glob('*.txt')}

    assert {row.distribution for row in ROWS} - {''} == known
    assert {row.python for row in ROWS} == {'3.10', '3.11', '3.12', '3.13'}
    assert any(row.oldest for row in ROWS)
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_a_row_of_a_distribution_holds_its_versions_and_leaves_out_what_has_none():
    row = Row('a', 'A', '3.10', distribution='jammy')

    assert 'numpy==1.21.5' in making.constraints_of(row)
    assert not any('[' in line for line in making.constraints_of(row))
    wanted = {requirements.name_of(line) for line in making.wanted_by(row)}
    assert {'torch', 'pyarrow', 'pytest'} <= wanted
    assert not wanted & {'onnx', 'onnxruntime'}


def test_the_oldest_hold_only_what_tests_take_and_the_newest_nothing():
    oldest = {requirements.name_of(line)
              for line in making.constraints_of(Row('a', 'A', '3.10', oldest=True))}

    assert 'pytest' in oldest
    assert not oldest & {'numpy', 'torch', 'pydantic'}
    assert making.constraints_of(Row('a', 'A', '3.13')) == []


def test_another_row_or_range_is_another_environment():
    row = Row('a', 'A', '3.10')
    one = making.fingerprint(row, ['numpy>=1'], [], 'code')

    assert one == making.fingerprint(row, ['numpy>=1'], [], 'code')
    assert len({one, making.fingerprint(row, ['numpy>=2'], [], 'code'),
                making.fingerprint(row, ['numpy>=1'], ['numpy==1'], 'code'),
                making.fingerprint(row, ['numpy>=1'], [], 'other code'),
                making.fingerprint(dataclasses.replace(row, oldest=True), ['numpy>=1'], [],
                                   'code')}) == 5


def test_tests_are_counted_as_pytest_wrote_them(tmp_path):
    (tmp_path / 'a.xml').write_text(
        '<testsuites><testsuite>'
        '<testcase classname="test.test_a" name="test_good"/>'
        '<testcase classname="test.test_a" name="test_bad"><failure>x</failure></testcase>'
        '<testcase classname="test.test_a" name="test_worse"><error>x</error></testcase>'
        '<testcase classname="test.test_a" name="test_not"><skipped>x</skipped></testcase>'
        '</testsuite></testsuites>')

    counts, failed = counted(tmp_path / 'a.xml')

    assert counts == {'passed': 1, 'failed': 2, 'skipped': 1}
    assert failed == ['test.test_a::test_bad', 'test.test_a::test_worse']


def test_a_result_is_what_was_written(tmp_path):
    GOOD.write(tmp_path / 'jammy.json')

    assert Result.read(tmp_path / 'jammy.json') == GOOD


@pytest.mark.parametrize(('change', 'problem'), [
    ({'modules': {'active_collection.errors': 'ImportError: x'}}, 'import active_collection.er'),
    ({'failed': ['a::b']}, 'test a::b'),
    ({'walk': {'index': 'index: exit status 1'}}, 'walk: index: exit status 1')])
def test_whatever_fails_makes_a_row_bad_and_is_told(change, problem):
    bad = dataclasses.replace(GOOD, **change)

    assert GOOD.is_good and not bad.is_good
    assert any(line.startswith(problem) for line in bad.problems())


@pytest.mark.parametrize('nothing', [{'modules': {}}, {'tests': {}}, {'walk': {}}])
def test_where_nothing_ran_nothing_is_good(nothing):
    assert not dataclasses.replace(GOOD, **nothing).is_good


def test_the_page_tells_versions_results_and_what_could_not_be_run():
    rows = [Row('jammy', 'Ubuntu 22.04', '3.10'), Row('noble', 'Ubuntu 24.04', '3.12'),
            Row('new', 'the newest', '3.13')]
    bad = dataclasses.replace(GOOD, name='noble', tests={'passed': 6, 'failed': 1, 'skipped': 0},
                              failed=['a::b<c>|d'], lacking=['torch: no build'])

    text = page(rows, {'jammy': GOOD, 'noble': bad})

    assert '| Ubuntu 22.04 | 3.10.13 | 1.21.5 | none |' in text
    assert '| 2.13.0 |' in text
    assert '| Ubuntu 22.04 | 3.10 | 1/1 | 7/7 | 2 | 2/2 |' in text
    assert '| Ubuntu 24.04 | 3.12 | 1/1 | 6/7 | 0 | 2/2 |' in text
    assert '- Ubuntu 24.04, Python 3.12: torch: no build' in text
    assert '- the newest, Python 3.13: was not run' in text
    assert '- Ubuntu 24.04, Python 3.12: test a::b&lt;c>\\|d' in text


def test_a_row_sees_no_package_and_no_ros_of_this_machine(tmp_path, monkeypatch):
    hidden = ('PYTHONPATH', 'AMENT_PREFIX_PATH', 'VIRTUAL_ENV')
    for name in (*hidden, 'SOMETHING_ELSE'):
        monkeypatch.setenv(name, '/here')

    logged(tmp_path / 'log', sys.executable, '-c', 'import os; print(*os.environ)')

    seen = (tmp_path / 'log').read_text().split()
    assert 'SOMETHING_ELSE' in seen and not set(hidden) & set(seen)


def test_an_unknown_row_is_refused_before_anything_is_made():
    result = subprocess.run([sys.executable, '-m', 'environment.matrix', 'xenial'],
                            capture_output=True, text=True, cwd=ROOT)

    assert result.returncode == 2
    assert 'xenial' in result.stderr and 'jammy' in result.stderr
