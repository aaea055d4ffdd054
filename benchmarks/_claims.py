# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What every benchmark does the same: its options, its claims, the table and the JSON file."""
from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from datetime import datetime
from datetime import timezone
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_HOLDS = {'<=': float.__le__, '>=': float.__ge__}


@dataclass(frozen=True)
class Claim:
    """
    A measured figure against what is asked of it.

    :param values: one for each repetition; empty where it could not be measured
    :param unit: of values and target
    :param relation: '<=' or '>='; empty where the figure is only printed
    :param reason: why it was not measured, or what there is to say of it
    :param absolute: figures for orientation, by name with unit
    """

    name: str
    values: Sequence[float]
    unit: str
    relation: str = ''
    target: float = 0.0
    reason: str = ''
    absolute: dict[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        """Return the median."""
        return float(statistics.median(self.values)) if len(self.values) else None

    @property
    def holds(self) -> bool | None:
        """Tell whether the median keeps the target; None where there is nothing to tell."""
        if self.value is None or not self.relation:
            return None
        return _HOLDS[self.relation](self.value, float(self.target))

    def line(self, width: int) -> str:
        """Return its row of the table."""
        value = 'not measured' if self.value is None else f'{self.value:.4g} {self.unit}'
        if len(self.values) > 1:
            value += f' ({min(self.values):.3g} to {max(self.values):.3g})'
        asked = f'{self.relation} {self.target:g}' if self.relation else ''
        verdict = {True: 'holds', False: 'FAILS', None: ''}[self.holds]
        return f'{self.name:<{width}}  {value:<44} {asked:<10} {verdict:<6} {self.reason}'.rstrip()

    def as_json(self) -> dict[str, object]:
        """Return what stands in the JSON file."""
        return {'name': self.name, 'value': self.value, 'unit': self.unit,
                'relation': self.relation or None,
                'target': self.target if self.relation else None, 'holds': self.holds,
                'values': [float(value) for value in self.values], 'reason': self.reason,
                'absolute': self.absolute}


def options(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quick', action='store_true', help='end within 2 minutes')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks' / 'results',
                        help='directory of the JSON file')
    return parser


def report(name: str, claims: Iterable[Claim], out: Path, *, packages: Sequence[str]) -> None:
    """
    Print the table and write `out/name.json`.

    :param packages: distributions whose versions stand in the file; one that is missing is null
    """
    claims = list(claims)
    width = max(len(claim.name) for claim in claims)
    print()
    for claim in claims:
        print(claim.line(width))
        for what, figure in claim.absolute.items():
            print(f'    {what}: {figure:.4g}')
    versions: dict[str, str | None] = {'python': platform.python_version()}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    out.mkdir(parents=True, exist_ok=True)
    (out / f'{name}.json').write_text(json.dumps({
        'name': name, 'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'versions': versions, 'machine': {'cores': os.cpu_count(), 'load': os.getloadavg()[0]},
        'claims': [claim.as_json() for claim in claims]}, indent=1) + '\n')
