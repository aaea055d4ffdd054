# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Every combination of features of the MCAP format is read, salvaged and kept as it is."""
from __future__ import annotations

import pytest
from mcap.reader import NonSeekingReader
from mcap_cases import build
from mcap_cases import cases

from active_collection.bags.reader import open_bag
from active_collection.mcap.extras import read_extras
from active_collection.recording.salvage.mcap_file import salvage_file

CASES = {name: (content, features) for name, content, features in cases()}


def test_all_cases_of_the_formats_own_set_are_here():
    assert len(CASES) == 416
    assert {'OneAttachment-ax-pad-st', 'TenMessages-ch-chx-mx-pad-rch-rsh-st-sum'} <= CASES.keys()


@pytest.fixture(params=CASES, ids=str)
def case(request, tmp_path):
    content, features = CASES[request.param]
    path = tmp_path / 'bag.mcap'
    path.write_bytes(build(content, features))
    return path, content


def read(path):
    """Every message, attachment and metadata; damage is raised."""
    with open_bag(path) as bag:
        messages = [(m.receive_ns, bytes(m.raw)) for m in bag.messages()]
        topics = {topic: (info.type, info.count) for topic, info in bag.topics.items()}
        assert (bag.start_ns, bag.stop_ns) == (
            (messages[0][0], messages[-1][0] + 1) if messages else (0, 0))

    def damaged(_, __, why):
        raise AssertionError(why)

    extras = read_extras(path, damaged=damaged)
    attachments = tuple((a.log_ns, a.create_ns, a.name, a.media_type, data)
                        for a, data in extras.attachments)
    return messages, topics, attachments, extras.metadata


def expected(content):
    messages = [(log_ns, data) for log_ns, _, data in content.messages]
    kind = 'Example' if content.schema else ''
    topics = {'example': (kind, len(messages))} if messages else {}
    return messages, topics, content.attachments, content.metadata


def test_a_file_is_read_as_it_was_written(case):
    path, content = case
    assert read(path) == expected(content)


@pytest.mark.parametrize('name', CASES)
def test_another_reader_takes_it_for_the_same(name, tmp_path):
    content, features = CASES[name]
    # The mcap package does not step over padding in chunks.
    (tmp_path / 'bag.mcap').write_bytes(build(content, features, pad_chunks=False))
    with (tmp_path / 'bag.mcap').open('rb') as file:
        got = [(m.log_time, m.sequence, m.data)
               for _, _, m in NonSeekingReader(file).iter_messages()]
    assert got == list(content.messages)


def test_a_salvaged_file_holds_the_same(case, tmp_path):
    path, content = case
    kept = salvage_file(path, tmp_path / 'whole.mcap')
    assert read(tmp_path / 'whole.mcap') == expected(content)
    assert not kept.damages
