# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Write the README's tables from the code: node parameters and subcommands (`make docs`)."""
from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / 'README.md'
SETTINGS = {
    'recorder': 'active_collection.recording.settings:RecorderSettings',
    'uncertainty': 'active_collection.uncertainty.settings:UncertaintySettings',
    'scheduler': 'active_collection.scheduling.settings:SchedulerSettings',
    'agent': 'active_collection.scheduling.agent_settings:AgentSettings',
    'simulated_robot': 'active_collection.simulation.settings:SimulatedRobotSettings',
}


def leaves(model: type[BaseModel], prefix: str = '') -> Iterator[tuple[str, object, str]]:
    """Yield (parameter, default, description) of each field, nested models with dots."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from leaves(kind, f'{prefix}{name}.')
            continue
        default = field.get_default(call_default_factory=True)
        yield f'{prefix}{name}', default, field.description or ''


def written(default: object) -> str:
    """Return a default as it would stand in a parameter file."""
    if default is PydanticUndefined:
        return 'required'
    if isinstance(default, bool):
        return f'`{str(default).lower()}`'
    if isinstance(default, (list, tuple)):
        return f'`[{", ".join(map(str, default))}]`' if default else 'none'
    return f'`{default}`' if default != '' else 'empty'


def parameters(node: str) -> str:
    """Return the table of a node's parameters."""
    module, _, name = SETTINGS[node].partition(':')
    model = getattr(importlib.import_module(module), name)
    rows = [
        f'| `{parameter}` | {written(default)} | {description} |'
        for parameter, default, description in leaves(model)]
    return '\n'.join(['| parameter | default | meaning |', '| --- | --- | --- |', *rows])


def commands() -> str:
    """Return the table of the command line's subcommands."""
    from active_collection.cli.main import subcommands

    rows = [f'| `active-collection {m.NAME}` | {m.HELP} |' for m in subcommands()]
    return '\n'.join(['| command | does |', '| --- | --- |', *rows])


def document(text: str) -> str:
    """Return a README with every marked table made anew."""
    def replace(match: re.Match[str]) -> str:
        kind, _, name = match['what'].partition(' ')
        table = parameters(name) if kind == 'parameters' else commands()
        return f'<!-- {match["what"]} -->\n{table}\n<!-- end -->'

    return re.sub(
        r'<!-- (?P<what>parameters \w+|commands) -->\n.*?<!-- end -->', replace, text,
        flags=re.DOTALL)


def main() -> int:
    """Rewrite the README."""
    README.write_text(document(README.read_text()))
    return 0


if __name__ == '__main__':
    sys.exit(main())
