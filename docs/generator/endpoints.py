# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The nodes' topics, services and actions as tables, from the catalogue of nodes."""
from __future__ import annotations

from active_collection.nodes.catalogue import NODES
from active_collection.nodes.catalogue import Endpoint

from generator.markdown import table

#: Where more is said of a name.
SEE = {'/diagnostics': '[Diagnostics](../diagnostics.md)'}


def of_node(node: str) -> str:
    """Return the table of a node's topics, services and actions."""
    return table(['name', 'type', '', 'QoS', ''], map(_row, NODES[node].endpoints))


def _row(endpoint: Endpoint) -> list[str]:
    kind = endpoint.type
    if '/' not in kind:
        kind = f'[{kind}](../messages.md#{kind.lower()})'
    see = f'see {SEE[endpoint.name]}' if endpoint.name in SEE else ''
    return [f'`{endpoint.name}`', kind, endpoint.role, endpoint.qos,
            '; '.join(filter(None, [endpoint.meaning, see]))]
