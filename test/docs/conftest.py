# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='session')
def tables() -> ModuleType:
    """docs/tables.py, which `make docs` runs."""
    specification = importlib.util.spec_from_file_location('tables', ROOT / 'docs' / 'tables.py')
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
