# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Safe names, whole files and finding implementations by name."""
import pickle
import re

import pytest

from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError
from active_collection.files import read_json
from active_collection.files import whole_directory
from active_collection.files import write_whole
from active_collection.names import check_name
from active_collection.names import check_robot_of
from active_collection.names import is_safe_name
from active_collection.names import namespace_of
from active_collection.names import robot_of
from active_collection.registry import Registry


@pytest.mark.parametrize('name', ['a', 'A-1_b.c', 'x' * 64, '...'])
def test_safe_names_pass(name):
    assert check_name(name, 'robot') == name


@pytest.mark.parametrize('name', [
    '', '.', '..', 'a/b', 'a\\b', 'a b', 'a\0', 'a\n', 'é', '😀', 'x' * 65, None, 3, b'a'])
def test_unsafe_names_are_refused_in_one_printable_line(name):
    assert not is_safe_name(name)
    with pytest.raises(ActiveCollectionError, match=r'^robot: found ') as raised:
        check_name(name, 'robot')
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(('namespace', 'robot'), [
    ('/arm_1', 'arm_1'), ('/cell_3/arm_1', 'cell_3.arm_1'), ('/a/b/c', 'a.b.c'), ('/', '')])
def test_each_namespace_has_one_robot_and_each_robot_one_namespace(namespace, robot):
    assert robot_of(namespace) == robot
    assert namespace_of(robot) == namespace
    assert robot_of(namespace.strip('/')) == robot
    if robot:
        assert check_robot_of(namespace) == robot


@pytest.mark.parametrize(('namespace', 'says'), [
    ('/', 'namespace (the robot): found'),
    (f'/cell/{"x" * 60}', f'namespace /cell/{"x" * 60}'),
])
def test_a_namespace_that_names_no_robot_is_refused(namespace, says):
    with pytest.raises(ActiveCollectionError, match=re.escape(says)):
        check_robot_of(namespace)


def test_a_message_stays_one_short_line_whatever_was_found():
    message = str(ConfigError('a', found='x\n' * 10_000, expected='y'))

    assert '\n' not in message
    assert len(message) < 300


def test_an_error_survives_the_way_between_processes():
    error = ConfigError('a.yaml:3', found='x', expected='y')

    again = pickle.loads(pickle.dumps(error))

    assert type(again) is ConfigError
    assert str(again) == str(error)


def test_json_nested_too_deeply_is_a_value_error(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('[' * 100_000)

    with pytest.raises(ValueError, match='too deeply'):
        read_json(path)


def test_a_directory_below_a_file_is_refused_as_such(tmp_path):
    (tmp_path / 'file').write_text('')

    with pytest.raises(NotADirectoryError, match='file'), whole_directory(tmp_path / 'file/new'):
        pytest.fail('given a directory below a file')


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / 'a.txt'
    write_whole(path, 'one')

    write_whole(path, b'two')

    assert path.read_text() == 'two'
    assert [p.name for p in tmp_path.iterdir()] == ['a.txt']


def test_a_failed_write_leaves_the_old_content_and_nothing_beside(tmp_path):
    path = tmp_path / 'a.txt'
    write_whole(path, 'one')

    with pytest.raises(UnicodeEncodeError):
        write_whole(path, '\ud800')

    assert path.read_text() == 'one'
    assert [p.name for p in tmp_path.iterdir()] == ['a.txt']


def test_a_directory_appears_only_when_it_is_whole(tmp_path):
    target = tmp_path / 'x' / 'out'

    with whole_directory(target) as directory:
        (directory / 'a').write_text('1')
        assert not target.exists()

    assert (target / 'a').read_text() == '1'


def test_a_directory_that_fails_leaves_nothing(tmp_path):
    def fill():
        with whole_directory(tmp_path / 'out') as directory:
            (directory / 'a').write_text('1')
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fill()

    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_exists_is_not_overwritten(tmp_path):
    (tmp_path / 'out').mkdir()

    with pytest.raises(FileExistsError), whole_directory(tmp_path / 'out'):
        pass


def test_an_implementation_is_found_by_name_and_imported_only_then():
    registry = Registry('thing', 'active_collection.test', {
        'path': 'pathlib:Path', 'gone': 'no_such_module_here:X'})

    assert registry.names() == ['path', 'gone']
    assert registry.get('path').__name__ == 'Path'
    with pytest.raises(ConfigError, match='no_such_module_here'):
        registry.get('gone')


def test_an_unknown_name_is_refused_with_the_nearest():
    registry = Registry('thing', 'active_collection.test', {'k_center': 'pathlib:Path'})

    with pytest.raises(ConfigError, match=r"thing: found 'kcenter'.*did you mean 'k_center'"):
        registry.get('kcenter')


def test_a_refused_write_names_the_file_that_was_asked_for(tmp_path):
    path = tmp_path / 'none' / 'a.txt'

    with pytest.raises(FileNotFoundError) as raised:
        write_whole(path, 'one')

    assert raised.value.filename == str(path)


def test_what_is_refused_inside_names_the_directory_that_was_asked_for(tmp_path):
    path = tmp_path / 'new'

    with pytest.raises(OSError, match='disk full') as raised, whole_directory(path) as partial:
        raise OSError('disk full') if partial.is_dir() else AssertionError  # as Arrow does
    assert raised.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []

    with pytest.raises(FileNotFoundError) as raised, whole_directory(path):
        (tmp_path / 'other').read_text()
    assert str(raised.value.filename) == str(tmp_path / 'other')
