# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The plot of `active-collection simulate`: what each rule achieved, and what it gained."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from active_collection.scheduling.comparison import Band
    from active_collection.scheduling.fleet_simulation import Run

#: Panels of gains a row.
COLUMNS = 3
#: Height of the panel of successes and of each row of gains (pixels).
TOP, ROW = 380, 250
GREY = 'rgb(120,120,120)'


def page(runs: Mapping[str, Sequence[Run]]) -> str:
    """
    Return an HTML page that needs no network.

    Success for what the episodes of every rule cost; below, for each rule after the first, what it
    gained over the first, with its confidence band: bands of successes themselves hide each other
    and are as wide as the made-up curves differ.

    :param runs: of each rule, with the same seeds
    """
    import plotly.graph_objects as go
    from plotly.colors import qualitative
    from plotly.subplots import make_subplots

    from active_collection.scheduling.comparison import band
    from active_collection.scheduling.comparison import gain

    first, *others = runs
    colours = {rule: qualitative.D3[k % len(qualitative.D3)] for k, rule in enumerate(runs)}
    rows = -(-len(others) // COLUMNS)
    heights = [TOP, *[ROW] * rows]
    figure = make_subplots(
        rows=1 + rows, cols=COLUMNS, shared_yaxes=True, vertical_spacing=90 / sum(heights),
        horizontal_spacing=0.03, row_heights=heights,
        specs=[[{'colspan': COLUMNS}, *[None] * (COLUMNS - 1)],
               *[[{} if COLUMNS * row + column < len(others) else None
                  for column in range(COLUMNS)] for row in range(rows)]],
        subplot_titles=['', *[f'{rule} − {first}' for rule in others]])
    for rule, mine in runs.items():
        success = band(mine)
        if not others:
            _add_band(figure, success, colours[rule], row=1, column=1)
        figure.add_trace(go.Scatter(
            x=success.cost, y=success.mean, name=rule, mode='lines',
            line={'color': colours[rule], 'width': 2},
            customdata=[success.at(k) for k in range(len(success.cost))],
            hovertemplate='at %{x:.4~g}: %{customdata}'), row=1, col=1)
    gains = {rule: gain(runs[rule], runs[first]) for rule in others}
    for place, (rule, gained) in enumerate(gains.items()):
        row, column = 2 + place // COLUMNS, 1 + place % COLUMNS
        _add_band(figure, gained, colours[rule], row=row, column=column)
        figure.add_trace(go.Scatter(
            x=gained.cost, y=gained.mean, name=rule, showlegend=False, mode='lines',
            line={'color': colours[rule], 'width': 2},
            customdata=[gained.at(k) for k in range(len(gained.cost))],
            hovertemplate='at %{x:.4~g}: %{customdata}'), row=row, col=column)
        figure.add_hline(y=0, line={'color': GREY, 'width': 1}, row=row, col=column)
        figure.update_yaxes(range=_limits(gains.values()), row=row, col=column,
                            title='gain in success' if column == 1 else None)
        figure.update_xaxes(title='cost of the episodes', row=row, col=column)
    figure.update_yaxes(title='mean success over the tasks', rangemode='tozero', row=1, col=1)
    figure.update_xaxes(title='cost of the episodes', row=1, col=1)
    seeds = len(runs[first])
    figure.update_layout(
        template='plotly_white', height=sum(heights) + 120, hovermode='x unified',
        margin={'t': 70, 'r': 30, 'b': 60, 'l': 70},
        title={'text': f'{seeds} {"seed" if seeds == 1 else "seeds"}'
               + ('' if seeds == 1 else '; bands: 95 % confidence'
                  + (', paired by seed' if others else '')), 'font': {'size': 14}})
    return str(figure.to_html(include_plotlyjs=True))


def _add_band(figure: Any, band: Band, colour: str, *, row: int, column: int) -> None:
    import plotly.graph_objects as go
    from plotly.colors import hex_to_rgb

    fill = 'rgba({},{},{},0.2)'.format(*hex_to_rgb(colour))
    figure.add_trace(go.Scatter(
        x=[*band.cost, *reversed(band.cost)], y=[*band.high, *reversed(band.low)],
        fill='toself', fillcolor=fill, mode='lines', line={'width': 0}, hoverinfo='skip',
        showlegend=False), row=row, col=column)


def _limits(gains: Sequence[Band] | Any) -> list[float]:
    """Return the same limits for all panels of gains, with room."""
    low = min(0.0, *(float(g.low.min()) for g in gains), 0.0)
    high = max(0.0, *(float(g.high.max()) for g in gains), 0.0)
    room = 0.08 * max(high - low, 0.02)
    return [low - room, high + room]
