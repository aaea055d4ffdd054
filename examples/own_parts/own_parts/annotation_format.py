# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""An annotation format: a text file with a picture and its label a line."""
from collections.abc import Sequence
from pathlib import Path

from active_collection.annotation.annotations import Annotation
from active_collection.annotation.annotations import check
from active_collection.annotation.items import Item
from active_collection.annotation.reading import Reject
from active_collection.annotation.reading import by_unit
from active_collection.annotation.reading import entry
from active_collection.annotation.reading import refuse
from active_collection.annotation.reading import text_of
from active_collection.files import write_whole


class Lines:
    """A unit's id, a tab and its label; lines without a label wait for an annotator."""

    file = 'labels.txt'

    def write(self, items: Sequence[Item], directory: Path, classes: Sequence[str],
              annotations: Sequence[Annotation] = ()) -> Path:
        """Write labels.txt; one line an item and label."""
        path = directory / self.file
        labels = {item.unit_id: [a.label for a in annotations if a.unit_id == item.unit_id]
                  for item in items}
        write_whole(path, ''.join(f'{unit}\t{label}\n' for unit, found in labels.items()
                                  for label in found or ['']))
        return path

    def read(self, path: Path, items: Sequence[Item], classes: Sequence[str],
             reject: Reject = refuse) -> list[Annotation]:
        """Read what annotators wrote; a line that is wrong is told to `reject` with its place."""
        units = by_unit(items)
        found = []
        for number, line in enumerate(text_of(path).splitlines(), 1):
            where = f'{path}:{number}'
            with entry(where, 'a unit, a tab and a label', reject):
                unit, label = line.split('\t')
                if label:
                    found.append(check(Annotation(unit, label), units, where, classes))
        return found
