# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which key does what, and which key a terminal has sent."""
import pytest

from active_collection.collecting.console.keys import keys
from active_collection.collecting.console.keys import typed
from active_collection.collecting.console.options import parse
from active_collection.errors import ActiveCollectionError


@pytest.mark.parametrize(('sent', 'names'), [
    ('s', ['s']), (' ', ['space']), ('\n', ['enter']), ('\r', ['enter']), ('\x1b', ['escape']),
    ('\x1b[A', ['up']), ('\x1bOA', ['up']), ('\x1b[5~\x1b[6~', ['pageup', 'pagedown']),
    ('\x1b[15~', ['f5']), ('\x1b[1;5C', ['']), ('\x1b[201~d', ['', 'd']), ('ä', ['ä']),
    ('\x01', ['']), ('sf', ['s', 'f']),
])
def test_what_a_terminal_sends_has_a_name(sent, names):
    assert typed(sent) == names


def test_other_keys_take_the_place_of_the_usual_ones():
    chosen = keys('ready=pagedown, discard=pageup')

    assert (chosen.action('pagedown'), chosen.action('space')) == ('ready', '')
    assert chosen.action('s') == 'success'


@pytest.mark.parametrize(('text', 'words'), [
    ('ready', "'ready=enter'"), ('redy=space', "did you mean 'ready'"),
    ('ready=spacebar', 'pagedown'), ('ready=s', 'ready and success'), ('ready=', 'a character'),
])
def test_what_is_no_key_is_refused(text, words):
    with pytest.raises(ActiveCollectionError, match='--keys') as refused:
        keys(text)
    assert words in str(refused.value)


def test_a_robot_may_be_written_in_every_way():
    assert parse(['--robot', '/cell_3/arm_1']).namespace == '/cell_3/arm_1'
    assert parse(['--robot', 'cell_3.arm_1', '--operator', ' ada ']).operator == 'ada'


@pytest.mark.parametrize('arguments', [
    ['--robot', '../arm'], ['--robot', 'arm_1', '--silence', '0'],
    ['--robot', 'arm_1', '--keys', 'x']])
def test_an_option_that_makes_no_sense_is_one_error(arguments):
    with pytest.raises(ActiveCollectionError):
        parse(arguments)
