# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages of the documentation lead to each other, and their tables say what the code says."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INDEX = ROOT / 'docs' / 'README.md'
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', ROOT / 'benchmarks' / 'README.md',
         *sorted((ROOT / 'docs').rglob('*.md'))]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    """The text of a page without its blocks of code, where '#' and '](' mean something else."""
    return re.sub(r'^```.*?^```$', '', page.read_text(), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> set[str]:
    text = re.sub(r'`[^`\n]*`', '', prose(page))
    return {target for target in re.findall(r'\]\(([^)\s]+)\)', text)
            if not re.match(r'[a-z]+:', target)}


def anchors(page: Path) -> list[str]:
    """What GitHub makes of the headings: small letters, no punctuation, spaces to hyphens."""
    found: list[str] = []
    for heading in re.findall(r'^#+ (.*)$', prose(page), re.MULTILINE):
        words = re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', heading).replace('`', '')
        anchor = re.sub(r'[^\w\- ]', '', words.strip().lower()).replace(' ', '-')
        known = sum(bool(re.fullmatch(re.escape(anchor) + r'(-\d+)?', each)) for each in found)
        found.append(f'{anchor}-{known}' if known else anchor)
    return found


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_tables_are_what_the_code_has(page, tables):
    text = page.read_text()

    assert tables.document(text) == text, 'run `make docs`'


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_links_lead_somewhere(page):
    for link in links(page):
        target, _, anchor = link.partition('#')
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f'{link}: no such file'
        assert file.is_relative_to(ROOT), f'{link}: outside the repository'
        if anchor:
            assert anchor in anchors(file), f'{link}: no such heading'


def test_every_page_is_reached_from_the_index():
    reached = {INDEX}
    waiting = [INDEX]
    while waiting:
        page = waiting.pop()
        for link in links(page):
            file = (page.parent / link.partition('#')[0]).resolve()
            if file.suffix == '.md' and file not in reached and file.is_relative_to(INDEX.parent):
                reached.add(file)
                waiting.append(file)

    assert sorted(set((ROOT / 'docs').rglob('*.md')) - reached) == []


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_a_page_has_one_title_on_its_first_line(page):
    assert page.read_text().startswith('# ')
    assert len(re.findall(r'^# ', prose(page), re.MULTILINE)) == 1


TARGETS = sorted({target for page in PAGES for target in re.findall(
    r'^(?:DISTRO=\w+ )?make ([a-z-]+)', page.read_text(), re.MULTILINE)})


@pytest.mark.parametrize('target', TARGETS)
def test_make_targets_exist(target):
    makefile = (ROOT / 'Makefile').read_text()

    assert re.search(rf'^{target}:', makefile, re.MULTILINE)
