# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line as tables: every subcommand, step and option, from the parser itself."""
from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from generator.markdown import table

#: What the help says of a default, which may hold brackets itself.
_SAID = re.compile(r' ?\(default: (?P<default>[^()]*(?:\([^()]*\)[^()]*)*)\)')


def steps(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the subcommands of a parser by name; none where it has none."""
    return {name: below for action in parser._actions
            if isinstance(action, argparse._SubParsersAction)
            for name, below in action.choices.items()}


def overview() -> str:
    """Return one row a subcommand."""
    from active_collection.cli.main import subcommands

    return table(['command', 'does'], [
        [f'[`{module.NAME}`](#{module.NAME})', module.HELP] for module in subcommands()])


def page() -> str:
    """Return a heading, the description and the options of every subcommand and its steps."""
    from active_collection.cli.main import parser

    return '\n\n'.join(
        block for name, command in steps(parser()).items() for block in _section(name, command, 2))


def operator_keys() -> str:
    """Return the options of the program `operator_keys`."""
    from active_collection.collecting.console.options import parser

    return table(['argument', 'default', 'meaning'], [
        _row(action) for action in parser()._actions
        if not isinstance(action, argparse._HelpAction)])


def _section(name: str, parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    yield f'{"#" * level} {name}'
    if parser.description:
        yield _paragraphs(parser.description)
    below = steps(parser)
    if below:
        helps = {action.dest: action.help or '' for group in parser._actions
                 if isinstance(group, argparse._SubParsersAction)
                 for action in group._choices_actions}
        yield table(['step', 'does'], [
            [f'[`{name} {step}`](#{f"{name}-{step}"})', helps[step]] for step in below])
    actions = [action for action in parser._actions if not isinstance(
        action, (argparse._HelpAction, argparse._SubParsersAction))]
    if actions:
        yield table(['argument', 'default', 'meaning'],
                    [_row(action) for action in actions])
    for step, child in below.items():
        yield from _section(f'{name} {step}', child, level + 1)


def _row(action: argparse.Action) -> list[str]:
    metavar = action.metavar or (
        f'{{{",".join(map(str, action.choices))}}}' if action.choices else action.dest.upper())
    more = ' ...' if action.nargs in {'+', '*'} else ''
    written = f'{metavar}{more}'
    if action.option_strings:
        value = '' if action.nargs == 0 else f' {written}'
        written = ', '.join(action.option_strings) + value
    text = ' '.join(((action.help or '') % vars(action)).split())
    default = _SAID.search(text)
    if default is not None:
        text = text.replace(default[0], '', 1)
    return [f'`{written}`', _default(action, default['default'] if default else ''), text]


def _default(action: argparse.Action, said: str) -> str:
    if said:
        return said
    if action.option_strings:
        return 'required' if action.required else ''
    return '' if action.nargs in {'?', '*'} else 'required'


def _paragraphs(text: str) -> str:
    """Return a description as Markdown: what is indented there is a list of literal lines."""
    blocks = re.split(r'\n\s*\n', text.strip('\n'))
    return '\n\n'.join(
        f'```text\n{block}\n```' if all(line.startswith('  ') for line in block.splitlines())
        else block for block in blocks)
