# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A mistake in a command ends it with status 2 and one line that says where, what and what not."""
from __future__ import annotations

import shutil

import pytest
from bag_factory import camera
from bag_factory import write_bag

from active_collection.cli.main import main
from active_collection.errors import BagError
from active_collection.errors import in_words


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """A data directory with a pool and a round; not to be changed."""
    data = tmp_path_factory.mktemp('made')
    for i in range(2):
        write_bag(data / 'bags' / f'b{i}', camera(8, first=20 * i))
    assert main(['index', str(data / 'bags'), '--pool', str(data / 'pool'), '--rate', '0',
                 '--processes', '1', '--extractor', 'descriptor']) == 0
    assert main(['round', 'start', '--data', str(data), '--count', '4', '--gap', '0',
                 '--duplicate-bits', '-1']) == 0
    assert main(['round', 'export', '--data', str(data)]) == 0
    return data


@pytest.fixture
def data(made, tmp_path):
    shutil.copytree(made, tmp_path / 'data')
    (tmp_path / 'file').write_text('x')
    (tmp_path / 'bytes').write_bytes(b'\xff\xfe\x00')
    (tmp_path / 'empty').mkdir()
    return tmp_path / 'data'


def said(capsys, data, *arguments):
    """Run a command that must fail; return its one line, with the directory called HERE."""
    capsys.readouterr()
    here = str(data.parent)
    status = main([argument.replace('HERE', here) for argument in arguments])
    out = capsys.readouterr()
    line = out.err.replace(here, 'HERE')
    assert status == 2, out
    assert out.err.count('\n') == 1, line
    assert line.startswith('active-collection: ')
    assert 'Errno' not in line and 'Error' not in line, line
    return line.removeprefix('active-collection: ').rstrip('\n')


POOL = 'expected a pool (`active-collection index` makes one)'
ROUND = 'expected a round (`active-collection select` makes one)'
INDEX = ('index', 'HERE/data/bags', '--rate', '0', '--processes', '1', '--extractor',
         'descriptor', '--pool')
SELECT = ('select', '--pool', 'HERE/data/pool', '--out', 'HERE/r')
EXPORT = ('export', '--round', 'HERE/data/rounds/1', '--out', 'HERE/e')


@pytest.mark.parametrize(('arguments', 'line'), [
    (('select', '--pool', 'HERE/none', '--out', 'HERE/r'),
     f'HERE/none/description.json: found no such file, {POOL}'),
    (('select', '--pool', 'HERE/file', '--out', 'HERE/r'),
     f'HERE/file/description.json: found a file in place of a directory on the way, {POOL}'),
    ((*SELECT, '--labelled', 'HERE/empty'), f'HERE/empty/manifest.json: found no such file, '
     f'{ROUND}'),
    ((*SELECT, '--include', 'HERE/none'), 'HERE/none: found no such file, expected a text file'),
    ((*SELECT, '--include', 'HERE/bytes'),
     'HERE/bytes: found bytes that are no UTF-8, expected a text file'),
    ((*SELECT, '--predictions', 'HERE/none'), 'HERE/none: found no such file, expected a Parquet '
     'file with unit_id, a column of probabilities a class, and perhaps member (from 0)'),
    ((*INDEX, 'HERE/file'), 'HERE/file: found a file in the way, expected a directory for the '
     'pool'),
    ((*INDEX, 'HERE/file/pool'), 'HERE/file/pool: found a file in the way, expected a directory '
     'for the pool'),
    ((*INDEX, 'HERE/p', '--option', 'a=1'), "descriptor option: found 'a', expected none"),
    ((*INDEX, 'HERE/p', '--extractor', 'transformers'),
     'transformers option weights: found , expected a directory with a config.json'),
    (('round', 'start', '--data', 'HERE/empty'),
     f'HERE/empty/pool/description.json: found no such file, {POOL}'),
    (('round', 'export', '--data', 'HERE/data', '--round', '9'),
     f'HERE/data/rounds/9/manifest.json: found no such file, {ROUND}'),
    (('round', 'ingest', '--data', 'HERE/data', 'HERE/none'),
     'HERE/none: found no such file, expected a label file'),
    (('round', 'ingest', '--data', 'HERE/data', 'HERE/empty'),
     'HERE/empty: found a directory, expected a label file'),
    ((*EXPORT, '--format', 'lerobot', '--observation', 'HERE/none'),
     'HERE/none: found no such file, expected a readable YAML file'),
    ((*EXPORT, '--class', ''), "--class: found label '', expected a name of 1 to 200 characters, "
     'none of them a control character'),
    (('report', '--pool', 'HERE/none', '--out', 'HERE/o'),
     f'HERE/none/description.json: found no such file, {POOL}'),
    (('report', '--round', 'HERE/none', '--out', 'HERE/o'),
     f'HERE/none/manifest.json: found no such file, {ROUND}'),
    (('report', '--data', 'HERE/data', '--out', 'HERE/empty'),
     'HERE/empty: found a directory, expected a writable file'),
])
def test_a_wrong_argument_is_one_line(data, capsys, arguments, line):
    assert said(capsys, data, *arguments) == line


@pytest.mark.parametrize(('path', 'content', 'arguments', 'line'), [
    ('pool/embeddings.npy', None, SELECT,
     f'HERE/data/pool/embeddings.npy: found no such file, {POOL}'),
    ('pool/embeddings.npy', b'', SELECT,
     f'HERE/data/pool/embeddings.npy: found an empty file, {POOL}'),
    ('pool/index.parquet', None, SELECT,
     f'HERE/data/pool/index.parquet: found no such file, {POOL}'),
    ('pool/index.parquet', b'x', SELECT,
     'HERE/data/pool/index.parquet: found Parquet file size is 1 bytes, smaller than the minimum '
     f'file footer (8 bytes), {POOL}'),
    ('pool/description.json', None, (*INDEX, 'HERE/data/pool'),
     f'HERE/data/pool/description.json: found no such file, {POOL}'),
    ('rounds/1/selection.parquet', None, EXPORT,
     f'HERE/data/rounds/1/selection.parquet: found no such file, {ROUND}'),
    ('rounds/1/export/items.json', None, ('round', 'ingest', '--data', 'HERE/data', 'HERE/file'),
     'HERE/data/rounds/1/export/items.json: found no such file, expected an export '
     '(`active-collection export` makes one)'),
    ('rounds/1/export/items.json', b'{}',
     ('round', 'ingest', '--data', 'HERE/data', 'HERE/file'),
     "HERE/data/rounds/1/export/items.json: found no 'format', expected an export "
     '(`active-collection export` makes one)'),
])
def test_a_missing_or_broken_file_is_one_line(data, capsys, path, content, arguments, line):
    if content is None:
        (data / path).unlink()
    else:
        (data / path).write_bytes(content)
    assert said(capsys, data, *arguments) == line


@pytest.mark.parametrize('arguments', [
    (*INDEX[:2], '--processes', '1', '--pool', 'HERE/p', '--rate', '1e-320'),
    (*INDEX[:2], '--processes', '1', '--pool', 'HERE/p', '--rate', '1e300'),
    (*INDEX, 'HERE/p', '--unit', 'segment', '--seconds', '1e300'),
    (*INDEX, 'HERE/p', '--unit', 'change-point', '--seconds', '1e300'),
    (*INDEX, 'HERE/p', '--unit', 'segment', '--seconds', '1e-300'),
    (*INDEX, 'HERE/p', '--tolerance', '1e300'),
    (*SELECT, '--gap', '1e300', '--count', '9'),
    (*SELECT, '--seed', '9' * 30, '--count', '999999999'),
    (*EXPORT[:3], '--format', 'mcap', '--window', '1e300', '--out', 'HERE/m.mcap'),
])
def test_numbers_out_of_all_proportion_do_no_harm(data, arguments):
    assert main([argument.replace('HERE', str(data.parent)) for argument in arguments]) == 0


def test_an_exception_is_said_in_words(tmp_path):
    with pytest.raises(OSError) as caught:
        (tmp_path / 'x').read_text()
    assert str(BagError('here', found=caught.value, expected='a file')) == (
        'here: found no such file, expected a file')
    assert in_words(OSError(28, 'No space left on device')) == 'No space left on device'
    assert in_words(OSError()) == 'OSError'
    assert in_words(KeyError('a')) == "no 'a'"
    assert in_words(ValueError('first\nsecond')) == 'first'
