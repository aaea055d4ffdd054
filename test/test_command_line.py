# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import os
import re
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from argparse import ArgumentTypeError
from argparse import _SubParsersAction
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from active_collection.annotation.formats import FORMATS
from active_collection.cli.main import main
from active_collection.cli.main import parser
from active_collection.cli.options import path
from active_collection.selection.extractors import EXTRACTORS
from active_collection.selection.strategies import STRATEGIES

EPISODES = Path(__file__).parents[1] / 'docs' / 'reference' / 'examples' / 'data' / 'episodes'
MANIFEST = Path(__file__).resolve().parent.parent / 'package.xml'


def test_the_version_is_the_package_s(tmp_path, monkeypatch, capsys):
    installed = tmp_path / 'share' / 'active_collection'
    installed.mkdir(parents=True)
    (installed / 'package.xml').write_text(MANIFEST.read_text())
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'/nowhere:{tmp_path}')

    with pytest.raises(SystemExit) as ended:
        main(['--version'])

    assert ended.value.code == 0
    version = ElementTree.parse(MANIFEST).findtext('version')
    assert capsys.readouterr().out == f'active-collection {version}\n'


@pytest.mark.parametrize('arguments', [
    [], ['frobnicate'], ['index'], ['index', '/b', '--rats', '1']])
def test_a_command_line_that_is_no_use_ends_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert 'active-collection' in capsys.readouterr().err


def parsers(of: ArgumentParser) -> Iterator[ArgumentParser]:
    """A parser and those of its subcommands, of theirs and so on."""
    yield of
    for action in of._actions:
        if isinstance(action, _SubParsersAction):
            for below in action.choices.values():
                yield from parsers(below)


@pytest.mark.parametrize('episodes', [1, 400])
def test_whoever_reads_no_further_hears_of_no_error(tmp_path, episodes):
    episode = min(EPISODES.glob('*/*-arm_1-*'))
    for k in range(episodes):
        shutil.copytree(episode, tmp_path / 'episodes' / '2026-11-26' / f'e{k}')
    listing = subprocess.Popen(
        [sys.executable, '-m', 'active_collection.cli.main', 'episodes', 'list', '--data',
         str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={k: v for k, v in os.environ.items() if k != 'PYTHONUNBUFFERED'})
    listing.stdout.close()

    assert listing.stderr.read() == ''
    assert listing.wait() == 141
    listing.stderr.close()


def test_no_path_may_be_empty():
    """It is a shell variable that is not set more often than this directory."""
    types = [action.type for each in parsers(parser()) for action in each._actions]

    assert Path not in types
    with pytest.raises(ArgumentTypeError, match='empty'):
        path('')


@pytest.mark.parametrize('arguments', [['/bags', '--pool', ''], ['', '--pool', 'pool']])
def test_an_empty_path_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(['index', *arguments])
    assert ended.value.code == 2
    assert 'found an empty text, expected a path' in capsys.readouterr().err


@pytest.mark.parametrize(('command', 'registry'), [
    ('index', EXTRACTORS), ('select', STRATEGIES), ('round start', STRATEGIES),
    ('export', FORMATS), ('round export', FORMATS)])
def test_the_help_names_all_that_can_be_chosen(command, registry):
    texts = {each.prog: ' '.join(each.format_help().split()) for each in parsers(parser())}
    text = texts[f'active-collection {command}']

    assert [name for name in registry.names() if not re.search(rf'\b{name}\b', text)] == []


def test_every_subcommand_and_step_says_how_it_is_used():
    helps = {each.prog: each.format_help() for each in parsers(parser())}  # '%' alone raises

    assert 'active-collection round start' in helps
    assert '5% of the pool' in ' '.join(helps['active-collection round start'].split())
    for name, text in helps.items():
        assert text.startswith(f'usage: {name}')
