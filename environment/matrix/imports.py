# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Import every module that needs no ROS, each in an order of its own: imports.py RESULT

Writes {"module": "" or why not} as JSON. Runs in an environment to be tried that has the package.
"""
from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def modules() -> list[str]:
    """Return every module of the package but the nodes, dotted."""
    import active_collection

    (home,) = map(Path, active_collection.__path__)
    found = ['.'.join(('active_collection', *path.relative_to(home).with_suffix('').parts))
             for path in sorted(home.rglob('*.py'))]
    return [name.removesuffix('.__init__') for name in found if '.nodes' not in name]


def main() -> int:
    results = {}
    for name in modules():
        try:
            importlib.import_module(name)
            results[name] = ''
        except Exception as error:  # whatever it is, it is the result
            results[name] = f'{type(error).__name__}: {error}'
    Path(sys.argv[1]).write_text(json.dumps(results, indent=2))
    return int(any(results.values()))


if __name__ == '__main__':
    sys.exit(main())
