# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Write the tables of the documentation from the code (`make docs`)."""
from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).resolve().parent))

from generator import columns  # noqa: E402 - beside this file
from generator import command_line  # noqa: E402
from generator import endpoints  # noqa: E402
from generator import interfaces  # noqa: E402
from generator import parameters  # noqa: E402
from generator import registries  # noqa: E402

#: What a marker can ask for: its first word to what makes the text of the second one, and of what
#: stood there before.
KINDS: dict[str, Callable[[str, str], str]] = {
    'endpoints': lambda node, _: endpoints.of_node(node),
    'parameters': lambda node, _: parameters.of_node(node),
    'changes': lambda *_: parameters.changes(),
    'commands': lambda *_: command_line.overview(),
    'options': lambda *_: command_line.page(),
    'operator_keys': lambda *_: command_line.operator_keys(),
    'interfaces': lambda kind, _: interfaces.page(ROOT, kind),
    'extension_points': lambda *_: registries.overview(ROOT),
    'extensions': lambda *_: registries.page(ROOT),
    'keys': lambda where, before: columns.keys(where, ROOT, before),
}
_MARKED = re.compile(
    rf'<!-- (?P<kind>{"|".join(KINDS)})(?: (?P<of>\S+))? -->\n(?P<before>.*?)<!-- end -->',
    re.DOTALL)


def document(text: str) -> str:
    """Return a page with everything marked made anew."""
    def replace(match: re.Match[str]) -> str:
        made = KINDS[match['kind']](match['of'] or '', match['before'])
        opening = match[0].partition('\n')[0]
        return f'{opening}\n{made}\n<!-- end -->'

    return _MARKED.sub(replace, text)


def pages() -> list[Path]:
    """Return every page of the documentation, the README first."""
    return [ROOT / 'README.md', *sorted((ROOT / 'docs').rglob('*.md'))]


def main() -> int:
    """Rewrite every page whose tables are not what the code has."""
    for page in pages():
        text = page.read_text()
        if (made := document(text)) != text:
            page.write_text(made)
    return 0


if __name__ == '__main__':
    sys.exit(main())
