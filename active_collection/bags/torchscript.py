# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Read networks saved as TorchScript."""
from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from active_collection.errors import ConfigError

EXPECTED = 'a TorchScript file'


def load_network(path: Path, *, where: str, device: Any = 'cpu') -> Any:
    """
    Return a TorchScript network in evaluation mode; no Python that it may hold is run.

    Torch is imported here, so that what reads no network does not need it.

    :param where: what asks for it, for messages
    :param device: torch device that its parameters are put on
    :raises ConfigError: where the file is missing or no TorchScript
    """
    if not path.is_file():
        raise ConfigError(f'{where} {path}', found='no such file', expected=EXPECTED)
    torch: Any = importlib.import_module('torch')
    try:
        return torch.jit.load(str(path), map_location=device).eval()
    except Exception as error:  # torch raises whatever corrupt bytes make it raise
        raise ConfigError(f'{where} {path}', found=error, expected=EXPECTED) from error
