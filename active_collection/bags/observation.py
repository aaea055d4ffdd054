# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a policy sees and does: one YAML says which fields of which topics, and how they align."""
from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any
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
from active_collection.names import is_safe_name


def _checked(field: str) -> str:
    try:
        FieldPath.parse(field)
    except ConfigError as error:
        raise ValueError(error.expected) from error
    return field


class EncoderSpec(Model):
    """
    What turns the pictures of an image topic into numbers; it is not trained.

    `kind`: 'random_features': 64 numbers, built in; 'torchscript': a network of (1, 3, size,
    size), 0 to 1, to (1, n), in `file`, a name beside the specification. `size`: width and height
    (pixels) that pictures are scaled to. `sha256`: of the file that an ensemble was trained on.
    """

    kind: Literal['random_features', 'torchscript'] = 'random_features'
    file: str = ''
    size: int = Field(default=96, ge=16, le=2048)
    sha256: str = Field(default='', pattern='^([0-9a-f]{64})?$')

    @model_validator(mode='after')
    def _file_belongs_to_kind(self) -> EncoderSpec:
        if self.kind == 'torchscript' and not (
                is_safe_name(self.file) and self.file.endswith(('.ts', '.torchscript'))):
            raise ValueError("'file', the name of a .ts file beside the specification")
        if self.kind != 'torchscript' and (self.file or self.sha256):
            raise ValueError(f"no 'file' for encoder {self.kind!r}")
        return self


class ObservationItem(Model):
    """
    One part of the observation vector: numbers or a label at a `field`, or an `image`.

    `image`: an image topic, whose pictures `encoder` turns into numbers. `latched`: the newest
    message holds, however old it is (topics published once, with transient_local durability).
    `normalise`: 'standard' brings each number to mean 0 and standard deviation 1 over the training
    data; labels are never normalised.
    """

    name: str = Field(min_length=1)
    field: str = ''
    image: str = ''
    encoder: EncoderSpec | None = None
    one_of: tuple[str, ...] = ()
    latched: bool = False
    normalise: Literal['standard', 'none'] = 'standard'

    @field_validator('field')
    @classmethod
    def _field_is_a_path(cls, field: str) -> str:
        return _checked(field) if field else field

    @model_validator(mode='before')
    @classmethod
    def _an_image_has_an_encoder(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get('image') and data.get('encoder') is None:
            return {**data, 'encoder': {}}
        return data

    @model_validator(mode='after')
    def _one_place(self) -> ObservationItem:
        if bool(self.field) == bool(self.image):
            raise ValueError("either 'field' or 'image'")
        if self.image and self.one_of:
            raise ValueError("no 'one_of' for an image")
        if self.encoder is not None and not self.image:
            raise ValueError("no 'encoder' without 'image'")
        return self

    @field_validator('one_of')
    @classmethod
    def _labels_are_unique(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) != len(labels):
            raise ValueError('labels, each once')
        return labels

    @cached_property
    def path(self) -> FieldPath:
        """Return where it is read from."""
        return FieldPath.parse(self.field) if self.field else FieldPath.whole(self.image)

    def read(self, message: object) -> Vector:
        """
        Return the numbers of an item that is no image; a label becomes one-hot over `one_of`.

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
