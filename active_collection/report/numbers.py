# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Figures and intervals as a reader wants to see them."""
from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from datetime import timezone

THIN = '\N{NARROW NO-BREAK SPACE}'
NONE = '\N{EN DASH}'
#: 97.5 % quantile of the normal distribution: intervals hold 95 %.
Z = 1.959963984540054


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """
    Return the 95 % score interval of a success rate, 0 to 1.

    Wilson (1927), Probable inference, the law of succession, and statistical inference.

    :param trials: at least 0; with 0 the interval is (0, 1)
    """
    if trials <= 0:
        return 0.0, 1.0
    rate = successes / trials
    scale = 1 + Z * Z / trials
    centre = (rate + Z * Z / (2 * trials)) / scale
    half = Z / scale * math.sqrt(rate * (1 - rate) / trials + Z * Z / (4 * trials * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


def mean(values: Iterable[float]) -> float:
    """Return the mean of the finite values; NaN where there is none."""
    finite = [value for value in values if math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else math.nan


def percent(share: float) -> str:
    """Return a share, 0 to 1, as a whole percentage."""
    return f'{100 * share:.0f}{THIN}%' if math.isfinite(share) else NONE


def percent_interval(low: float, high: float) -> str:
    """Return an interval of shares as '15–36 %'."""
    return f'{100 * low:.0f}\N{EN DASH}{percent(high)}'


def figure(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits and thousands separators."""
    if not math.isfinite(value):
        return NONE
    if value == 0:
        return '0'
    size = abs(value)
    if size >= 1000:
        return f'{value:,.0f}'.replace('-', '\N{MINUS SIGN}')
    if size < 1e-3:
        return f'{value:.1e}'.replace('-', '\N{MINUS SIGN}')
    return decimal(value, max(0, digits - 1 - math.floor(math.log10(size))))


def plain(value: float) -> str:
    """Return a number with three significant digits and no zeros that say nothing."""
    return f'{value:.3g}'.replace('-', '\N{MINUS SIGN}')


def decimal(value: float, places: int) -> str:
    """Return a number with so many decimals."""
    if not math.isfinite(value):
        return NONE
    return f'{value:.{places}f}'.replace('-', '\N{MINUS SIGN}')


def count(number: int, one: str, many: str = '') -> str:
    """Return '1 robot' or '1,200 robots'."""
    return f'{number:,}{THIN}{one if number == 1 else many or one + "s"}'


def duration(seconds: float) -> str:
    """Return a time span as a person says it: '42 s', '3 min 12 s', '5 h 07 min', '3 d 4 h'."""
    whole = round(seconds)
    if whole < 60:
        return f'{whole}{THIN}s'
    if whole < 3600:
        return f'{whole // 60}{THIN}min {whole % 60:02d}{THIN}s'
    if whole < 86400:
        return f'{whole // 3600}{THIN}h {whole % 3600 // 60:02d}{THIN}min'
    return f'{whole // 86400}{THIN}d {whole % 86400 // 3600}{THIN}h'


def moment(time_ns: int) -> str:
    """Return a time (ns since 1970) as UTC date and time to the minute; a dash for 0."""
    if time_ns <= 0:
        return NONE
    try:
        at = datetime.fromtimestamp(time_ns // 10**9, tz=timezone.utc)
    except (OverflowError, ValueError, OSError):
        return NONE
    return at.strftime('%Y-%m-%d %H:%M UTC')


def ticks(low: float, high: float, most: int = 5) -> list[tuple[float, str]]:
    """
    Return round numbers inside a range, ascending, for an axis, each with how it is written.

    :param most: at most this many and one
    """
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return [(low, figure(low))]
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    places = max(0, -math.floor(math.log10(step)) + (step / power == 2.5))
    return [(value, decimal(value + 0.0, places)) for value in _multiples(low, high, step)]


def time_ticks(seconds: float, most: int = 6) -> list[tuple[float, str]]:
    """Return round times from 0 to an end (s), each with how it is written."""
    if seconds <= 10:
        return [(value, f'{written}{THIN}s') for value, written in ticks(0, seconds, most)]
    steps = [2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400]
    step = next((step for step in steps if seconds / step <= most), 0)
    step = step or 86400 * math.ceil(seconds / 86400 / most)
    return [(value, duration(value).replace(f' 00{THIN}s', '').replace(f' 00{THIN}min', '')
             .replace(f' 0{THIN}h', '')) for value in _multiples(0, seconds, step)]


def ceiling(value: float) -> float:
    """Return the next round number at or above a value, for the end of an axis; 0 for none."""
    if not (math.isfinite(value) and value > 0):
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(float(f'{power * factor:.1e}') for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
                if power * factor >= value * (1 - 1e-9))


def _multiples(low: float, high: float, step: float) -> list[float]:
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]
