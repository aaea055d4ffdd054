# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a policy sees and does: one YAML says which fields of which topics, and how they align."""
from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Literal

import numpy as np
from pydantic import Field
from pydantic import field_validator
from pydantic import model_validator

from active_collection.bags.fields import FieldPath
from active_collection.bags.fields import Vector
from active_collection.config import Model
from active_collection.errors import BagError
from active_collection.errors import ConfigError
from active_collection.errors import UncertaintyError


def _checked(field: str) -> str:
    try:
        FieldPath.parse(field)
    except ConfigError as error:
        raise ValueError(error.expected) from error
    return field


class ObservationItem(Model):
    """
    One part of the observation vector.

    `latched`: the newest message holds, however old it is (topics published once, with
    transient_local durability). `normalise`: 'standard' brings each number to mean 0 and standard
    deviation 1 over the training data; labels are never normalised.
    """

    name: str = Field(min_length=1)
    field: str
    one_of: tuple[str, ...] = ()
    latched: bool = False
    normalise: Literal['standard', 'none'] = 'standard'

    _field_is_a_path = field_validator('field')(_checked)

    @field_validator('one_of')
    @classmethod
    def _labels_are_unique(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) != len(labels):
            raise ValueError('labels, each once')
        return labels

    @cached_property
    def path(self) -> FieldPath:
        """Return where it is read from."""
        return FieldPath.parse(self.field)

    def read(self, message: object) -> Vector:
        """
        Return the item's numbers; a label becomes one-hot over `one_of`.

        :param message: a message of the item's topic
        :returns: float64 of shape (n,)
        :raises UncertaintyError: where a field is missing or a label is not one of `one_of`
        """
        if not self.one_of:
            return self.path.numbers(message)
        label = self.path.label(message)
        if label not in self.one_of:
            raise UncertaintyError(
                self.field, found=repr(label), expected=f'one of {", ".join(self.one_of)}')
        return np.array([float(label == known) for known in self.one_of])


class ActionItem(Model):
    """What the policy does, in the units of the topic; `low` and `high` are its range."""

    field: str
    low: tuple[float, ...] = Field(min_length=1)
    high: tuple[float, ...] = Field(min_length=1)

    _field_is_a_path = field_validator('field')(_checked)

    @model_validator(mode='after')
    def _range_is_ordered(self) -> ActionItem:
        if len(self.low) != len(self.high):
            raise ValueError(f"as many 'high' as 'low' values ({len(self.low)})")
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("each of 'low' below its 'high'")
        return self

    @property
    def size(self) -> int:
        """Return the number of action dimensions."""
        return len(self.low)

    @cached_property
    def path(self) -> FieldPath:
        """Return where it is read from."""
        return FieldPath.parse(self.field)

    def read(self, message: object) -> Vector:
        """
        Return the action: float64 of shape (size,).

        :raises UncertaintyError: where a field is missing or there are more or fewer numbers
        """
        action = self.path.numbers(message)
        if action.size != self.size:
            raise UncertaintyError(self.field, found=f'{action.size} numbers',
                                   expected=f'{self.size}, as many as low and high')
        return action


class ObservationSpec(Model):
    """
    Which messages make an observation, and which one is the action that answers it.

    `reference`: topic of which each message is one observation. `rate_hz`: observations a second
    at most; 0: every message of the reference. `tolerance_s`: how much older than the reference
    another topic's message may be, and how much later the action may follow. `wait_s`: how long
    to wait for topics that have not caught up with the reference; 0: take the newest at once.
    """

    format: Literal[1]
    reference: str = Field(min_length=1)
    tolerance_s: float = Field(default=0.1, ge=0, le=1e6)
    wait_s: float = Field(default=0.05, ge=0, le=1e6)
    rate_hz: float = Field(default=0.0, ge=0)
    observation: tuple[ObservationItem, ...] = Field(min_length=1)
    action: ActionItem

    @model_validator(mode='after')
    def _names_and_topics_agree(self) -> ObservationSpec:
        names = [item.name for item in self.observation]
        if len(set(names)) != len(names):
            raise ValueError("items of 'observation' with different names")
        held = {item.path.topic for item in self.observation if item.latched}
        moving = {item.path.topic for item in self.observation if not item.latched}
        if held & moving:
            raise ValueError(f"the same 'latched' for all of topic {min(held & moving)!r}")
        if self.reference in held:
            raise ValueError(f"a 'reference' that is not latched; {self.reference!r} is")
        return self

    @cached_property
    def latched_topics(self) -> frozenset[str]:
        """Return the topics whose newest message holds."""
        return frozenset(item.path.topic for item in self.observation if item.latched)

    @cached_property
    def observation_topics(self) -> tuple[str, ...]:
        """Return the topics an observation is made from, the reference first, as written."""
        topics = (item.path.topic for item in self.observation)
        return tuple(dict.fromkeys((self.reference, *topics)))

    @cached_property
    def topics(self) -> tuple[str, ...]:
        """Return the topics of observation and action, as written."""
        return tuple(dict.fromkeys((*self.observation_topics, self.action.path.topic)))


def resolve_topics(names: Iterable[str], available: Iterable[str], *, where: object,
                   namespace: str = '') -> dict[str, str]:
    """
    Find each topic of a specification among the topics of a bag.

    A relative name stands for the one topic that equals it or ends with '/' and it.

    :param names: topic names as a specification has them
    :param available: topic names in the bag
    :param where: the bag, for messages
    :param namespace: consider only topics below it, '/robot1'; empty: all
    :returns: name to topic
    :raises BagError: where none or more than one fits
    """
    prefix = f'/{namespace.strip("/")}/' if namespace.strip('/') else '/'
    below = sorted(t for t in available if f'/{t.lstrip("/")}'.startswith(prefix))
    found = {}
    for name in names:
        fitting = [t for t in below if t == name
                   or (not name.startswith('/') and f'/{t}'.endswith(f'/{name}'))]
        if len(fitting) != 1:
            raise BagError(
                f'{where}: topic {name!r}', found=', '.join(fitting) or f'only {", ".join(below)}',
                expected='exactly one such topic; a namespace or a full name chooses')
        found[name] = fitting[0]
    return found
