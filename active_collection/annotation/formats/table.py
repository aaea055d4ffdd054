"""A CSV table of items: for spreadsheets and scripts."""
from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import fields
from pathlib import Path

from active_collection.annotation.items import Item
from active_collection.files import write_whole

FILE = 'items.csv'
COLUMNS = [field.name for field in fields(Item)]

#: A spreadsheet runs a cell that begins with one of these (OWASP, CSV injection).
_FORMULA = ('=', '+', '-', '@', '\t', '\r')


class Csv:
    """One row an item, with a column for its label, which an annotator fills in."""

    def write(self, items: Sequence[Item], directory: Path, classes: Sequence[str]) -> Path:
        """Write items.csv; `classes` are not in it."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator='\n')
        writer.writerow([*COLUMNS, 'label'])
        for item in items:
            writer.writerow([*map(harmless, asdict(item).values()), ''])
        path = directory / FILE
        write_whole(path, text.getvalue())
        return path


def harmless(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: numbers as they are."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
