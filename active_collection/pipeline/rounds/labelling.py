# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Labels on their way from an annotation tool into a round."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from active_collection.annotation.annotations import by
from active_collection.annotation.annotations import check_annotator
from active_collection.annotation.annotations import without_repeats
from active_collection.annotation.ingest import ingest
from active_collection.annotation.ingest import write_rejected
from active_collection.annotation.items import read_items
from active_collection.errors import ActiveCollectionError
from active_collection.pipeline.rounds.content import label_rows
from active_collection.selection import labels
from active_collection.selection.rounds import Round


@dataclass(frozen=True)
class TakenIn:
    """
    What became of a file of labels.

    :param annotations: that are in; `labelled`: pictures that they are of, of all `items`
    :param repeats: annotations that were there twice
    :param disagreements: pictures on which annotators disagree
    :param path: the new version of the round's labels
    :param rejected: what is wrong with those that were left out, a line each, all of `rejects`
    """

    annotations: int
    labelled: int
    items: int
    repeats: int
    disagreements: int
    path: Path
    rejected: Sequence[ActiveCollectionError]
    rejects: Path


def take_in(opened: Round, file: Path, form: str, options: Mapping[str, str], *,
            exported: Path | None, annotator: str) -> TakenIn:
    """
    Add the labels of a file to a round; those that are wrong are left out and written beside.

    :param form: name of the annotation tool's format; `options`, the format's own
    :param exported: directory that the round was exported to; None: export/ in the round
    :param annotator: who made what does not say so itself; empty: nobody is named
    :raises ActiveCollectionError: where the file or what was exported cannot be read
    """
    check_annotator(annotator, '--annotator')
    items, classes = read_items(exported or opened.directory / 'export')
    read = ingest(file, form, items, classes, options)
    annotations = without_repeats(by(read.annotations, annotator))
    path = labels.add(opened.directory, label_rows(annotations))
    rejects = path.with_suffix('.rejected.csv')
    if read.rejected:
        write_rejected(rejects, read.rejected)
    return TakenIn(
        annotations=len(annotations), labelled=len({a.unit_id for a in annotations}),
        items=len(items), repeats=len(read.annotations) - len(annotations),
        disagreements=len(labels.disagreement(labels.read(path))), path=path,
        rejected=read.rejected, rejects=rejects)
