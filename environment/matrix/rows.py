# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What is tried: a Python and the libraries beside it, row by row."""
from __future__ import annotations

from dataclasses import dataclass

#: All of setup.cfg's groups but timm, which wants torchvision.
GROUPS = ('server', 'video', 'onnx', 'transformers', 'ray', 's3', 'sftp', 'postgresql')
#: One exact version of each, which wants a newer numpy than the oldest that we take.
SIMULATION = 'simulation'
#: What the tests take beside the package; some of them build and install it.
TESTS = ('pytest', 'pytest-timeout', 'hypothesis', 'psutil', 'pip', 'setuptools')
#: What some tests take beside it, and does not go with the oldest libraries.
MORE_TESTS = ('moto[server]', 'asyncssh', 'onnx')
#: What the table shows of each row.
SHOWN = ('numpy', 'scipy', 'opencv-python-headless', 'pyyaml', 'pyarrow', 'pydantic', 'rosbags',
         'torch')


@dataclass(frozen=True)
class Row:
    """
    A Python and how the libraries beside it are chosen.

    :param python: 'major.minor'
    :param distribution: codename whose constraints hold; empty for none
    :param oldest: whether each library is the oldest that setup.cfg allows, else the newest
    """

    name: str
    title: str
    python: str
    distribution: str = ''
    oldest: bool = False


ROWS = (
    Row('jammy', 'Ubuntu 22.04 (Humble)', '3.10', distribution='jammy'),
    Row('noble', 'Ubuntu 24.04 (Jazzy, Kilted)', '3.12', distribution='noble'),
    Row('bookworm', 'Debian 12', '3.11', distribution='bookworm'),
    Row('oldest', 'the oldest of every range', '3.10', oldest=True),
    *(Row(f'newest-{python}', 'the newest of everything', python)
      for python in ('3.10', '3.11', '3.12', '3.13')),
)
