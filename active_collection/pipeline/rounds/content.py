# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Turn the picks of a round into what the annotation package exports."""
from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from active_collection.annotation import chosen
from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import Box
from active_collection.annotation.chosen import ChosenEpisode
from active_collection.annotation.items import IMAGES
from active_collection.annotation.items import Item
from active_collection.bags.reader import open_bag
from active_collection.names import namespace_of
from active_collection.selection import labels
from active_collection.selection.curriculum import difficulties
from active_collection.selection.pool import Pool
from active_collection.selection.rounds import Round

#: Columns of a round that an item takes as they are.
_SAME = ('unit_id', 'order', 'topic', 'receive_ns', 'sequence', 'stamp_ns', 'width', 'height',
         'score', 'reason', 'strategy', 'scenario', 'episode_id', 'task', 'environment', 'outcome')


def items_of(opened: Round, kind: str) -> list[Item]:
    """
    Return the items of a round, with the paths that its bags have by now.

    :param kind: of the pictures, 'jpg' or 'png'
    :raises SelectionError: where the round's pool is gone
    """
    pool = Pool.open(opened.pool)
    # A bag that was moved has another path in the pool by now than in the round.
    current = dict(zip(pool.texts('unit_id'), pool.texts('bag'), strict=True))
    return [
        Item(file=f'{IMAGES}/{row["unit_id"]}.{kind}',
             bag=str(pool.bag_path(current.get(row['unit_id'], row['bag']))),
             **{name: row[name] for name in _SAME})
        for row in opened.picks.to_pylist()]


def episodes_of(opened: Round, items: Sequence[Item], order: str) -> list[ChosenEpisode]:
    """
    Return the episodes of a round's items, with their difficulty.

    :param order: 'selection' as they were first chosen, 'curriculum' from easy to hard
    :raises AnnotationError: where a curriculum is wanted and a difficulty is not known
    """
    known = difficulties(Pool.open(opened.pool), [item.unit_id for item in items])
    episodes = chosen.episodes_of(items, known)
    return chosen.easy_to_hard(episodes) if order == 'curriculum' else episodes


def cameras_of(items: Sequence[Item]) -> dict[str, str]:
    """
    Return a name for each image topic of items, to the topic without its robot.

    '/arm_1/camera/image_raw' of robot arm_1 is 'camera': one camera in all robots' bags.
    """
    found: dict[str, str] = {}
    namespaces: dict[str, str] = {}
    for item in items:
        if item.bag not in namespaces:
            with open_bag(item.bag) as bag:
                namespaces[item.bag] = namespace_of(bag.episode.robot if bag.episode else '')
        whole = f'/{item.topic.strip("/")}'
        topic = whole.removeprefix(f'{namespaces[item.bag]}/').strip('/')
        parts = [p for p in topic.split('/') if p not in {'image_raw', 'image', 'compressed'}]
        found.setdefault('_'.join(parts) or 'camera', topic)
    return found


def annotations_of(opened: Round) -> list[Annotation]:
    """
    Return a round's newest labels as annotations.

    :raises SelectionError: where they cannot be read
    """
    return [Annotation(row['unit_id'], row['label'], row['annotator'],
                       None if math.isnan(row['box_x']) else Box(
                           row['box_x'], row['box_y'], row['box_width'], row['box_height']))
            for row in labels.newest(opened.directory)]


def labels_of(rounds: Sequence[Path]) -> dict[str, str]:
    """
    Return the majority's label of each labelled unit of rounds; a later round's counts.

    Labels of held-out rounds are not in it.

    :raises SelectionError: where labels cannot be read
    """
    return _labels_of(rounds, held_out=False)


def held_out_of(rounds: Sequence[Path]) -> dict[str, str]:
    """
    Return the same of held-out rounds.

    :raises SelectionError: where labels cannot be read
    """
    return _labels_of(rounds, held_out=True)


def _labels_of(rounds: Sequence[Path], *, held_out: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for directory in rounds:
        if Round.open(directory).is_held_out == held_out:
            found.update(labels.majority(labels.newest(directory)))
    return found


def label_rows(annotations: Sequence[Annotation]) -> list[dict[str, str | float]]:
    """Return annotations as rows of a round's labels; NaN where there is no box."""
    rows: list[dict[str, str | float]] = []
    for a in annotations:
        edges = (math.nan,) * 4
        if a.box is not None:
            edges = (a.box.x, a.box.y, a.box.width, a.box.height)
        rows.append({'unit_id': a.unit_id, 'label': a.label, 'annotator': a.annotator,
                     **dict(zip(('box_x', 'box_y', 'box_width', 'box_height'), edges,
                                strict=True))})
    return rows
