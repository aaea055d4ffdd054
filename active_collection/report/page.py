# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Write a report as one HTML file that opens from disk, without a network."""
from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from jinja2 import FileSystemLoader
from jinja2 import StrictUndefined
from markupsafe import Markup

from active_collection.errors import ReportError
from active_collection.files import make_directory
from active_collection.files import write_whole
from active_collection.report import bag_timeline
from active_collection.report import collection
from active_collection.report import contact
from active_collection.report import coverage
from active_collection.report import embedding_map
from active_collection.report import label_rounds
from active_collection.report import learning
from active_collection.report import summary
from active_collection.report.data import ReportData
from active_collection.report.data import Verdict
from active_collection.report.markup import text
from active_collection.report.numbers import count
from active_collection.report.numbers import decimal
from active_collection.report.numbers import duration
from active_collection.report.numbers import figure
from active_collection.report.numbers import moment
from active_collection.report.numbers import percent
from active_collection.report.numbers import plain

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Section:
    """
    A section of the page.

    :param key: name of its macro in sections.html, and its anchor
    :param build: returns what it shows; None where it has no data
    :param absent: what to say where it has no data and the caller gave no reason
    """

    key: str
    title: str
    build: Callable[[ReportData], Any]
    absent: str



def _verdicts(data: ReportData) -> list[Verdict] | None:
    """Return the verdicts, those that say stop first."""
    return sorted(data.verdicts, key=lambda verdict: not verdict.stop) or None


SECTIONS = (
    Section('collection', 'What was collected, and why', collection.build,
            'no assignments and no episodes'),
    Section('learning', 'Success and uncertainty by round', learning.build, 'no evaluations'),
    Section('coverage', 'Object configurations covered', coverage.build,
            'no finished episode has an object configuration'),
    Section('labels', 'What the labels taught', label_rounds.build, 'no round has labels'),
    Section('verdict', 'Whether to go on', _verdicts,
            'no stopping rule has been evaluated'),
    Section('map', 'Map of the pool', embedding_map.build, 'no pool with embeddings'),
    Section('bags', 'Where in the bags the picks lie', bag_timeline.build,
            'no pool, or nothing selected from it'),
    Section('contact', 'The frames worth a label', contact.build, 'nothing has been selected'),
)


def render(data: ReportData) -> str:
    """
    Return the page.

    :raises ReportError: where there is nothing at all to show
    """
    if data.is_empty:
        raise ReportError(
            data.source, found='nothing to report',
            expected='assignments in a ledger, episodes, evaluations, a pool or a round')
    shown, absent = [], []
    for section in SECTIONS:
        view = section.build(data)
        if view is None:
            absent.append((section.title, data.missing.get(section.key, section.absent)))
        else:
            shown.append((section, view))
    script, style = _own('page.js'), _own('page.css')
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode('ascii')
    return _environment().get_template('page.html').render(
        data=data, lines=summary.build(data), shown=shown, absent=absent, script=script,
        style=style, script_hash=digest)


def write_report(data: ReportData, path: Path) -> None:
    """
    Write the page to a file, whole or not at all.

    :raises ReportError: where there is nothing to show or the file cannot be written
    """
    page = render(data)
    try:
        make_directory(path.parent)
        write_whole(path, page)
    except OSError as error:
        raise ReportError(path, found=error, expected='a writable file'
                          ) from error


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE, encoding='utf-8'), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=StrictUndefined, finalize=_finalize)
    environment.filters.update(
        count=count, decimal=decimal, duration=duration, explain=collection.explain,
        figure=figure, moment=moment, percent=percent, plain=plain)
    environment.globals.update(
        after_round=learning.after_round, round_name=collection.round_name)
    return environment


def _own(name: str) -> Markup:
    """Return a file that belongs to the page."""
    return Markup((HERE / name).read_text(encoding='utf-8'))  # noqa: S704 - ours


def _finalize(value: object) -> object:
    """Make every string that comes from data printable and bounded before it is escaped."""
    return text(value) if isinstance(value, str) else value
