# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a node's executable answers to --help."""
from __future__ import annotations

import textwrap
from collections.abc import Iterator

from active_collection.nodes.catalogue import NODES
from active_collection.nodes.catalogue import NodeDescription
from active_collection.setting import MEANINGS
from active_collection.setting import Setting
from active_collection.setting import settings_of
from active_collection.setting import written


def help_page(name: str, *, columns: int) -> str:
    """
    Return what a node is for, its topics, services and parameters, and how it is started.

    :param name: of the node, which is that of its executable
    :param columns: longest line
    """
    node = NODES[name]
    blocks = [
        [f'usage: ros2 run active_collection {name} [--help | --version] [--ros-args ...]'],
        textwrap.wrap(_plain(f'{name} ({node.place}). {node.purpose}'), columns),
        ['Topics, services and actions, below its namespace:', *_endpoints(node, columns)],
        textwrap.wrap(_plain(node.more), columns),
        ['Parameters, each with its type, range [unit], default, and when it can be set:',
         *[f'  {when.value + ":":<15}{meaning}' for when, meaning in MEANINGS.items()]],
        [line for setting in settings_of(node.settings())
         for line in _parameter(setting, columns)],
        ['  use_sim_time  boolean, default false, start',
         '      whether time comes from the topic /clock, as for every node'],
        ['A file with all of them and their defaults:',
         f'  $(ros2 pkg prefix --share active_collection)/config/{name}.yaml'],
        ['Example:', f'  ros2 run active_collection {name} --ros-args {node.example}'],
    ]
    return '\n\n'.join('\n'.join(block) for block in blocks if block)


def _endpoints(node: NodeDescription, columns: int) -> Iterator[str]:
    wide = max(len(each.name) for each in node.endpoints)
    for each in sorted(node.endpoints, key=lambda each: each.role):
        meaning = f': {_plain(each.meaning)}' if each.meaning else ''
        yield from textwrap.wrap(
            f'  {each.role:<10}  {each.name:<{wide}}  {each.type}{meaning}', columns,
            subsequent_indent=' ' * (wide + 16), break_on_hyphens=False)


def _parameter(setting: Setting, columns: int) -> list[str]:
    unit = f' [{setting.unit}]' if setting.unit else ''
    kind = ', '.join(filter(None, [setting.kind_words, setting.range_words]))
    default = 'required' if setting.is_required else f'default {written(setting.default)}'
    return [*textwrap.wrap(
                f'  {setting.name}  {kind}{unit}, {default}, {setting.changes.value}', columns,
                subsequent_indent=' ' * 6, break_on_hyphens=False),
            *textwrap.wrap(_plain(setting.description), columns, initial_indent=' ' * 6,
                           subsequent_indent=' ' * 6)]


def _plain(text: str) -> str:
    """Return a text without what Markdown marks names with."""
    return text.replace('`', '')
