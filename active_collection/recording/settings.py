# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What can be set on a recorder: the parameters of the `recorder` node."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic import field_validator
from pydantic import model_validator

from active_collection.config import Model
from active_collection.recording.retention import RetentionRules

Compression = Literal['none', 'zstd', 'lz4']
MIB = 1024 * 1024
GIB = 1024 * MIB


class RecorderSettings(Model):
    """Settings of one recorder. Topic names without a leading slash are in its namespace."""

    auto_start: bool = Field(
        default=True, description='configure and activate by itself; false: a lifecycle manager '
        'does')
    data_directory: str = Field(
        default='~/active_collection', min_length=1, validate_default=True,
        description='directory that holds episodes/; made if missing')
    topics: tuple[str, ...] = Field(
        default=(), description='topics to record; with regex empty too: all of the namespace, '
        '/tf and /tf_static')
    regex: str = Field(
        default='', description='record topics whose full name it matches as a whole, too')
    exclude: tuple[str, ...] = Field(
        default=(r'.*/rosout', r'.*/parameter_events', r'.*/transition_event',
                 r'.*/recorder/status', r'.*/episodes'),
        description='regexes of full names that are never recorded, unless in topics')
    required_topics: tuple[str, ...] = Field(
        default=(), description='recorded topics without which no episode starts')
    expected_rates: tuple[str, ...] = Field(
        default=(), description="rates that topics should keep, each 'topic=Hz'; others are "
        'learned')
    qos_overrides: str = Field(
        default='', description="YAML file of requests to make whatever publishers offer, as "
        "rosbag2's; empty: none")
    match_timeout_s: float = Field(
        default=3.0, ge=0, le=60, description='wait this long for required topics (s)')
    discovery_period_s: float = Field(
        default=0.25, gt=0, le=10, description='look for new topics and publishers (s)')
    receive_period_s: float = Field(
        default=0.005, gt=0, le=0.1, description='take messages from the middleware (s)')
    history_depth: int = Field(
        default=500, ge=1, le=100_000,
        description='messages a topic that may wait in the middleware between two takes')
    history_bytes: int = Field(
        default=16 * MIB, ge=MIB, description='bound on those messages (bytes a topic): of large '
        'ones fewer may wait, by the largest seen, but at least four')
    latched_depth: int = Field(
        default=1, ge=1, le=1000,
        description='newest messages of a transient_local publisher that open each episode')
    latched_bytes: int = Field(
        default=64 * MIB, ge=MIB, description='bound on latched messages kept (bytes)')
    pre_roll_s: float = Field(
        default=0.0, ge=0, le=60,
        description='put so much of the time before the start into the episode (s)')
    pre_roll_bytes: int = Field(
        default=48 * MIB, ge=0,
        description='bound on messages kept for that, or in front of high uncertainty (bytes)')
    policy_parts: Literal['all', 'uncertain'] = Field(
        default='all', description='parts of episodes that a policy acts out: all, or only those '
        'of high uncertainty; latched topics and the events are always kept')
    uncertain_before_s: float = Field(
        default=3.0, ge=0, le=60, description='keep so much in front of high uncertainty (s)')
    uncertain_after_s: float = Field(
        default=2.0, ge=0, le=600, description='keep so much behind it (s)')
    queue_bytes: int = Field(
        default=96 * MIB, ge=MIB, description='bound of the queue to the writer (bytes)')
    queue_messages: int = Field(
        default=100_000, ge=100, description='bound of the queue to the writer (messages)')
    chunk_bytes: int = Field(
        default=MIB, ge=1024, le=GIB, description='size at which a chunk is closed (bytes)')
    compression: Compression = Field(
        default='none', description='of chunks: none, zstd or lz4')
    topic_compression: tuple[str, ...] = Field(
        default=(), description="exceptions, each 'regex=compression'; the first match holds")
    durable_age_s: float = Field(
        default=1.0, ge=0.05, le=60, description='age at which messages are on the disk (s)')
    sync: Literal['age', 'close'] = Field(
        default='age', description='force to disk at that age (outlives power loss), or only at '
        'the end (outlives the death of the process)')
    maximum_duration_s: float = Field(
        default=3600.0, gt=0, description='longest episode (s)')
    split_bytes: int = Field(
        default=0, ge=0, description='start another file of the bag at this size (bytes); 0: off')
    split_duration_s: float = Field(
        default=0.0, ge=0, description='start another file after this time (s); 0: off')
    disk_reserve_bytes: int = Field(
        default=2 * GIB, ge=0, description='free space that is never used (bytes)')
    close_timeout_s: float = Field(
        default=4.0, gt=0, le=60,
        description='at shutdown, leave an episode to salvage that is not closed after this (s)')
    salvage_at_start: bool = Field(
        default=True, description='finish episodes whose recorder died')
    retention: RetentionRules = RetentionRules()
    uncertainty_topic: str = Field(
        default='uncertainty/estimate',
        description='UncertaintyEstimate whose summary goes into the record; empty: none')
    high_uncertainty_topic: str = Field(
        default='uncertainty/high_uncertainty',
        description='HighUncertainty events, recorded whatever topics are chosen; empty: none')

    @field_validator(
        'topics', 'exclude', 'required_topics', 'topic_compression', 'expected_rates')
    @classmethod
    def _drop_empty(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        # A ROS parameter file has no empty list of text: [""] stands for one.
        return tuple(entry for entry in entries if entry)

    @field_validator('data_directory')
    @classmethod
    def _expand(cls, path: str) -> str:
        if '\0' in path:
            raise ValueError('a path without NUL')
        return str(Path(path).expanduser())

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
            raise ValueError("'pre_roll_bytes' at most half of 'queue_bytes', through which it "
                             'goes at once')
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
