# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Versions of the software that makes a recording."""
from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree


def versions(prefixes: Sequence[Path]) -> dict[str, str]:
    """
    Return this package's version, of the ROS installation or else of the Python one.

    :param prefixes: installation prefixes, the first wins: AMENT_PREFIX_PATH
    """
    for prefix in prefixes:
        manifest = prefix / 'share' / 'active_collection' / 'package.xml'
        try:
            found = ElementTree.parse(manifest).findtext('version')  # noqa: S314 - our own file
        except (OSError, ElementTree.ParseError):
            continue
        if found:
            return {'active_collection': found}
    try:
        return {'active_collection': version('active-collection')}
    except PackageNotFoundError:
        return {'active_collection': 'unknown'}
