# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The plot: mean success over demonstrations, a panel a start, a line an arm."""
from __future__ import annotations

import numpy as np

from active_collection.report.markup import path
from active_collection.report.markup import tag

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, LEGEND = 470, 300, 46, 30, 44, 16
#: Of Okabe and Ito, "Color universal design", 2008: told apart by colour-blind readers too.
COLOURS = ('#000000', '#d55e00', '#0072b2', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#999999')
DASHES = (None, '6,3', '2,2')


def svg(curves, levels):
    """
    Return an SVG image.

    :param curves: start to arm to curves, one a seed
    :param levels: successes that are marked
    """
    arms = list(dict.fromkeys(arm for of_arm in curves.values() for arm in of_arm))
    panels = [tag('g', *_panel(start, of_arm, levels, arms),
                  transform=f'translate({k * WIDTH},0)')
              for k, (start, of_arm) in enumerate(curves.items())]
    rows = -(-len(arms) // 3)
    legend = [tag('g', tag('line', x1=0, x2=24, y1=-4, y2=-4, **_pen(k)),
                  tag('text', f'{arm}', x=30),
                  transform=f'translate({LEFT + k % 3 * 300},{HEIGHT + 14 + k // 3 * LEGEND})')
              for k, arm in enumerate(arms)]
    width, height = max(WIDTH * len(curves), 930), HEIGHT + rows * LEGEND + 12
    return str(tag(
        'svg', tag('rect', width=width, height=height, fill='#ffffff'), *panels, *legend,
        xmlns='http://www.w3.org/2000/svg', viewBox=f'0 0 {width} {height}', width=width,
        height=height, font_family='sans-serif', font_size=12)) + '\n'


def _panel(start, of_arm, levels, arms):
    longest = max(c.demonstrations[-1] for curves in of_arm.values() for c in curves)
    lowest = np.floor(10 * min(c.success.min() for cs in of_arm.values() for c in cs)) / 10

    def x(value):
        return LEFT + value / max(longest, 1) * (WIDTH - LEFT - 16)

    def y(value):
        return TOP + (1 - value) / (1 - lowest) * (HEIGHT - TOP - BOTTOM)

    yield tag('text', f'{start} start', x=LEFT, y=18, font_weight='bold')
    for tick in np.arange(lowest, 1.01, 0.1):
        yield tag('line', x1=LEFT, x2=WIDTH - 16, y1=y(tick), y2=y(tick), stroke='#e5e5e5')
        yield tag('text', f'{tick:.1f}', x=LEFT - 6, y=y(tick) + 4, text_anchor='end')
    for level in levels:
        yield tag('line', x1=LEFT, x2=WIDTH - 16, y1=y(level), y2=y(level), stroke='#888888',
                  stroke_dasharray='3,3')
    step = max(10, int(np.ceil(longest / 80)) * 10)
    for tick in np.arange(0, longest + 1, step):
        yield tag('text', int(tick), x=x(tick), y=HEIGHT - BOTTOM + 16, text_anchor='middle')
    yield tag('text', 'demonstrations' if start == 'even' else 'demonstrations after the start',
              x=(LEFT + WIDTH) / 2, y=HEIGHT - BOTTOM + 34, text_anchor='middle')
    yield tag('text', 'mean success', x=0, y=0, text_anchor='middle',
              transform=f'translate(12,{(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)')
    for arm, curves in of_arm.items():
        end = max(c.demonstrations[-1] for c in curves)
        grid = np.unique(np.concatenate([c.demonstrations for c in curves]))
        mean = np.mean([c.on(grid) for c in curves], axis=0)
        yield tag('path', d=path([(x(n), y(s)) for n, s in zip(grid, mean, strict=True)
                                  if n <= end]), fill='none', **_pen(arms.index(arm)))


def _pen(place):
    return {'stroke': COLOURS[place % len(COLOURS)], 'stroke_width': 2,
            'stroke_dasharray': DASHES[place // len(COLOURS) % len(DASHES)]}
