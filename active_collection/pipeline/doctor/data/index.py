# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the pool that was made of the episodes can be used."""
from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from active_collection.errors import ActiveCollectionError
from active_collection.packages import how_to_install
from active_collection.pipeline.data_layout import POOL
from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import DataDirectory


class Index:
    """The pool beside the episodes, opened as every subcommand opens it."""

    def look(self, subject: DataDirectory) -> Iterable[Finding]:
        """Return one finding."""
        directory = subject.path / POOL
        if not directory.is_dir():
            return [skipped(f'no {directory}')]
        if find_spec('pyarrow') is None:
            return [skipped(f'{directory} is not opened: no pyarrow here',
                            remedy=how_to_install('selection'))]
        from active_collection.selection.pool import Pool

        try:
            pool = Pool.open(directory)
        except ActiveCollectionError as error:
            return [wrong(f'{error.where}: {error.found}', expected=error.expected,
                          remedy=f'active-collection index {subject.path} --pool {directory}')]
        return [ok(f'{directory}: {len(pool)} units')]
