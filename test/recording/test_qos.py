# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests that get everything from whatever publishers offer."""
from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from active_collection.errors import ConfigError
from active_collection.recording.qos import BEST_EFFORT
from active_collection.recording.qos import RELIABLE
from active_collection.recording.qos import TRANSIENT_LOCAL
from active_collection.recording.qos import VOLATILE
from active_collection.recording.qos import Qos
from active_collection.recording.qos import fitting_depth
from active_collection.recording.qos import from_yaml
from active_collection.recording.qos import read_overrides
from active_collection.recording.qos import requests
from active_collection.recording.qos import to_yaml

OFFERS = st.lists(st.builds(
    Qos, reliability=st.sampled_from([RELIABLE, BEST_EFFORT]),
    durability=st.sampled_from([VOLATILE, TRANSIENT_LOCAL]), depth=st.integers(0, 100)))


def serves(offer, request):
    return ((request.reliability == BEST_EFFORT or offer.reliability == RELIABLE)
            and (request.durability == VOLATILE or offer.durability == TRANSIENT_LOCAL))


@given(OFFERS)
def test_every_publisher_serves_a_request_and_every_latch_a_latched_one(offers):
    wanted = requests(offers, depth=10)
    for offer in offers:
        assert any(serves(offer, request) for request in wanted)
        if offer.is_latched:
            assert any(serves(offer, request) for request in wanted if request.is_latched)
        if all(o.reliability == RELIABLE for o in offers):
            assert all(request.reliability == RELIABLE for request in wanted)


@given(OFFERS)
def test_profiles_survive_a_channels_metadata(offers):
    assert from_yaml(to_yaml(offers)) == tuple(offers)


def test_profiles_of_releases_that_number_their_policies_are_read():
    numbered = [{**Qos().to_dict(), 'history': 1, 'reliability': 2, 'durability': 1,
                 'liveliness': 1}]
    [profile] = from_yaml(yaml.safe_dump(numbered))
    assert profile == Qos(reliability=BEST_EFFORT, durability=TRANSIENT_LOCAL)


def test_overrides_are_read_and_mistakes_named(tmp_path):
    path = tmp_path / 'qos.yaml'
    path.write_text('/camera:\n  reliability: best_effort\n  depth: 5\n')
    assert read_overrides(path) == {'/camera': Qos(reliability=BEST_EFFORT, depth=5)}
    for text in ('/a: {reliability: maybe}', '/a: {depth: 0}', '/a: 3', '- 1', '{', '/a: {x: 1}'):
        path.write_text(text)
        with pytest.raises(ConfigError, match='qos'):
            read_overrides(path)
    with pytest.raises(ConfigError):
        read_overrides(tmp_path / 'none.yaml')


@pytest.mark.parametrize(('size', 'depth'), [
    (0, 500), (300, 500), (33_000, 500), (40_000, 256), (921_600, 16), (1_000_000, 16),
    (6_000_000, 4), (10**9, 4)])
def test_fewer_large_messages_may_wait(size, depth):
    assert fitting_depth(size, depth=500, max_bytes=2**24) == depth


def test_bound_on_the_depth_holds_for_what_is_not_latched():
    deep = Qos(depth=1000)
    latched = Qos(durability='transient_local', depth=50)
    assert [r.depth for r in requests([deep], depth=500)] == [1000]
    assert [r.depth for r in requests([deep], depth=16, most=16)] == [16]
    assert [r.depth for r in requests([latched], depth=16, most=16)] == [50]
    assert [r.depth for r in requests([deep, latched], depth=16, most=16)] == [16, 50]
