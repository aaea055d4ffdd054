# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""CSV that a spreadsheet opens without running any of it."""
from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from collections.abc import Sequence

#: A spreadsheet runs a cell that begins with one of these (OWASP, CSV injection).
_FORMULA = ('=', '+', '-', '@', '\t', '\r')


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a CSV file; texts that a spreadsheet would run begin with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(header)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def harmless(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: numbers as they are."""
    if isinstance(value, str) and value.startswith((*_FORMULA, "'")):
        return f"'{value}"
    return value


def plain(cell: str) -> str:
    """Return the text that `harmless` made a cell of."""
    return cell[1:] if cell.startswith("'") else cell
