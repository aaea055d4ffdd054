# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Configuration files: every mistake is one line with file, line, key, found and expected."""
import pytest
from pydantic import Field

from active_collection.config import Model
from active_collection.config import load
from active_collection.config import parse
from active_collection.errors import ActiveCollectionError
from active_collection.errors import ConfigError


class Disk(Model):
    reserve: float = Field(default=1.0, ge=0)


class Settings(Model):
    data: str
    disk: Disk = Disk()
    topics: dict[str, Disk] = {}


GOOD = 'data: /d\ndisk:\n  reserve: 2\n'


def test_a_good_file_becomes_a_frozen_model(tmp_path):
    path = tmp_path / 'a.yaml'
    path.write_text(GOOD)

    settings = load(path, Settings)

    assert settings.data == '/d'
    assert settings.disk.reserve == 2.0
    with pytest.raises(ValueError, match='frozen'):
        settings.data = 'other'


@pytest.mark.parametrize(('text', 'line', 'words'), [
    ('data: /d\ndisc:\n  reserve: 2\n', 2, ['disc', 'unknown key', "did you mean 'disk'"]),
    ('data: /d\ndisk:\n  reserv: 2\n', 3, ['disk.reserv', "did you mean 'reserve'"]),
    ('data: /d\ndisk:\n\n  reserve: -1\n', 4, ['disk.reserve', '-1', 'greater than or equal']),
    ('data: /d\ndisk:\n  reserve: .nan\n', 3, ['disk.reserve', 'nan']),
    ('data: /d\ntopics:\n  a:\n    reserve: x\n', 4, ['topics.a.reserve', "'x'", 'number']),
    ('disk:\n  reserve: 2\n', 1, ['data', 'found nothing']),
    ('disk:\n  reserve: 2\ndatta: /d\n', 3, ['datta', 'unknown key', "did you mean 'data'"]),
    ('data: /d\ndata: /e\n', 2, ['given twice']),
    ('data: [\n', 2, ['YAML']),
    ('data: /d\n? [1, 2]\n: 3\n', 2, ['a key that is no text']),
    ('data: /d\ndisk: 2020-13-45\n', 2, ['2020-13-45', 'timestamp']),
    ('data: /d\ndisk: !!int x\n', 2, ['x', 'int']),
    (f'data: /d\ndisk: {"9" * 5000}\n', 2, ['999', 'int']),
])
def test_a_mistake_names_file_line_key_found_and_expected(text, line, words):
    with pytest.raises(ConfigError) as raised:
        parse(text, Settings, where='a.yaml')

    message = str(raised.value)
    assert message.startswith(f'a.yaml:{line}')
    assert '\n' not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize('text', ['', '- 1\n', 'text\n'])
def test_a_file_that_is_no_mapping_is_refused(text):
    with pytest.raises(ConfigError, match='expected a mapping'):
        parse(text, Settings, where='a.yaml')


def test_yaml_that_would_run_code_is_refused():
    with pytest.raises(ConfigError):
        parse('data: !!python/object/apply:os.getcwd []\n', Settings, where='a.yaml')


def test_aliases_of_aliases_are_refused_before_they_fill_the_memory():
    lines = ['a: &a [x, x, x, x, x, x, x, x, x]']
    for name, last in zip('bcdefghi', 'abcdefgh', strict=True):
        lines.append(f'{name}: &{name} [{", ".join([f"*{last}"] * 9)}]')

    with pytest.raises(ConfigError, match=r'a\.yaml:1: found more than 1000000 values'):
        parse('\n'.join([*lines, 'data: *i']), Settings, where='a.yaml')


def test_aliases_serve_to_say_a_thing_once():
    settings = parse('data: /d\ndisk: &disk {reserve: 3}\ntopics: {a: *disk, b: {<<: *disk}}\n',
                     Settings, where='a.yaml')

    assert settings.topics == {'a': Disk(reserve=3), 'b': Disk(reserve=3)}


@pytest.mark.parametrize('text', ['data: ' + '[' * 5000, 'data: ' + '{a: ' * 3000])
def test_values_nested_too_deeply_are_refused(text):
    with pytest.raises(ConfigError, match='nested too deeply'):
        parse(text, Settings, where='a.yaml')


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ActiveCollectionError, match=r'none\.yaml: found no such file'):
        load(tmp_path / 'none.yaml', Settings)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / 'a.yaml'
    path.write_bytes(b'\xff\xfe\x00')

    with pytest.raises(ConfigError, match=r'a\.yaml'):
        load(path, Settings)
