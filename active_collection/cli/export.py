# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Export a round: for an annotation tool, or its episodes and moments whole.

Annotation formats write pictures and the tool's file, and beside them items.json, the map from
each picture back to its bag, topic and time. `lerobot` writes the episodes that the round chose
from as a LeRobot dataset v3.0; `mcap` the chosen moments with all their messages, for Foxglove.
"""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from active_collection.cli.data_directory import add_data
from active_collection.cli.data_directory import add_round
from active_collection.cli.data_directory import round_of
from active_collection.cli.options import path

if TYPE_CHECKING:
    from active_collection.annotation.items import Item
    from active_collection.selection.rounds import Round

NAME = 'export'
HELP = 'export a round for an annotation tool, LeRobot or Foxglove'

_SHOWN = 5
CURRICULUM = 'curriculum.csv'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_round(parser)
    add_data(parser)
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare how a round is exported, whichever it is."""
    parser.add_argument('--format', default='coco',
                        help='coco, csv, cvat, parquet, label_studio, yolo, fiftyone, one of your '
                             'own; or lerobot, mcap (default: %(default)s)')
    parser.add_argument('--out', type=path, metavar='DIR',
                        help='where to (default: export/, lerobot/ or moments.mcap in the round)')
    parser.add_argument('--images', default='jpg', choices=['jpg', 'png'],
                        help='kind of the pictures (default: %(default)s)')
    parser.add_argument('--quality', default=95, type=int,
                        help='of JPEG, 1 to 100 (default: %(default)s)')
    parser.add_argument('--class', action='append', default=[], dest='classes', metavar='NAME',
                        help='what is to be annotated, may be given again')
    parser.add_argument('--order', default='selection', choices=['selection', 'curriculum'],
                        help='as selected, or episodes from easy to hard by the mean uncertainty '
                             'of the ensemble (default: %(default)s)')
    lerobot = parser.add_argument_group('lerobot')
    lerobot.add_argument('--observation', type=path, metavar='FILE',
                         help='YAML that says which fields are state and action')
    lerobot.add_argument('--fps', type=int, default=10,
                         help='rows and pictures a second (default: %(default)s)')
    lerobot.add_argument('--camera', action='append', default=[], metavar='NAME=TOPIC',
                         help='an image topic; relative to the robot (default: those of the '
                              'chosen units)')
    moments = parser.add_argument_group('mcap')
    moments.add_argument('--window', type=float, default=1.0, metavar='SECONDS',
                         help='messages before and after each moment (default: %(default)s)')


def run(arguments: argparse.Namespace) -> int:
    """Export, and print where the files lie."""
    from active_collection.annotation.formats import FORMATS
    from active_collection.pipeline.rounds.content import items_of
    from active_collection.registry import unknown
    from active_collection.selection.rounds import Round
    steps = {'lerobot': _lerobot, 'mcap': _moments}
    known = [*FORMATS.names(), *steps]
    if arguments.format not in known:
        raise unknown('--format', arguments.format, known)
    step = steps.get(arguments.format, _annotations)
    opened = Round.open(round_of(arguments))
    return step(arguments, opened, items_of(opened, arguments.images))


def _annotations(arguments: argparse.Namespace, opened: Round, items: list[Item]) -> int:
    from active_collection.annotation.export import export
    from active_collection.annotation.export import in_curriculum
    from active_collection.annotation.export import write_curriculum
    from active_collection.cli.progress import progress
    from active_collection.errors import ConfigError
    from active_collection.pipeline.rounds.content import episodes_of

    if not 1 <= arguments.quality <= 100:
        raise ConfigError('--quality', found=arguments.quality, expected='1 to 100')
    directory = arguments.out or opened.directory / 'export'
    episodes = episodes_of(opened, items, arguments.order)
    if arguments.order == 'curriculum':
        items = in_curriculum(episodes)
    with progress('exporting pictures') as update:
        report = export(items, directory, arguments.format, classes=arguments.classes,
                        quality=arguments.quality,
                        progress=lambda done, total: update(done, total, ''))
    if arguments.order == 'curriculum':
        write_curriculum(directory / CURRICULUM, episodes)
    _tell(report.missing)
    print(f'{report.items} pictures in {directory / "images"}, {len(report.missing)} left out; '
          f'{report.file}')
    return 0


def _lerobot(arguments: argparse.Namespace, opened: Round, items: list[Item]) -> int:
    from active_collection.annotation.lerobot.dataset import Settings
    from active_collection.annotation.lerobot.dataset import write_dataset
    from active_collection.bags.observation import ObservationSpec
    from active_collection.cli.options import key_values
    from active_collection.cli.progress import progress
    from active_collection.config import load
    from active_collection.errors import ConfigError
    from active_collection.names import check_name
    from active_collection.pipeline.rounds.content import cameras_of
    from active_collection.pipeline.rounds.content import episodes_of

    if arguments.observation is None:
        raise ConfigError('--observation', found='nothing', expected='a YAML file that says which '
                          'fields are state and action, for format lerobot')
    cameras = key_values(arguments.camera, '--camera') or cameras_of(items)
    for name in cameras:
        check_name(name, '--camera')
    directory = arguments.out or opened.directory / 'lerobot'
    settings = Settings(load(arguments.observation, ObservationSpec), arguments.fps, cameras)
    with progress('exporting episodes') as update:
        written = write_dataset(episodes_of(opened, items, arguments.order), directory, settings,
                                lambda done, total: update(done, total, ''))
    _tell(written.missing)
    print(f'{written.episodes} episodes of {written.frames} frames in {directory}, '
          f'{len(written.missing)} left out')
    return 0


def _moments(arguments: argparse.Namespace, opened: Round, items: list[Item]) -> int:
    from active_collection.annotation.moments import write_moments
    from active_collection.cli.options import positive
    from active_collection.cli.progress import progress
    from active_collection.pipeline.rounds.content import annotations_of

    path = arguments.out or opened.directory / 'moments.mcap'
    window = positive(arguments.window, '--window', zero=True)
    with progress('exporting moments') as update:
        written = write_moments(items, path, window_s=window,
                                annotations=annotations_of(opened),
                                progress=lambda done, total: update(done, total, ''))
    _tell(written.missing)
    print(f'{written.moments} moments, {written.messages} messages, in {path}; '
          f'{len(written.missing)} left out')
    return 0


def _tell(missing: Sequence[str]) -> None:
    for line in missing[:_SHOWN]:
        print(f'active-collection: left out: {line}', file=sys.stderr)
    if len(missing) > _SHOWN:
        print(f'active-collection: left out: {len(missing) - _SHOWN} more', file=sys.stderr)
