# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which of several processes of one node stays, whenever they hear of each other."""
import pytest

pytest.importorskip('rclpy')
from hypothesis import given
from hypothesis import strategies as st

from active_collection.nodes.rivals import GONE_S
from active_collection.nodes.rivals import SETTLED_BEATS
from active_collection.nodes.rivals import Claim
from active_collection.nodes.rivals import Rivals
from active_collection.nodes.rivals import Verdict

BEATS = st.integers(0, SETTLED_BEATS)
IDS = st.sampled_from('abcd')


def verdict(own, rival, own_beats, beats):
    return Rivals(own).hear(Claim(rival, beats, ''), own_beats=own_beats, now_s=0.0)


@given(IDS, IDS, BEATS, BEATS, BEATS, BEATS)
def test_two_never_both_step_back_however_late_they_hear(a, b, said_a, said_b, late_a, late_b):
    if a == b:
        return
    now_a, now_b = min(said_a + late_a, SETTLED_BEATS), min(said_b + late_b, SETTLED_BEATS)

    verdicts = verdict(a, b, now_a, said_b), verdict(b, a, now_b, said_a)

    assert verdicts != (Verdict.STEP_BACK, Verdict.STEP_BACK)


@given(IDS, IDS, BEATS, BEATS)
def test_of_two_that_know_each_other_one_stays_or_both_are_settled(a, b, beats_a, beats_b):
    if a == b:
        return

    verdicts = {verdict(a, b, beats_a, beats_b), verdict(b, a, beats_b, beats_a)}

    assert verdicts == ({Verdict.BOTH} if beats_a == beats_b == SETTLED_BEATS
                        else {Verdict.STAY, Verdict.STEP_BACK})


def test_ones_own_claim_is_no_rival_s():
    assert verdict('a', 'a', 3, 9) is Verdict.STAY


def test_a_rival_that_is_silent_is_gone():
    rivals = Rivals('b')
    for name, now_s in (('c', 0.0), ('a', 3.0)):
        rivals.hear(Claim(name, SETTLED_BEATS, name), own_beats=SETTLED_BEATS, now_s=now_s)

    assert [claim.where for claim in rivals.settled(GONE_S)] == ['a', 'c']
    assert [claim.where for claim in rivals.settled(GONE_S + 1)] == ['a']
    assert rivals.settled(GONE_S + 4) == []
