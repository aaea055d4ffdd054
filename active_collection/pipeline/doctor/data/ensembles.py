# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether the newest ensemble can be loaded."""
from __future__ import annotations

import time
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from active_collection.errors import ActiveCollectionError
from active_collection.packages import how_to_install
from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.subjects import DataDirectory
from active_collection.uncertainty.ensemble_directory import newest
from active_collection.uncertainty.ensemble_directory import read_description


class Ensembles:
    """The ensemble that the uncertainty node would take, loaded as it loads it."""

    def look(self, subject: DataDirectory) -> Iterable[Finding]:
        """Return one finding."""
        directory = subject.ensembles
        if directory is None:
            return [skipped('no directory of ensembles is configured')]
        if directory.exists() and not directory.is_dir():
            return [wrong(f'{directory} is a file', expected='a directory of ensembles',
                          remedy='set the parameter ensembles of the uncertainty node')]
        began = time.monotonic()
        path: Path | None = None
        try:
            path = newest(directory)
            if path is None:
                return [skipped(f'no ensemble in {directory} yet: nothing is scored')]
            description = read_description(path)
            if find_spec('torch') is None:
                return [skipped(f'{path} is not loaded: no torch here',
                                remedy=how_to_install('uncertainty'))]
            from active_collection.uncertainty.ensemble_files import load

            load(path)
        except ActiveCollectionError as error:
            return [wrong(f'{error.where}: {error.found}', expected=error.expected,
                          remedy=f'train anew, or put it away: mv {path} /tmp'
                          if path is not None else f'ls -ld {directory}')]
        return [ok(f'{path}: {description.members} members ({description.source}), '
                   f'{description.inputs} inputs, read in {time.monotonic() - began:.1f} s')]
