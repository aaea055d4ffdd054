# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which of several processes stays that all run a node of which there is to be one. No ROS."""
from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

#: Time between two claims (s), and how many make a process settled: it has been there for 10 s.
BEAT_S = 0.5
SETTLED_BEATS = 20
#: A settled rival that was not heard for this long is gone (s).
GONE_S = 5.0


@dataclass(frozen=True, slots=True)
class Claim:
    """
    What a process says of itself.

    :param instance_id: made by chance at its start
    :param beats: how often it said so before, at most SETTLED_BEATS; it never falls
    :param where: machine and process, for a person
    """

    instance_id: str
    beats: int
    where: str


class Verdict(Enum):
    """What a rival's claim means for who hears it."""

    STAY = 'stay'
    STEP_BACK = 'step back'
    BOTH = 'both'


class Rivals:
    """
    Compares one process with those that claim the same.

    Who has claimed for longer stays, and of two that began in the same beat the one with the
    smaller id. Both hear the same two claims, if late, and claims only grow: so both can believe
    for a while that they stay, but never that they step back. Two that are settled when they first
    hear each other, because the network was parted, both stay: they may be at work, and which one
    is wrong a person must say. No clocks of machines are compared, and a process that was killed
    claims nothing.

    :param own_id: of this process
    """

    def __init__(self, own_id: str) -> None:
        self._own_id = own_id
        self._heard: dict[str, tuple[Claim, float]] = {}

    def hear(self, claim: Claim, *, own_beats: int, now_s: float) -> Verdict:
        """
        Return what a claim means.

        :param own_beats: those of this process, at least as many as it has said
        :param now_s: a steady clock (s)
        """
        if claim.instance_id == self._own_id:
            return Verdict.STAY
        if own_beats >= SETTLED_BEATS and claim.beats >= SETTLED_BEATS:
            self._heard[claim.instance_id] = (claim, now_s)
            return Verdict.BOTH
        mine, theirs = (own_beats, self._own_id), (claim.beats, claim.instance_id)
        is_first = mine[0] > theirs[0] or (mine[0] == theirs[0] and mine[1] < theirs[1])
        return Verdict.STAY if is_first else Verdict.STEP_BACK

    def settled(self, now_s: float) -> list[Claim]:
        """Return the claims of those that stay as this process does, by their ids."""
        self._heard = {key: heard for key, heard in self._heard.items()
                       if now_s - heard[1] <= GONE_S}
        return [self._heard[key][0] for key in sorted(self._heard)]
