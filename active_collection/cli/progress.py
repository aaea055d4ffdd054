# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Progress bars of the command line, on standard error; silent where that is no terminal."""
from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

#: Told (done, of how many, what to say beside the bar).
Update = Callable[[int, int, str], None]


@contextmanager
def progress(title: str) -> Iterator[Update]:
    """Show a bar with time left while the block runs."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:  # a bar of rich 13.0 that is disabled still ends its line
        yield lambda done, total, note: None
        return
    from rich.progress import BarColumn
    from rich.progress import MofNCompleteColumn
    from rich.progress import Progress
    from rich.progress import TextColumn
    from rich.progress import TimeRemainingColumn

    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
               TimeRemainingColumn(), TextColumn('{task.fields[note]}', markup=False))
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=None, note='')
        yield lambda done, total, note: bar.update(
            task, completed=done, total=total, note=note)
