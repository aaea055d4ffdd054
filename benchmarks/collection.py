# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure what a collection rule saves: demonstrations to a success, as a share of an even spread's.

Meta-World MT10 in simulation: the project's scheduler, simulated robot, scripted expert, trainer
and mean policy, a retraining each 10 demonstrations. The comparator collects of each task in turn,
at random configurations. Success is that of the policy at 15 configurations a task that are fixed
for a seed and that nothing chooses by. A killed run goes on when it is started again. The table of
raw results is read first: units (arm, start, seed) that are finished in it are not run again, so
that evidence grows night by night, on any machine; --again begins anew, as after a change of a
rule or of the trainer.
"""
from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import replace

import numpy as np
from _claims import Claim
from _claims import options
from _claims import report
from _collection.arms import COMPARATOR
from _collection.arms import DEFAULT
from _collection.arms import NO_ATTEMPTS
from _collection.arms import STARTS
from _collection.arms import Options
from _collection.arms import arms
from _collection.curves import Curve
from _collection.curves import share
from _collection.plot import svg
from _collection.running import finished_rows
from _collection.running import run_all
from _collection.table import COUNTS
from _collection.table import from_csv
from _collection.table import to_csv
from _metaworld import MetaWorld

from active_collection.errors import SimulationError
from active_collection.files import write_whole

LEVELS = (0.80, 0.83)
#: Share of the comparator's demonstrations that is asked for, by arm, start and level.
TARGETS = {(DEFAULT, 'even', 0.80): 0.45, (DEFAULT, 'even', 0.83): 0.35,
           (NO_ATTEMPTS, 'even', 0.80): 0.60, (NO_ATTEMPTS, 'even', 0.83): 0.60,
           (DEFAULT, 'skewed', 0.80): 0.40, (DEFAULT, 'skewed', 0.83): 0.40}
QUICK = Options(tasks=('drawer_open', 'window_open', 'push'), batch=3, budget=9, held_out=3,
                enough=1.01, steps=200)


def main() -> int:
    parser = options(__doc__)
    known = arms()
    parser.add_argument('--seeds', type=int, help='of every arm (default: as many as it asks for)')
    parser.add_argument('--arms', nargs='+', default=list(known), choices=list(known),
                        metavar='ARM', help=f'of {", ".join(known)} (default: all)')
    parser.add_argument('--starts', nargs='+', default=list(STARTS), choices=STARTS)
    parser.add_argument('--budget', type=int, help='demonstrations of a unit at most')
    parser.add_argument('--jobs', type=int, default=2, help='processes (default: 2)')
    parser.add_argument('--only-report', action='store_true',
                        help='run nothing, report what there is')
    parser.add_argument('--again', action='store_true',
                        help='run what the table of raw results has too, and leave it out')
    arguments = parser.parse_args()
    chosen = QUICK if arguments.quick else Options()
    if arguments.budget is not None:
        chosen = replace(chosen, budget=arguments.budget)
    if arguments.quick and arguments.arms == list(known):
        arguments.arms = [COMPARATOR, DEFAULT, NO_ATTEMPTS]
    seeds = arguments.seeds or (1 if arguments.quick else None)
    units = [(arm, start, seed)
             for seed in range(arguments.seed, arguments.seed + (
                 seeds or max(known[arm].seeds for arm in arguments.arms)))
             for arm in arguments.arms if seeds or seed - arguments.seed < known[arm].seeds
             for start in arguments.starts]
    name = 'collection_quick' if arguments.quick else 'collection'
    directory = arguments.out / f'.{name}' / chosen.digest
    raw = arguments.out / f'{name}.csv'
    kept = {} if arguments.again else from_csv(raw, chosen.digest)
    try:
        if not arguments.only_report:
            MetaWorld()  # where it is missing, it is so for every worker
            run_all(units, kept, chosen, directory, arguments.jobs)
    except SimulationError as error:
        claims = [Claim('Meta-World MT10', [], 'share', reason=str(error))]
    else:
        rows = kept | finished_rows(units, chosen, directory)
        curves = curves_of(rows)
        claims = claimed(curves, chosen)
        print_costs(rows)
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_whole(raw, to_csv(rows, chosen.digest))
        write_whole(arguments.out / f'{name}.svg', svg(
            {start: {arm: list(of_seed.values()) for arm, of_seed in of_arm.items()}
             for start, of_arm in curves.items()}, LEVELS))
    report(name, claims, arguments.out, packages=['torch', 'metaworld', 'mujoco'])
    return 0


def curves_of(rows):
    """
    Return the curve of each unit, by start, arm and seed.

    What an even start took counts, because nothing was there before; what a skewed one took does
    not: it is what somebody has.
    """
    curves = defaultdict(lambda: defaultdict(dict))
    for (arm, start, seed), mine in rows.items():
        before = mine[0]['start'] if start == 'even' else 0
        curves[start][arm][seed] = Curve(
            np.array([before + row['demonstrations'] for row in mine], dtype=float),
            np.array([np.mean(list(row['success'].values())) for row in mine]))
    return curves


def claimed(curves, chosen):
    """Return the share of the comparator's demonstrations that each arm needs, as claims."""
    claims = []
    for start, of_arm in curves.items():
        for arm, level in ((arm, level) for arm in of_arm for level in LEVELS):
            if arm == COMPARATOR or COMPARATOR not in of_arm:
                continue
            target = TARGETS.get((arm, start, level))
            found = share(of_arm[arm], of_arm[COMPARATOR], level,
                          random=np.random.default_rng(0))
            value = [found.value] if np.isfinite(found.value) else []
            claims.append(Claim(
                f'{arm}, {start} start, to {level:.0%}', value, 'of the demonstrations',
                '<=' if target else '', target or 0.0, reason=(
                    f'{_number(found.own)} against {_number(found.other)}; 95 % interval '
                    f'{found.low:.2f} to {found.high:.2f}; {found.seeds} seeds')))
    return claims or [Claim('nothing to compare', [], 'share', reason='no finished rounds yet')]


def _number(demonstrations):
    return f'{demonstrations:.0f}' if np.isfinite(demonstrations) else 'not reached'


def print_costs(rows):
    """Print what each arm had cost, and reached, at the end of its units."""
    print(f'{"arm":<36} {"start":<7} {"seeds":>5}  mean of units at their end: success, ' +
          ', '.join(COUNTS))
    groups = defaultdict(list)
    for (arm, start, _), mine in rows.items():
        groups[arm, start].append(mine[-1])
    for (arm, start), last in groups.items():
        success = np.mean([list(row['success'].values()) for row in last])
        counts = ', '.join(f'{np.mean([row[name] for row in last]):.0f}' for name in COUNTS)
        print(f'{arm:<36} {start:<7} {len(last):>5}  {success:.3f}, {counts}')


if __name__ == '__main__':
    sys.exit(main())
