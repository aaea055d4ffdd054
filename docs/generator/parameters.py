# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The nodes' parameters as tables, from their settings models."""
from __future__ import annotations

from active_collection.nodes.catalogue import NODES
from active_collection.setting import MEANINGS
from active_collection.setting import Setting
from active_collection.setting import settings_of
from active_collection.setting import written

from generator.markdown import table


def of_node(node: str) -> str:
    """Return the table of a node's parameters."""
    return table(
        ['parameter', 'default', 'type, range [unit]', 'changes', 'meaning'],
        [[f'`{setting.name}`', _default(setting), _type(setting), setting.changes.value,
          setting.description] for setting in settings_of(NODES[node].settings())])


def changes() -> str:
    """Return the table of what "changes" says of a parameter."""
    return table(['changes', 'can be set'],
                 [[when.value, meaning] for when, meaning in MEANINGS.items()])


def _default(setting: Setting) -> str:
    return 'required' if setting.is_required else f'`{written(setting.default)}`'


def _type(setting: Setting) -> str:
    words = ', '.join(filter(None, [setting.kind_words, setting.range_words]))
    return f'{words} [{setting.unit}]' if setting.unit else words
