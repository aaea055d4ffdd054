# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Find what is wrong on a new robot: one line a finding, each with what to do.

Without --robot, this machine and its data directory are looked at, with or without ROS; with it,
the robot's nodes and topics too: they are listened to for some seconds as its recorder would.
Nothing is changed. Exit status 1 where anything is wrong, 0 where there are but warnings.
"""
from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from typing import TYPE_CHECKING

from active_collection.cli.options import path

if TYPE_CHECKING:
    from active_collection.pipeline.doctor.checks import Result

NAME = 'doctor'
HELP = 'find what is wrong on a new robot, and say what to do'

#: What listening takes beside itself at least, and how long all may take in general (s).
LEAST_MORE_S, LIMIT_S = 12.0, 25.0
#: And how long it may in any case (s).
MOST_S = 3600.0
STYLES = {'ok': 'green', 'warning': 'yellow', 'wrong': 'bold red', 'skipped': 'dim'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this subcommand's arguments."""
    parser.add_argument('--robot', metavar='ROBOT',
                        help='look at this robot, too: its name or its namespace, arm_1 or '
                        'cell_3/arm_1')
    parser.add_argument('--data', type=path, metavar='DIR', help='data directory (default: that '
                        'of the recorder, or ~/active_collection)')
    parser.add_argument('--space', type=path, metavar='FILE', help='scenario space (default: '
                        'that of the scheduler)')
    parser.add_argument('--params', type=path, nargs='+', default=[], metavar='FILE',
                        help='parameter files of nodes that do not run yet')
    parser.add_argument('--seconds', type=float, default=3.0, metavar='S',
                        help='how long to listen to topics (default: 3)')
    parser.add_argument('--limit', type=float, metavar='S', help='how long all may take '
                        f'(default: {LIMIT_S:g}, or --seconds and {LEAST_MORE_S:g} more)')
    parser.add_argument('--quiet', action='store_true',
                        help='leave out what is ok and what was skipped')
    parser.add_argument('--json', action='store_true', help='one JSON object a line')


def run(arguments: argparse.Namespace) -> int:
    """Report, and return 1 where anything is wrong."""
    from active_collection.cli.options import positive
    from active_collection.errors import ConfigError
    from active_collection.names import namespace_meant
    from active_collection.pipeline.doctor.examination import Examination
    from active_collection.pipeline.doctor.finding import Verdict
    from active_collection.pipeline.doctor.finding import exit_status
    from active_collection.pipeline.doctor.subjects import Machine

    robot = '' if arguments.robot is None else namespace_meant(arguments.robot, '--robot')
    for file in (*arguments.params, *([arguments.space] if arguments.space else [])):
        if not file.is_file():
            found = 'something else than a file' if file.exists() else 'no such file'
            raise ConfigError(file, found=found, expected='a YAML file')
    seconds = positive(arguments.seconds, '--seconds')
    least = seconds + LEAST_MORE_S
    limit_s = (max(LIMIT_S, least) if arguments.limit is None
               else positive(arguments.limit, '--limit'))
    if seconds < 1 or limit_s < least or limit_s > MOST_S:
        raise ConfigError('--seconds, --limit', found=f'{seconds:g}, {limit_s:g}',
                          expected=f'at least 1, and {LEAST_MORE_S:g} more, at most {MOST_S:g}')
    results = Examination(
        Machine(os.environ, robot=robot), data=arguments.data, space=arguments.space,
        files=tuple(arguments.params), seconds=seconds, limit_s=limit_s).results()
    tell = _as_json if arguments.json else _as_line
    verdicts = []
    for result in results:
        verdict = result.finding.verdict
        verdicts.append(verdict)
        if verdict in {Verdict.WARNING, Verdict.WRONG} or not arguments.quiet:
            tell(result)
    if not arguments.json:
        counts = Counter(verdict.value for verdict in verdicts)
        print(', '.join(f'{counts[verdict]} {verdict}' for verdict in STYLES))
    return exit_status(verdicts)


def _as_json(result: Result) -> None:
    print(json.dumps({'check': result.check, **result.finding.to_dict()}, ensure_ascii=False),
          flush=True)


def _as_line(result: Result) -> None:
    from rich.console import Console
    from rich.text import Text

    verdict = result.finding.verdict.value
    Console(highlight=False, soft_wrap=True).print(Text.assemble(
        (f'{verdict:8}', STYLES[verdict]), f'{result.check:16} {result.finding}'))
