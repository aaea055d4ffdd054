# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The README says what the code says."""
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text()


def tables():
    specification = importlib.util.spec_from_file_location('tables', ROOT / 'docs' / 'tables.py')
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_tables_are_what_the_code_has():
    assert tables().document(README) == README, 'run `make docs`'


@pytest.mark.parametrize('target', sorted(set(re.findall(r'\]\(((?!http)[^)#]+)\)', README))))
def test_links_lead_to_files(target):
    assert (ROOT / target).exists()


TARGETS = sorted(set(re.findall(r'^(?:DISTRO=\w+ )?make ([a-z-]+)', README, re.MULTILINE)))


@pytest.mark.parametrize('target', TARGETS)
def test_make_targets_exist(target):
    makefile = (ROOT / 'Makefile').read_text()

    assert re.search(rf'^{target}:', makefile, re.MULTILINE)
