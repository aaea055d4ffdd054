# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Every subcommand names the data directory, the pool, the ledger and rounds in one way."""
import re
from argparse import ArgumentParser
from argparse import Namespace
from argparse import _SubParsersAction
from collections.abc import Iterator

import pytest

from active_collection.cli import data_directory
from active_collection.cli.data_directory import data_of
from active_collection.cli.data_directory import ledger_of
from active_collection.cli.data_directory import pool_of
from active_collection.cli.data_directory import round_of
from active_collection.cli.main import parser
from active_collection.errors import ConfigError
from active_collection.recording.settings import RecorderSettings
from active_collection.selection.rounds import SELECTION


def leaves(of: ArgumentParser) -> Iterator[ArgumentParser]:
    below = [action for action in of._actions if isinstance(action, _SubParsersAction)]
    for action in below:
        for each in action.choices.values():
            yield from leaves(each)
    if not below:
        yield of


LEAVES = {each.prog.removeprefix('active-collection '): each for each in leaves(parser())}
#: They look at no episode, pool or round of a data directory.
WITHOUT = {'evaluate', 'salvage', 'simulate', 'ledger weights'}


@pytest.mark.parametrize('command', sorted(LEAVES))
def test_the_data_directory_is_an_option_of_one_name_and_default(command):
    options = {option: action for action in LEAVES[command]._actions
               for option in action.option_strings}
    if command in WITHOUT and '--data' not in options:
        return
    data = options['--data']
    assert (data.dest, data.metavar, data.required, data.default) == ('data', 'DIR', False, None)
    # A doctor asks the robot's recorder first.
    assert re.search(rf'\(default: (.*, or )?{re.escape(data_directory.DEFAULT)}\)', data.help)
    for name in ('--pool', '--round'):
        assert name not in options or (not options[name].required and 'DATA' in options[name].help)


def test_it_is_the_recorder_s_own_where_it_is_left_out():
    default = RecorderSettings.model_fields['data_directory'].default
    assert default == data_directory.DEFAULT


def parsed(*arguments):
    return parser().parse_args([str(a) for a in arguments])


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'active_collection').mkdir()
    return tmp_path / 'active_collection'


@pytest.mark.parametrize('command', [
    ['episodes', 'list'], ['sync', 'file:///store'], ['ledger', 'weights', 'space.yaml']])
def test_it_may_stand_as_an_argument_where_it_always_did(command, home, tmp_path):
    (tmp_path / 'other').mkdir()
    other = tmp_path / 'other'
    place = 3 if command[0] == 'ledger' else len(command) - (command[0] == 'sync')
    named = [*command[:place], other, *command[place:]]
    assert data_of(parsed(*command)) == home
    assert data_of(parsed(*named)) == other
    assert data_of(parsed(*command, '--data', other)) == other
    with pytest.raises(ConfigError, match=f'--data: found {home} and DATA {other}, expected one'):
        data_of(parsed(*named, '--data', home))


def test_arguments_may_stand_on_both_sides_of_options(tmp_path):
    found = parsed('sync', tmp_path, '--option', 'a=b', 'file:///store')
    assert (found.place, found.target, found.option) == (tmp_path, 'file:///store', ['a=b'])
    found = parsed('episodes', 'verify', 'a', '--data', tmp_path, 'b')
    assert (found.episodes, found.data) == (['a', 'b'], tmp_path)


def test_a_tilde_that_the_shell_has_left_is_a_home(home):
    assert parsed('episodes', 'list', '--data=~/active_collection').data == home


@pytest.mark.parametrize('kind', ['missing', 'file'])
def test_what_is_no_directory_is_refused_with_what_else_could_be_named(kind, tmp_path):
    wrong = tmp_path / kind
    if kind == 'file':
        wrong.write_text('')
    found = 'a file' if kind == 'file' else 'no such directory'
    for of, arguments, hint in (
            (data_of, ['train', '--spec', 's', '--out', 'o'], ''),
            (pool_of, ['select', '--out', 'o'], ', or --pool'),
            (ledger_of, ['ledger', 'verify'], ', or LEDGER'),
            (round_of, ['export'], ', or --round'),
            (round_of, ['export', '--round', '3'], ', or the directory of the round')):
        with pytest.raises(ConfigError) as caught:
            of(parsed(*arguments, '--data', wrong))
        assert str(caught.value) == (
            f'--data {wrong}: found {found}, expected a data directory{hint}')


def test_what_lies_in_it_needs_no_name_and_can_have_one(home, tmp_path):
    for number in (2, 10):
        (home / 'rounds' / str(number)).mkdir(parents=True)
        (home / 'rounds' / str(number) / SELECTION).write_text('')
    assert pool_of(parsed('select', '--out', 'o')) == home / 'pool'
    assert pool_of(parsed('select', '--out', 'o', '--pool', 'p', '--data', '/none')).name == 'p'
    assert ledger_of(parsed('ledger', 'explain', 'last')) == str(home / 'scheduler.sqlite3')
    assert ledger_of(parsed('ledger', 'explain', 'a.sqlite3', 'last')) == 'a.sqlite3'
    for command in (['export'], ['round', 'export'], ['round', 'ingest', 'f']):
        assert round_of(parsed(*command)) == home / 'rounds' / '10'
        assert round_of(parsed(*command, '--round', '2')) == home / 'rounds' / '2'
        assert round_of(parsed(*command, '--round', 'r/3')).as_posix() == 'r/3'


def test_a_number_that_is_a_directory_here_is_one_unless_data_is_given(
        home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / '7').mkdir()
    assert round_of(Namespace(round='7', data=None)).as_posix() == '7'
    assert round_of(Namespace(round='7', data=home)) == home / 'rounds' / '7'


def test_a_data_directory_without_a_round_says_what_makes_one(home):
    with pytest.raises(ConfigError, match=r'found no round, expected one \(`round start`'):
        round_of(parsed('export'))
