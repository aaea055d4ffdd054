# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What other tools learn of the interfaces' units, through the IDL that rosidl makes of them."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip('rosidl_adapter')
import rosidl_adapter
from rosidl_adapter.parser import parse_action_string
from rosidl_adapter.parser import parse_message_string
from rosidl_adapter.parser import parse_service_string
from rosidl_parser.definition import IdlLocator
from rosidl_parser.definition import Message
from rosidl_parser.parser import parse_idl_file

ROOT = Path(__file__).parents[2]
PACKAGE = 'active_collection'
FILES = sorted(str(path.relative_to(ROOT)) for kind in ('msg', 'srv', 'action')
               for path in (ROOT / kind).iterdir())
#: Others are to be added with the first field that has them, as the SI writes them.
UNITS = {'s', 'Hz', 'bytes'}
#: Words of a comment that speak of a unit, and which.
WORDS = {r'\bbytes\b': 'bytes', r'\bseconds?\b': 's', r'\bHz\b': 'Hz'}


def parts(path):
    """Return an interface as rosidl reads it: each whole, its fields, its constants."""
    text, stem = (ROOT / path).read_text(), Path(path).stem
    if path.startswith('msg'):
        specifications = [parse_message_string(PACKAGE, stem, text)]
    elif path.startswith('srv'):
        service = parse_service_string(PACKAGE, stem, text)
        specifications = [service.request, service.response]
    else:
        action = parse_action_string(PACKAGE, stem, text)
        specifications = [action.goal, action.result, action.feedback]
    return [part for whole in specifications
            for part in (whole, *whole.fields, *whole.constants)]


def unit(part):
    return part.annotations.get('unit', '')


def name(part):
    return getattr(part, 'name', '')


@pytest.mark.parametrize('path', FILES)
def test_what_stands_as_a_unit_is_one(path):
    for part in parts(path):
        assert unit(part) in UNITS | {''}, name(part)
        assert name(part) or not unit(part), 'the whole has no unit'


@pytest.mark.parametrize('path', FILES)
def test_what_speaks_of_a_unit_has_it(path):
    for part in filter(name, parts(path)):
        comment = ' '.join(part.annotations.get('comment', []))
        for words, expected in WORDS.items():
            if re.search(words, comment):
                assert unit(part) == expected, f'{name(part)}: {comment}'


@pytest.mark.parametrize('path', FILES)
def test_a_unit_stands_in_brackets_and_nothing_else_does(path):
    for line in (ROOT / path).read_text().splitlines():
        _, _, text = line.partition('#')
        in_parentheses = re.findall(r'\((s|ms|ns|Hz|m|rad|bytes?|Gi?B|Mi?B)\)', text)
        assert not in_parentheses, line
        assert re.findall(r'\[([^]]*)\]', text) in [[u] for u in UNITS] + [[]], line


@pytest.mark.parametrize(('path', 'field', 'expected'), [
    ('msg/Episode.msg', 'size', 'bytes'), ('msg/Episode.msg', 'episode_id', ''),
    ('msg/HighUncertainty.msg', 'duration', 's'), ('msg/RecorderStatus.msg', 'elapsed', 's'),
    ('msg/RecorderStatus.msg', 'disk_free', 'bytes'), ('msg/TopicStatistics.msg', 'rate', 'Hz'),
    ('msg/TopicStatistics.msg', 'largest_gap', 's'),
    ('msg/TopicStatistics.msg', 'clock_skew', 's'), ('msg/TopicStatistics.msg', 'received', ''),
    ('msg/UncertaintyEstimate.msg', 'epistemic', ''), ('msg/Assignment.msg', 'runners_up', ''),
    ('action/CollectEpisode.action', 'elapsed', 's')])
def test_fields_have_their_units(path, field, expected):
    [found] = [part for part in parts(path) if name(part) == field]

    assert unit(found) == expected


def test_the_units_are_annotations_of_the_idl(tmp_path):
    path = Path('msg/TopicStatistics.msg')
    idl = rosidl_adapter.convert_to_idl(ROOT, PACKAGE, path, tmp_path)

    [message] = parse_idl_file(IdlLocator(tmp_path, idl.relative_to(tmp_path))) \
        .content.get_elements_of_type(Message)

    found = {member.name: member.get_annotation_value('unit')['value']
             for member in message.structure.members if member.has_annotation('unit')}
    assert found == {'bytes': 'bytes', 'rate': 'Hz', 'expected_rate': 'Hz', 'largest_gap': 's',
                     'clock_skew': 's'}
