# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from xml.etree import ElementTree

import pytest

from active_collection.cli.main import main

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
    [], ['frobnicate'], ['index'], ['index', '/b', '--rat', '1']])
def test_a_command_line_that_is_no_use_ends_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert 'active-collection' in capsys.readouterr().err
