# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Export items: pictures, the map back to their messages, and the file of an annotation tool."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from pathlib import Path

from active_collection.annotation.annotations import check_label
from active_collection.annotation.chosen import ChosenEpisode
from active_collection.annotation.formats import FORMATS
from active_collection.annotation.items import IMAGES
from active_collection.annotation.items import Item
from active_collection.annotation.items import write_items
from active_collection.annotation.pictures import write_pictures
from active_collection.annotation.tabular import csv_text
from active_collection.errors import AnnotationError
from active_collection.files import make_directory
from active_collection.files import write_whole


@dataclass(frozen=True)
class ExportReport:
    """
    What was exported.

    :param items: how many
    :param file: the annotation tool's file
    :param missing: one line for each item whose picture cannot be had any more
    """

    items: int
    file: Path
    missing: tuple[str, ...]


#: Told (pictures done, of how many).
Progress = Callable[[int, int], None]


def export(items: Sequence[Item], directory: Path, form: str, *, classes: Sequence[str] = (),
           quality: int = 95, progress: Progress = lambda *_: None) -> ExportReport:
    """
    Export items for an annotation tool.

    Another format may be exported into the same directory; pictures that are there are kept.

    :param items: each with the file that its picture is to have, below 'images/'
    :param form: name of the format
    :param classes: names of what is to be annotated
    :raises ConfigError: where the format is unknown
    :raises AnnotationError: where there is nothing to export, or a class has no usable name
    :raises OSError: where the directory cannot be written
    """
    for name in classes:
        check_label(name, '--class')
    chosen = FORMATS.get(form)()
    make_directory(directory / IMAGES)
    missing: dict[str, str] = {}
    for number, (item, problem) in enumerate(
            write_pictures(items, directory, quality=quality), 1):
        if problem:
            missing[item.unit_id] = problem
        progress(number, len(items))
    kept = [replace(item, order=order) for order, item in enumerate(
        sorted((i for i in items if i.unit_id not in missing), key=lambda i: i.order))]
    if not kept:
        raise AnnotationError(directory, found=next(iter(missing.values()), 'no items'),
                              expected='at least one picture')
    write_items(directory, kept, classes)
    return ExportReport(len(kept), chosen.write(kept, directory, classes),
                        tuple(missing.values()))


def in_curriculum(episodes: Sequence[ChosenEpisode]) -> list[Item]:
    """Return the items of episodes in the episodes' order, each episode's by time."""
    items = [item for episode in episodes
             for item in sorted(episode.items, key=lambda i: (i.stamp_ns, i.order))]
    return [replace(item, order=order) for order, item in enumerate(items)]


def write_curriculum(path: Path, episodes: Sequence[ChosenEpisode]) -> None:
    """Write a CSV file of episodes in their order: rank, difficulty, where it is, what it is."""
    rows = [[rank, float(f'{episode.difficulty:.6g}'), episode.episode_id, episode.bag,
             episode.task, episode.items[0].outcome, len(episode.items)]
            for rank, episode in enumerate(episodes, 1)]
    write_whole(path, csv_text(
        ['rank', 'difficulty', 'episode_id', 'bag', 'task', 'outcome', 'units'], rows))
