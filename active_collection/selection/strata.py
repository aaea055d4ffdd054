# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What quotas tell units apart by: columns, factors of the scenario, tags of the episode."""
from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

import numpy as np

from active_collection.bags.episodes import read_record
from active_collection.errors import ActiveCollectionError
from active_collection.errors import SelectionError
from active_collection.files import parse_json
from active_collection.registry import unknown
from active_collection.selection.pool import Pool
from active_collection.selection.units import Indices

#: Strata that every pool has, and the columns that they are made of.
COLUMNS = {'bag': ('bag',), 'camera': ('bag', 'topic'), 'scenario': ('scenario',),
           'task': ('task',), 'environment': ('environment',), 'outcome': ('outcome',),
           'robot': ('robot',)}
#: 'factor.mug' is a factor of the object configuration, 'tag.grasp' a tag of the episode.
FACTOR, TAG = 'factor.', 'tag.'


def strata(pool: Pool, names: Iterable[str] = ()) -> dict[str, Indices]:
    """
    Return int64 codes (N,) by stratum: equal where the value is equal.

    :param names: what is wanted beside COLUMNS: factors and tags. Units without one share a code
    :raises ConfigError: where a name is none of COLUMNS, and neither factor nor tag of any unit
    """
    found = {name: pool.codes(*columns) for name, columns in COLUMNS.items()}
    for name in sorted({*names} - {*found}):
        if name.startswith(FACTOR):
            values = _of_text(pool, 'scenario', _configuration)
        elif name.startswith(TAG):
            values = _tags(pool)
        else:
            raise unknown('stratum', name, [*COLUMNS, f'{FACTOR}NAME', f'{TAG}NAME'])
        key = name.partition('.')[2]
        if not any(key in value for value in values):
            raise unknown('stratum', name, sorted(
                {name.partition('.')[0] + '.' + known for value in values for known in value}))
        texts = np.array([value.get(key, '') for value in values], dtype=object)
        found[name] = np.unique(texts.astype(str), return_inverse=True)[1].astype(np.int64)
    return found


def _of_text(pool: Pool, column: str, read: Callable[[str], Mapping[str, str]]
             ) -> list[Mapping[str, str]]:
    """Return what a reader makes of each unit's text; it sees each different text once."""
    texts = pool.texts(column)
    read_once = {text: read(text) for text in set(texts)}
    return [read_once[text] for text in texts]


def _configuration(scenario: str) -> dict[str, str]:
    try:
        values = parse_json(scenario)['configuration'] if scenario else {}
        return {str(key): json.dumps(value) for key, value in values.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SelectionError('index: scenario', found=scenario,
                             expected='JSON with a configuration') from error


def _tags(pool: Pool) -> list[Mapping[str, str]]:
    """Return the tags of each unit's episode: of the index where it has them, else of the bag."""
    if 'tags' in pool.units.column_names:
        return _of_text(pool, 'tags', _parsed)

    def of_bag(stored: str) -> dict[str, str]:
        path = pool.bag_path(stored)
        try:
            record = None if path.suffix == '.bag' else read_record(path)
        except ActiveCollectionError:
            record = None  # no record that can be read, no tags
        return dict(record.tags) if record else {}

    return _of_text(pool, 'bag', of_bag)


def _parsed(tags: str) -> dict[str, str]:
    try:
        return {str(key): str(value) for key, value in (parse_json(tags) if tags else {}).items()}
    except (ValueError, AttributeError) as error:
        raise SelectionError('index: tags', found=tags, expected='a JSON object') from error
