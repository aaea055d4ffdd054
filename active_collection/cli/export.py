# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Export a round for an annotation tool: pictures and the tool's file.

Beside them lies items.json, the map from each picture back to its bag, topic and time.
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

NAME = 'export'
HELP = 'export the selected frames for an annotation tool'

_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--round', required=True, type=Path, metavar='ROUND_DIR',
                        help='what `select` wrote')
    parser.add_argument('--format', default='coco',
                        help='of the annotation tool (default: %(default)s)')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        help='where to (default: export/ in the round)')
    parser.add_argument('--images', default='jpg', choices=['jpg', 'png'],
                        help='kind of the pictures (default: %(default)s)')
    parser.add_argument('--quality', default=95, type=int,
                        help='of JPEG, 1 to 100 (default: %(default)s)')
    parser.add_argument('--class', action='append', default=[], dest='classes', metavar='NAME',
                        help='what is to be annotated, may be given again')


def run(arguments: argparse.Namespace) -> int:
    """Export, and print where the files lie."""
    from active_collection.annotation.export import export
    from active_collection.cli.progress import progress
    from active_collection.cli.rounds import items_of
    from active_collection.errors import ConfigError
    from active_collection.selection.rounds import Round

    if not 1 <= arguments.quality <= 100:
        raise ConfigError('--quality', found=arguments.quality, expected='1 to 100')
    opened = Round.open(arguments.round)
    directory = arguments.out or opened.directory / 'export'
    items = items_of(opened, arguments.images)
    with progress('exporting pictures') as update:
        report = export(items, directory, arguments.format, classes=arguments.classes,
                        quality=arguments.quality,
                        progress=lambda done, total: update(done, total, ''))
    for line in report.missing[:_SHOWN]:
        print(f'active-collection: left out: {line}', file=sys.stderr)
    print(f'{report.items} pictures in {directory / "images"}, {len(report.missing)} left out; '
          f'{report.file}')
    return 0
