# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A picture that is a bomb, cut off or no picture costs itself only: it is refused and counted."""
from __future__ import annotations

import resource
import struct
import zlib

import cv2
import numpy as np
import pytest
from bag_factory import START_NS
from bag_factory import compressed
from bag_factory import scene
from bag_factory import write_bag
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.bags.find import find_bags
from active_collection.bags.images import to_rgb
from active_collection.cli.main import main
from active_collection.errors import BagError
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling
from active_collection.selection.pool import Pool

TOPIC = '/camera/image/compressed'
ENCODED = {form: cv2.imencode(suffix, scene(1, size=(120, 160)))[1].tobytes()
           for form, suffix in (('png', '.png'), ('jpeg', '.jpg'))}


def chunk(name, content):
    return (struct.pack('>I', len(content)) + name + content
            + struct.pack('>I', zlib.crc32(name + content)))


def png_bomb(width, height):
    """A whole PNG of one bit a pixel: 12,000 x 12,000 take 18 kB in the file, 432 MB as RGB."""
    row = bytes(1 + (width + 7) // 8)
    packer, data = zlib.compressobj(9), b''
    for _ in range(height):
        data += packer.compress(row)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 1, 0, 0,
                                                             0, 0))
            + chunk(b'IDAT', data + packer.flush()) + chunk(b'IEND', b''))


def jpeg_bomb(width, height):
    """A JPEG that claims to be larger than it is."""
    content = bytearray(ENCODED['jpeg'])
    place = content.index(b'\xff\xc0') + 5
    content[place:place + 4] = struct.pack('>HH', height, width)
    return bytes(content)


BAD = {
    'png bomb': ('png', png_bomb(12_000, 12_000), '12000 x 12000'),
    'png of no pixels': ('png', ENCODED['png'][:16] + bytes(8) + ENCODED['png'][24:], '0 x 0'),
    'png head only': ('png', ENCODED['png'][:33], 'corrupt bytes'),
    'png cut off': ('png', ENCODED['png'][:-20], 'corrupt bytes'),
    'jpeg bomb': ('jpeg', jpeg_bomb(65_500, 65_500), '65500 x 65500'),
    'jpeg cut off': ('jpeg', ENCODED['jpeg'][:-20], 'without an end'),
    'jpeg head only': ('jpeg', ENCODED['jpeg'][:4], 'a JPEG or PNG'),
    'nothing': ('jpeg', b'', '0 bytes'),
    'no picture': ('png', b'GIF89a' + bytes(50), 'a JPEG or PNG'),
    'depth bomb': ('16UC1; compressedDepth png', bytes(12) + png_bomb(12_000, 12_000),
                   '12000 x 12000'),
    'depth cut off': ('16UC1; compressedDepth png', bytes(11), '11 bytes'),
    'rvl bomb': ('16UC1; compressedDepth rvl', bytes(12) + struct.pack('<II', 1 << 16, 1 << 16),
                 '65536 x 65536'),
}


@pytest.mark.parametrize('name', BAD)
def test_a_bad_picture_is_refused_with_its_reason(name):
    form, data, reason = BAD[name]
    with pytest.raises(BagError) as caught:
        to_rgb(compressed(data, form), where='bag: /topic at 1 ns')
    assert reason in str(caught.value)
    assert str(caught.value).startswith('bag: /topic at 1 ns')
    assert '\n' not in str(caught.value)


def test_bad_pictures_are_counted_and_the_index_goes_on(tmp_path):
    entries = []
    for number, (form, data, _) in enumerate(BAD.values()):
        for content, kind in ((ENCODED['jpeg'], 'jpeg'), (data, form)):
            stamp = START_NS + len(entries) * 10**8
            entries.append((TOPIC, stamp, compressed(content, kind, stamp_ns=stamp)))
        assert len(entries) == 2 * (number + 1)
    write_bag(tmp_path / 'bags' / 'b', entries)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    report = index(find_bags([tmp_path / 'bags']), tmp_path / 'pool',
                   IndexSettings('descriptor', sampling=Sampling(rate_hz=0)))

    assert (report.added, report.corrupt_count) == (len(BAD), len(BAD))
    for line, (_, _, reason), (_, stamp, _) in zip(report.corrupt, BAD.values(), entries[1::2],
                                                   strict=True):
        assert reason in line and f'{TOPIC} at {stamp} ns' in line
    assert report.reasons['1 to 67,108,864 pixels'] == 5
    assert report.reasons.total() == len(BAD)
    assert len(Pool.open(tmp_path / 'pool')) == len(BAD)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200_000  # kB: not one of the bombs went off


def test_each_reason_is_told_with_its_number(tmp_path, capsys):
    content = [ENCODED['jpeg'], *[ENCODED['jpeg'][:-20]] * 30, *[b'GIF'] * 7]
    write_bag(tmp_path / 'bags' / 'b', [
        (TOPIC, START_NS + i * 10**8, compressed(data)) for i, data in enumerate(content)])

    assert main(['index', str(tmp_path / 'bags'), '--pool', str(tmp_path / 'pool'), '--rate', '0',
                 '--processes', '1', '--extractor', 'descriptor']) == 0

    out, err = capsys.readouterr()
    assert '1 frames added, 37 corrupt messages' in out
    assert err.splitlines()[5:] == [
        'active-collection: left out: 30 in all: expected a whole JPEG',
        'active-collection: left out: 7 in all: expected a JPEG or PNG']


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(ENCODED)), st.data())
def test_a_picture_cut_off_anywhere_is_refused(form, data):
    whole = ENCODED[form]
    # The last bytes of a PNG are an empty chunk and checksums: what is lost of them shows nothing.
    end = data.draw(st.integers(0, len(whole) - (16 if form == 'png' else 1)))
    with pytest.raises(BagError):
        to_rgb(compressed(whole[:end], form), where='cut')


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(ENCODED)), st.data())
def test_a_changed_picture_is_a_picture_of_its_size_or_refused(form, data):
    content = bytearray(ENCODED[form])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        picture = to_rgb(compressed(bytes(content), form), where='changed', max_pixels=200_000)
    except BagError:
        return
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    assert picture.shape[0] * picture.shape[1] <= 200_000
