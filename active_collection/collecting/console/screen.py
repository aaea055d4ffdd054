# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What an operator sees: the console's state as lines of a terminal, of any size."""
from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from active_collection.collecting.collection_robot import Phase
from active_collection.collecting.console.operator_console import OperatorConsole
from active_collection.collecting.console.told import RecorderTold
from active_collection.collecting.console.told import RobotTold
from active_collection.collecting.console.told import SchedulerTold
from active_collection.collecting.console.told import TaskCount
from active_collection.episode import Outcome

GIB = 1024 ** 3
#: Less room than for so long a recording is amiss, and less than that is bad (s).
SHORT_S, SCARCE_S = 1800.0, 300.0
GOOD, AMISS, BAD = 'green', 'yellow', 'red'
#: The state in a word, and its colour.
WORDS = {
    Phase.IDLE: ('IDLE', 'white'),
    Phase.REQUESTING: ('ASKS FOR WORK', 'white'),
    Phase.SETTING_UP: ('SET UP', 'blue'),
    Phase.WAITING_FOR_READY: ('READY?', 'yellow'),
    Phase.COLLECTING: ('GO', 'green'),
    Phase.NEEDS_HELP: ('HELP WANTED', 'magenta'),
    Phase.REPORTING: ('SAVING', 'cyan'),
    Phase.PAUSED: ('PAUSED', 'cyan'),
    Phase.FAULT: ('FAULT', 'red'),
}
JUDGE = ('SUCCESS OR FAILURE?', 'yellow')
#: Rows of the state's bar where there is room.
BAR_ROWS = 3


@dataclass(frozen=True)
class Section:
    """
    Lines that belong together.

    :param importance: what is less important goes first where there is no room
    """

    importance: int
    lines: list[Text]


def render(console: OperatorConsole, *, robot: str, operator: str, columns: int,
           rows: int) -> list[Text]:
    """
    Return the screen, at most so many lines, none wider than so many cells.

    :param operator: who works here; may be empty
    """
    title = Text(_clean(robot + (f'  {operator}' if operator else '')), style='bold')
    bottom = [*_folded(Text(_clean(console.notice), style='bold yellow'), columns),
              *_keys(console, columns)]
    top = [*_folded(title, columns)[:1], *_bar(console, columns, rows)]
    room = rows - len(top) - len(bottom)
    sections = list(_sections(console, columns))
    while sections and sum(len(section.lines) for section in sections) > room:
        sections.remove(min(sections, key=lambda section: section.importance))
    middle = [line for section in sections for line in section.lines]
    return [*top, *middle, *[Text()] * max(0, room - len(middle)), *bottom][-rows:]


def to_ansi(lines: list[Text], *, columns: int, is_coloured: bool) -> list[str]:
    """Return lines as a terminal takes them, with the 16 colours that every terminal has."""
    printed = []
    for line in lines:
        buffer = io.StringIO()
        Console(file=buffer, width=columns, force_terminal=True, highlight=False,
                color_system='standard', no_color=not is_coloured, legacy_windows=False,
                ).print(line, end='', soft_wrap=True)
        printed.append(buffer.getvalue())
    return printed


def _bar(console: OperatorConsole, columns: int, rows: int) -> list[Text]:
    """Return the state in a word that can be read from across the room."""
    word, colour = _word(console)
    spaced = ' '.join(word)
    if len(spaced) > columns - 2:
        spaced = word[:columns]
    style = f'bold black on {colour}'
    filled = [Text(' ' * columns, style=style)]
    middle = [Text(spaced.center(columns), style=style)]
    return filled + middle + filled if rows >= 16 else middle


def _word(console: OperatorConsole) -> tuple[str, str]:
    told = console.heard.last(RobotTold)
    if told is None:
        return 'NO AGENT', 'red'
    if console.heard.is_lost(RobotTold):
        return f'AGENT LOST {_for(console.heard.age_s(RobotTold))}', 'red'
    if told.phase is Phase.REPORTING and told.words:
        return JUDGE
    return WORDS[told.phase]


def _sections(console: OperatorConsole, columns: int) -> Iterator[Section]:
    told, work = console.heard.last(RobotTold), console.heard.assignment
    if told is None:
        yield Section(9, _row('Agent', Text(
            f'not heard for {_for(console.heard.age_s(RobotTold))}: is it started?'), columns))
    elif told.message and not (work and told.message.startswith(f'{work.task} @')):
        yield Section(9, _row('Says', Text(_clean(told.message)), columns))
    if told is not None and told.is_paused:
        yield Section(8, _row('Paused', Text('asks for no more work after this'), columns))
    if work is not None:
        yield Section(10, _row('Set up', Text.assemble(
            (_clean(work.task), 'bold'), ' in ', (_clean(work.environment), 'bold')), columns))
        if work.configuration:
            yield Section(9, _row('', Text(_clean('   '.join(
                f'{name} {value}' for name, value in work.configuration.items()))), columns))
        limit = f', at most {work.time_limit_s:g} s' if work.time_limit_s else ''
        yield Section(5, _row('', Text(
            f'{"reset the scene first" if work.reset_required else "go on from the last scene"}; '
            f'by {_clean(work.collector)}{limit}'), columns))
        yield Section(4, _row('Why', Text(_clean(work.why)), columns))
    yield Section(6, _row('Count', Text(_clean(_count(console))), columns))
    yield Section(7, _lights(console, columns))
    yield Section(3, _row('Last', _last(console), columns))


def _count(console: OperatorConsole) -> str:
    """Return how far the task is, against its quota."""
    told = console.heard.last(SchedulerTold)
    if told is None:
        return 'the scheduler was not heard'
    work = console.heard.assignment
    count = told.tasks.get(work.task) if work is not None else None
    fleet = f'{told.episodes} in all'
    if work is None or count is None:
        return fleet
    return f'{work.task} {count.episodes}{_quota(count)}; {fleet}'


def _quota(count: TaskCount) -> str:
    if count.maximum is not None:
        return f' of at most {count.maximum}' + (
            f', at least {count.minimum}' if count.minimum else '')
    return f' of at least {count.minimum}' if count.minimum else ''


def _lights(console: OperatorConsole, columns: int) -> list[Text]:
    """Return the lights of scheduler, losses and disk."""
    lights = [_scheduler_light(console), *_recorder_lights(console)]
    line = Text()
    for colour, words in lights:
        if line:
            line.append('   ')
        line.append('● ', style=colour)
        line.append(_clean(words), style='' if colour == GOOD else f'bold {colour}')
    return _row('Lights', line, columns)


def _scheduler_light(console: OperatorConsole) -> tuple[str, str]:
    told = console.heard.last(SchedulerTold)
    if told is None or console.heard.is_lost(SchedulerTold):
        return BAD, f'no scheduler for {_for(console.heard.age_s(SchedulerTold))}'
    if told.state == 'running':
        return GOOD, 'scheduler'
    return AMISS, f'scheduler {told.state}' + (f': {told.message}' if told.message else '')


def _recorder_lights(console: OperatorConsole) -> Iterator[tuple[str, str]]:
    told = console.heard.last(RecorderTold)
    if told is None or console.heard.is_lost(RecorderTold):
        yield BAD, f'no recorder for {_for(console.heard.age_s(RecorderTold))}'
        return
    if told.state == 'blocked':
        yield BAD, f'recorder blocked: {told.message or "it does not say why"}'
    last = console.heard.newest
    if told.dropped or told.lost:
        yield BAD, f'loss: {told.dropped} dropped, {told.lost} lost'
    elif told.state == 'idle' and last is not None and last.has_losses:
        yield AMISS, 'the last episode has losses'
    else:
        yield GOOD, 'no loss'
    room_s = (told.disk_free * told.elapsed_s / told.size if told.size and told.elapsed_s > 1.0
              else float('inf'))
    colour = BAD if room_s < SCARCE_S else AMISS if room_s < SHORT_S else GOOD
    for_how_long = f', {_for(room_s)}' if room_s < 1e6 else ''
    yield colour, f'disk {told.disk_free / GIB:.1f} GiB{for_how_long}'


def _last(console: OperatorConsole) -> Text:
    last = console.heard.newest
    if last is None:
        return Text('no episode yet')
    tally = console.heard.tally
    counts = ', '.join(f'{tally[each]} {each.value}' for each in Outcome if tally[each])
    waits = ', waits for a judgement' if last.outcome is Outcome.UNKNOWN else ''
    return Text(_clean(f'{last.scenario.task} {last.outcome.value}{waits}; {counts} in all'))


def _keys(console: OperatorConsole, columns: int) -> list[Text]:
    """Return the keys, those that count now so that they stand out."""
    told = console.heard.last(RobotTold)
    lines = [Text()]
    for action, key in console.keys.by_action.items():
        name = 'resume' if action == 'pause' and told is not None and told.is_paused else action
        entry = (Text.assemble((f'[{key}]', 'reverse'), (f' {name}', 'bold'))
                 if console.counts(action) else Text(f' {key}  {name}', style='dim'))
        if lines[-1] and lines[-1].cell_len + entry.cell_len + 2 > columns:
            lines.append(Text())
        if lines[-1]:
            lines[-1].append('  ')
        lines[-1].append_text(entry)
    return lines


def _row(label: str, value: Text, columns: int) -> list[Text]:
    """Return a value behind its label, on as many lines as it takes."""
    width = 8 if columns >= 60 else 7
    lines = _folded(value, columns - width) or [Text()]
    first, *rest = lines
    return [Text.assemble((f'{label:<{width}}', 'dim'), first),
            *(Text.assemble(' ' * width, line) for line in rest)]


def _folded(text: Text, columns: int) -> list[Text]:
    folded = list(text.wrap(Console(width=columns, file=io.StringIO()), columns)) if text else []
    for line in folded:
        line.rstrip()
    return folded


def _for(seconds: float) -> str:
    if seconds < 120:
        return f'{seconds:.0f} s'
    return f'{seconds / 60:.0f} min' if seconds < 7200 else f'{seconds / 3600:.0f} h'


def _clean(text: str) -> str:
    """Return text without what would steer the terminal: it comes from the network."""
    return ''.join(c if c.isprintable() else ' ' for c in text)
