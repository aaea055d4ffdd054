# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What can be set on a recorder: the parameters of the `recorder` node."""
from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator
from pydantic import model_validator

from active_collection.config import Model
from active_collection.config import PlacedError
from active_collection.files import expanded
from active_collection.setting import Changes
from active_collection.setting import setting

Compression = Literal['none', 'zstd', 'lz4']
MIB = 1024 * 1024
GIB = 1024 * MIB


class RetentionRules(Model):
    """What is removed, and what never is. Without a limit, nothing is removed."""

    outcomes: tuple[Literal['success', 'failure', 'aborted', 'discarded', 'unknown'], ...] = (
        setting(('discarded', 'aborted'), changes=Changes.AT_ONCE,
                description='only episodes with these outcomes are ever removed'))
    maximum_age_days: float = setting(
        0.0, ge=0, unit='days', changes=Changes.AT_ONCE,
        description='remove older ones; 0: no limit')
    maximum_episodes: int = setting(
        0, ge=0, changes=Changes.AT_ONCE,
        description='remove the oldest while there are more in all; 0: no limit')
    maximum_bytes: int = setting(
        0, ge=0, unit='bytes', changes=Changes.AT_ONCE,
        description='remove the oldest while all take more; 0: no limit')
    only_synced: bool = setting(
        True, changes=Changes.AT_ONCE,
        description='never remove one that is not confirmed to be in the store')

    @property
    def has_limit(self) -> bool:
        """Tell whether anything can ever be removed."""
        return bool(self.outcomes and (
            self.maximum_age_days or self.maximum_episodes or self.maximum_bytes))


class RecorderSettings(Model):
    """Settings of one recorder. Topic names without a leading slash are in its namespace."""

    auto_start: bool = setting(
        True, description='configure and activate by itself; false: a lifecycle manager does')
    data_directory: str = setting(
        '~/active_collection', min_length=1, validate_default=True, changes=Changes.CONFIGURING,
        description='directory that holds episodes/; made if missing')
    topics: tuple[str, ...] = setting(
        (), changes=Changes.NEXT_EPISODE,
        description='topics to record; with regex empty too: all of the namespace, /tf and '
        '/tf_static')
    regex: str = setting(
        '', changes=Changes.NEXT_EPISODE,
        description='record topics whose full name it matches as a whole, too')
    exclude: tuple[str, ...] = setting(
        (r'.*/rosout', r'.*/parameter_events', r'.*/transition_event', r'.*/recorder/status',
         r'.*/episodes'), changes=Changes.NEXT_EPISODE,
        description='regexes of full names that are never recorded, unless in topics')
    required_topics: tuple[str, ...] = setting(
        (), changes=Changes.NEXT_EPISODE,
        description='recorded topics without which no episode starts')
    expected_rates: tuple[str, ...] = setting(
        (), changes=Changes.AT_ONCE,
        description="rates that topics should keep, each 'topic=Hz'; others are learned, but "
        'those of latched topics')
    qos_overrides: str = setting(
        '', changes=Changes.CONFIGURING,
        description="YAML file of requests to make whatever publishers offer, as rosbag2's; "
        'empty: none')
    match_timeout_s: float = setting(
        3.0, ge=0, le=60, unit='s', changes=Changes.AT_ONCE,
        description='wait this long for required topics')
    discovery_period_s: float = setting(
        0.25, gt=0, le=10, unit='s', changes=Changes.CONFIGURING,
        description='look for new topics and publishers')
    receive_period_s: float = setting(
        0.005, gt=0, le=0.1, unit='s', changes=Changes.CONFIGURING,
        description='take messages from the middleware')
    history_depth: int = setting(
        500, ge=1, le=100_000, changes=Changes.CONFIGURING,
        description='messages a topic that may wait in the middleware between two takes')
    history_bytes: int = setting(
        16 * MIB, ge=MIB, unit='bytes', changes=Changes.CONFIGURING,
        description='bound on those messages, a topic: of large ones fewer may wait, by the '
        'largest seen, but at least four')
    latched_depth: int = setting(
        1, ge=1, le=1000, changes=Changes.CONFIGURING,
        description='newest messages of a transient_local publisher that open each episode')
    latched_bytes: int = setting(
        64 * MIB, ge=MIB, unit='bytes', changes=Changes.CONFIGURING,
        description='bound on latched messages kept')
    pre_roll_s: float = setting(
        0.0, ge=0, le=60, unit='s', changes=Changes.NEXT_EPISODE,
        description='put so much of the time before the start into the episode')
    pre_roll_bytes: int = setting(
        48 * MIB, ge=0, unit='bytes', changes=Changes.NEXT_EPISODE,
        description='bound on messages kept for that, or in front of high uncertainty')
    policy_parts: Literal['all', 'uncertain'] = setting(
        'all', changes=Changes.NEXT_EPISODE,
        description='parts of episodes that a policy acts out: all, or only those of high '
        'uncertainty; latched topics and the events are always kept')
    uncertain_before_s: float = setting(
        3.0, ge=0, le=60, unit='s', changes=Changes.NEXT_EPISODE,
        description='keep so much in front of high uncertainty')
    uncertain_after_s: float = setting(
        2.0, ge=0, le=600, unit='s', changes=Changes.NEXT_EPISODE,
        description='keep so much behind it')
    queue_bytes: int = setting(
        96 * MIB, ge=MIB, unit='bytes', changes=Changes.NEXT_EPISODE,
        description='bound of the queue to the writer')
    queue_messages: int = setting(
        100_000, ge=100, unit='messages', changes=Changes.NEXT_EPISODE,
        description='bound of the queue to the writer')
    chunk_bytes: int = setting(
        MIB, ge=1024, le=GIB, unit='bytes', changes=Changes.NEXT_EPISODE,
        description='size at which a chunk is closed')
    compression: Compression = setting(
        'none', changes=Changes.NEXT_EPISODE, description='of chunks')
    topic_compression: tuple[str, ...] = setting(
        (), changes=Changes.NEXT_EPISODE,
        description="exceptions, each 'regex=compression'; the first match holds")
    durable_age_s: float = setting(
        1.0, ge=0.05, le=60, unit='s', changes=Changes.NEXT_EPISODE,
        description='age at which messages are on the disk')
    sync: Literal['age', 'close'] = setting(
        'age', changes=Changes.NEXT_EPISODE,
        description='force to disk at that age (outlives power loss), or only at the end '
        '(outlives the death of the process)')
    maximum_duration_s: float = setting(
        3600.0, gt=0, unit='s', changes=Changes.NEXT_EPISODE, description='longest episode')
    split_bytes: int = setting(
        0, ge=0, unit='bytes', changes=Changes.NEXT_EPISODE,
        description='start another file of the bag at this size, beside the latched messages '
        'that begin each; 0: off')
    split_duration_s: float = setting(
        0.0, ge=0, unit='s', changes=Changes.NEXT_EPISODE,
        description='start another file after this time; 0: off')
    disk_reserve_bytes: int = setting(
        2 * GIB, ge=0, unit='bytes', changes=Changes.AT_ONCE,
        description='free space that is never used')
    close_timeout_s: float = setting(
        4.0, gt=0, le=60, unit='s', changes=Changes.AT_ONCE,
        description='at shutdown, leave an episode to salvage that is not closed after this')
    salvage_at_start: bool = setting(
        True, changes=Changes.CONFIGURING, description='finish episodes whose recorder died')
    retention: RetentionRules = RetentionRules()
    uncertainty_topic: str = setting(
        'uncertainty/estimate', changes=Changes.CONFIGURING,
        description='UncertaintyEstimate whose summary goes into the record; empty: none')
    high_uncertainty_topic: str = setting(
        'uncertainty/high_uncertainty', changes=Changes.CONFIGURING,
        description='HighUncertainty events, recorded whatever topics are chosen; empty: none')
    actor_topic: str = setting(
        'actor', changes=Changes.CONFIGURING,
        description='Actor, who acts; recorded whatever topics are chosen; empty: none')

    @field_validator(
        'topics', 'exclude', 'required_topics', 'topic_compression', 'expected_rates')
    @classmethod
    def _drop_empty(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        # A ROS parameter file has no empty list of text: [""] stands for one.
        return tuple(entry for entry in entries if entry)

    @field_validator('data_directory', 'qos_overrides')
    @classmethod
    def _expand(cls, path: str) -> str:
        if '\0' in path:
            raise ValueError('a path without NUL')
        return str(expanded(path)) if path else ''

    @field_validator('regex')
    @classmethod
    def _regex_compiles(cls, regex: str) -> str:
        return _checked_regex(regex)

    @field_validator('exclude')
    @classmethod
    def _regexes_compile(cls, regexes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_checked_regex(regex) for regex in regexes)

    @field_validator('topic_compression')
    @classmethod
    def _rules_parse(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        for rule in rules:
            regex, _, compression = rule.rpartition('=')
            if not regex or compression not in {'none', 'zstd', 'lz4'}:
                raise ValueError("'regex=none', 'regex=zstd' or 'regex=lz4' each")
            _checked_regex(regex)
        return rules

    @field_validator('expected_rates')
    @classmethod
    def _rates_parse(cls, rates: tuple[str, ...]) -> tuple[str, ...]:
        for rate in rates:
            topic, _, hertz = rate.rpartition('=')
            try:
                valid = bool(topic) and float(hertz) > 0
            except ValueError:
                valid = False
            if not valid:
                raise ValueError("'topic=Hz' each, above 0")
        return rates

    @model_validator(mode='after')
    def _pre_roll_fits_the_queue(self) -> RecorderSettings:
        held = self.pre_roll_s or self.policy_parts == 'uncertain'
        if held and 2 * self.pre_roll_bytes > self.queue_bytes:
            raise PlacedError(
                ('pre_roll_bytes',), found=self.pre_roll_bytes,
                expected=f'at most half of queue_bytes, {self.queue_bytes}, through which it goes '
                'at once')
        return self

    def compression_of(self, topic: str) -> str:
        """Return how a topic's chunks are compressed: 'zstd', 'lz4' or '' for not."""
        for rule in self.topic_compression:
            regex, _, compression = rule.rpartition('=')
            if re.fullmatch(regex, topic):
                return '' if compression == 'none' else compression
        return '' if self.compression == 'none' else self.compression


def _checked_regex(regex: str) -> str:
    try:
        re.compile(regex)
    except re.error as error:
        raise ValueError(f'a regular expression ({error})') from error
    return regex
