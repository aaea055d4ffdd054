# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Let a fleet of real nodes have bad days, and count what was lost, doubled or grown.

Robots with agent, recorder and uncertainty node, and their scheduler, a process each. Nodes are
killed, ended, held up and started again, episodes are amended, and the fleet's clock is set by up
to an hour, at random by a seed. In the end the ledger, the bags and `episodes list` have to agree.
"""
from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from _claims import ROOT
from _claims import Claim
from _claims import options
from _claims import report

if TYPE_CHECKING:
    from process_memory import Growth

#: MB per hour that a process may grow: a node that lives for a month stays below a gigabyte.
GROWTH_MB_H = 1.0


def main() -> int:
    parser = options(__doc__)
    parser.add_argument('--seconds', type=float, default=3600.0)
    parser.add_argument('--robots', type=int, default=8)
    parser.add_argument('--every', type=float, default=4.0,
                        help='seconds between two accidents, on average (default: 4)')
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.robots = 60.0, 2
    # Before rclpy is imported: this fleet meets no other.
    os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    sys.path.insert(0, str(ROOT / 'test' / 'ros'))
    import rclpy
    from soak import NODES
    from soak import Soak

    began = time.monotonic()
    rclpy.init()
    with tempfile.TemporaryDirectory(prefix='soak-') as folder:
        soak = Soak(Path(folder), robots=arguments.robots, seed=arguments.seed,
                    every_s=arguments.every)
        try:
            soak.run(arguments.seconds)
        finally:
            soak.close()
    rclpy.try_shutdown()
    result = soak.result
    print(*result.faults, sep='\n')
    accidents = ', '.join(f'{count} times {what}' for what, count in result.accidents.items())
    claims = [
        Claim('faults: lost, doubled, not agreed, ended by itself', [float(len(result.faults))],
              'faults', '<=', 0.0, reason=(
                  f'{arguments.robots} robots, {time.monotonic() - began:.0f} s, '
                  f'{result.episodes} episodes, {result.salvaged} salvaged; {accidents}')),
        *(_memory(node, result.growth.get(node, [])) for node in ('scheduler', *NODES))]
    report('soak', claims, arguments.out, packages=['rclpy'])
    return 0


def _memory(node: str, grown: Sequence[Growth]) -> Claim:
    """Return what is said of a node's memory: of each process that lived for long, its slope."""
    if not grown:
        reason = 'none lived for long enough'
    else:
        intervals = ', '.join(f'{one.low:+.2f} to {one.high:+.2f}' for one in grown)
        reason = (f'each over {min(one.seconds for one in grown) / 60:.0f} minutes or more behind '
                  f'its first 10; intervals {intervals}')
    return Claim(f'memory of {node}', [one.mb_h for one in grown], 'MB an hour', '<=',
                 GROWTH_MB_H, reason=reason)


if __name__ == '__main__':
    sys.exit(main())
