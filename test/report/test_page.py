# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The page as a file: whole, escaped, bounded, without a network."""
from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.errors import ReportError
from active_collection.report.data import Assignment
from active_collection.report.data import Evaluation
from active_collection.report.data import LabelRound
from active_collection.report.data import Pick
from active_collection.report.data import Pool
from active_collection.report.data import ReportData
from active_collection.report.data import Selection
from active_collection.report.data import TaskEvaluation
from active_collection.report.data import Term
from active_collection.report.data import Unit
from active_collection.report.data import Verdict
from active_collection.report.numbers import plain
from active_collection.report.page import SECTIONS
from active_collection.report.page import render
from active_collection.report.page import write_report
from active_collection.scenario import Scenario

VOID = {'meta', 'link', 'img', 'br', 'hr', 'input'}
CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
ALERT = '"><script>alert(1)</script><img src=x onerror=alert(1)>\'\n\u202e\ud800\0'


class Page(HTMLParser):
    """What a browser would find in a page; fails where an element is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f'</{tag}> at {self.getpos()}'

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self):
        return [attributes['id'] for _, attributes in self.elements if 'id' in attributes]


@pytest.fixture(scope='module')
def text(report):
    return render(report)


@pytest.fixture(scope='module')
def page(text):
    return Page(text)


def hostile(value=ALERT):
    """Return data in which every string is an attack."""
    scenario = Scenario(value, value, ((value, value), (value + '2', 1.0), (value + '3', 2.0)))
    unit = Unit('u', value, value, 5, value, value, value, value)
    other = Unit('v', value, value, 6, value + 'b', value, value, value)
    return ReportData(
        title=value, source=value, made_ns=0,
        assignments=tuple(
            Assignment(value, scenario, value, 1, 1, 2, value, value, 1.0,
                       (Term(value, 1.0),), outcome, value, value, outcome == value)
            for outcome in ('success', 'failure', value)),
        evaluations=(Evaluation(1, value, {value: TaskEvaluation(1, 2, .1),
                                           value + 'b': TaskEvaluation(1, 2, .1)}),),
        pool=Pool(2, (unit, other), np.eye(2), value),
        selection=Selection(1, value, (Pick(unit, 1, 1.0, value, b'not a jpeg'),),
                            counts={value: 3}),
        labels=(LabelRound(1, value, 1, 1), LabelRound(2, value, 1, 2, 1, 1, 2)),
        verdicts=(Verdict(value, True, value, {value: 1.0}),), missing={'bags': value})


def test_page_parses_and_has_every_section(page):
    assert {section.key for section in SECTIONS} <= set(page.ids)


def test_identifiers_are_unique_and_every_link_leads_somewhere(page):
    assert len(page.ids) == len(set(page.ids))
    targets = {link['href'] for link in page.all('a')}
    assert targets and targets <= {f'#{identifier}' for identifier in page.ids}


def test_page_needs_no_network(text, page):
    for attributes in (attributes for _, attributes in page.elements):
        for name in ('src', 'href', 'srcset', 'action', 'data'):
            assert attributes.get(name, '#').startswith(('#', 'data:'))
    style = re.search(r'<style>(.*?)</style>', text, re.DOTALL).group(1)
    assert 'url(' not in style and '@import' not in style
    script = re.search(r'<script>(.*?)</script>', text, re.DOTALL).group(1)
    assert not re.search(r'fetch\(|XMLHttpRequest|WebSocket|https?:', script)
    assert "default-src 'none'" in text


def test_page_compares_with_an_even_spread(text, report):
    number = sum(a.is_demonstration for a in report.assignments)
    assert f'<td>{plain(number / 10)}</td>' in text
    assert 'of an even spread' in text and f'of {number} in all' in text


def test_pictures_are_lazy_jpegs(page, report):
    pictures = page.all('img')
    assert len(pictures) == len(report.selection.picks)
    for picture in pictures:
        assert picture['loading'] == 'lazy' and picture['alt']
        head, _, encoded = picture['src'].partition(',')
        assert head == 'data:image/jpeg;base64'
        jpeg = np.frombuffer(base64.b64decode(encoded), np.uint8)
        assert cv2.imdecode(jpeg, cv2.IMREAD_COLOR).shape == (128, 128, 3)


def test_head_states_five_figures(page):
    assert len(page.all('dt')) == 5
    assert '60 of 2,296' in page.texts


def test_page_is_the_same_for_the_same_data(report, text):
    assert render(report) == text


def test_hostile_strings_stay_text():
    page = Page(render(hostile()))

    assert len(page.all('script')) == 1
    assert all(not name.startswith('on') for _, a in page.elements for name in a)
    assert all(image['src'].startswith('data:image/jpeg;base64,') for image in page.all('img'))
    assert not any(c in text for text in page.texts for c in '\0\u202e\ud800')


@settings(max_examples=15, deadline=None)
@given(st.text(st.characters(), min_size=1, max_size=300))
def test_any_string_leaves_the_page_balanced_and_writable(value):
    text = render(hostile(value))

    assert len(Page(text).all('script')) == 1
    text.encode('utf-8')


def test_long_strings_are_cut():
    assert len(render(hostile('x' * 1_000_000))) < 300_000


@pytest.mark.parametrize(('field', 'empty', 'gone'), [
    ('assignments', (), {'collection', 'coverage'}),
    ('evaluations', (), {'learning'}),
    ('selection', None, {'contact', 'bags'}),
    ('pool', None, {'map', 'bags'}),
    ('labels', (), {'labels'}),
    ('verdicts', (), {'verdict'}),
])
def test_section_without_data_is_left_out_with_a_reason(changed, field, empty, gone):
    data = changed(**{field: empty}, missing=dict.fromkeys(gone, 'the file is not there'))

    page = Page(render(data))

    assert not gone & set(page.ids)
    assert sum('the file is not there' in text for text in page.texts) == len(gone)


@pytest.mark.parametrize('field', ['assignments', 'evaluations', 'pool', 'selection', 'labels',
                                   'verdicts'])
def test_each_part_alone_makes_a_page(report, field):
    data = ReportData('t', 's', 0, **{field: getattr(report, field)})

    assert Page(render(data)).all('h1')


def test_nothing_at_all_is_an_error(tmp_path):
    with pytest.raises(ReportError, match='nothing to report'):
        write_report(ReportData('t', '/data', 0), tmp_path / 'report.html')
    assert list(tmp_path.iterdir()) == []


def test_report_is_written_whole_and_replaces_the_old_one(report, text, tmp_path):
    path = tmp_path / 'new' / 'report.html'
    write_report(report, path)
    write_report(report, path)

    assert path.read_text(encoding='utf-8') == text
    assert [entry.name for entry in path.parent.iterdir()] == ['report.html']


def test_report_that_cannot_be_written_names_the_path(report, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ReportError, match='file'):
        write_report(report, tmp_path / 'file' / 'report.html')


def test_500_picks_stay_under_15_megabytes(make_report):
    text = render(make_report(500))

    assert len(text.encode()) < 15_000_000
    assert text.count('data:image/jpeg') == 500


def browse(path, *options, profile):
    """Return what a headless browser printed about a page, and the page's elements afterwards."""
    done = subprocess.run(
        [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--enable-logging=stderr',
         f'--user-data-dir={profile}', '--virtual-time-budget=4000', '--dump-dom', *options,
         f'file://{path}'], capture_output=True, text=True, timeout=90, check=True)
    return [line for line in done.stderr.splitlines() if 'CONSOLE' in line], done.stdout


@pytest.mark.skipif(not CHROMIUM, reason='chromium is not installed')
@pytest.mark.parametrize('kind', ['whole', 'hostile'])
def test_browser_opens_the_page_without_a_console_error(report, tmp_path, kind):
    path = tmp_path / 'report.html'
    write_report(report if kind == 'whole' else hostile(), path)

    console, elements = browse(path, profile=tmp_path / 'profile')

    assert console == []
    # the script ran to its end: it marks the page and shows one panel of each choice
    assert re.search(r'<html[^>]*class="js"', elements)


ACT = """
const said = {};
const move = (type, mark) => {
  const box = mark.getBoundingClientRect();
  const at = {bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2};
  mark.dispatchEvent(new PointerEvent(type, at));
};
const choose = (select, value) => {
  select.value = value;
  select.dispatchEvent(new Event('change', {bubbles: true}));
};
const one = (selector) => document.querySelector(selector);
const shown = (selector) => [...document.querySelectorAll(selector)]
  .filter((element) => getComputedStyle(element).display !== 'none');
const tip = one('#tip');
move('pointermove', one('.map .picked[data-pick="1"]'));
said.pick = [tip.hidden, tip.firstChild.tagName, tip.textContent.includes('#1 ')];
move('pointermove', one('h1'));
said.off = tip.hidden;
move('pointermove', one('.map'));
said.rectangle = one('.timeline rect').dataset.tip.split('\\n').length > 1;
choose(one('[data-sort]'), 'score');
const scores = [...document.querySelectorAll('.cards li')]
  .map((card) => Number(card.dataset.score));
said.sorted = scores.every((score, index) => index === 0 || scores[index - 1] >= score);
choose(one('[data-filter]'), 'push');
said.filtered = new Set(shown('.cards li').map((card) => card.dataset.task)).size;
choose(one('[data-panels]'), '2');
said.panels = shown('#coverage-panels > figure').length;
one('.legend button').click();
said.bright = new Set([...document.querySelectorAll('.map circle:not(.dim)')]
  .map((dot) => dot.dataset.task)).size;
one('.legend button').click();
said.dim = document.querySelectorAll('.map .dim').length;
document.body.dataset.said = JSON.stringify(said);
"""


@pytest.mark.skipif(not CHROMIUM, reason='chromium is not installed')
def test_marks_say_what_they_are_and_choices_work(report, tmp_path):
    path = tmp_path / 'report.html'
    page = re.sub(r"script-src '[^']*'", "script-src 'unsafe-inline'", render(report), count=1)
    path.write_text(page.replace('</body>', f'<script>{ACT}</script></body>'), encoding='utf-8')

    console, elements = browse(path, profile=tmp_path / 'profile')

    assert console == []
    said = re.search(r'data-said="([^"]*)"', elements).group(1).replace('&quot;', '"')
    assert json.loads(said) == {
        'pick': [False, 'IMG', True], 'off': True, 'rectangle': True, 'sorted': True,
        'filtered': 1, 'panels': 1, 'bright': 1, 'dim': 0}


@pytest.mark.skipif(not CHROMIUM, reason='chromium is not installed')
def test_browser_refuses_a_script_that_is_not_the_page_s_own(report, tmp_path):
    path = tmp_path / 'report.html'
    path.write_text(render(report).replace('<main>', '<script>document.title=1</script><main>'),
                    encoding='utf-8')

    console, elements = browse(path, profile=tmp_path / 'profile')

    assert any('Content Security Policy' in line for line in console)
    assert '<title>Collection report</title>' in elements


WIDE = """
document.body.dataset.wide = document.documentElement.scrollWidth > innerWidth ? 'wide' : 'fits';
"""


@pytest.mark.skipif(not CHROMIUM, reason='chromium is not installed')
@pytest.mark.parametrize('width', [390, 768, 1280])
def test_page_never_scrolls_sideways(report, tmp_path, width):
    path = tmp_path / 'report.html'
    page = re.sub(r"script-src '[^']*'", "script-src 'unsafe-inline'", render(report), count=1)
    # a headless window is 500 pixels wide at least: a frame may be narrower
    path.with_name('inner.html').write_text(
        page.replace('</body>', f'<script>{WIDE}</script></body>'), encoding='utf-8')
    path.write_text(f'<iframe src="inner.html" style="width:{width}px;height:900px;border:0">'
                    '</iframe><script>onload = () => { document.body.dataset.wide = '
                    'frames[0].document.body.dataset.wide; };</script>', encoding='utf-8')

    _, elements = browse(path, '--allow-file-access-from-files', '--window-size=1400,1000',
                         profile=tmp_path / 'profile')

    assert 'data-wide="fits"' in elements
