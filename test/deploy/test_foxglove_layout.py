# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The Foxglove layout is one that Foxglove imports, and becomes another robot's by one command."""
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYOUT = ROOT / 'deploy' / 'foxglove' / 'robot.json'
PAGE = ROOT / 'docs' / 'how-to' / 'watch-a-robot.md'
#: Panels of Foxglove by the type in front of their id, with what each has to say.
PANELS = {
    'Image': 'imageMode', 'Plot': 'paths', 'StateTransitions': 'paths',
    'DiagnosticSummary': 'topicToRender', 'RawMessages': 'topicPath', 'Tab': 'tabs'}


@pytest.fixture
def layout():
    return json.loads(LAYOUT.read_text())


def placed(node):
    """Yield every panel id of a tree of splits."""
    if isinstance(node, str):
        yield node
        return
    assert set(node) == {'direction', 'first', 'second', 'splitPercentage'}
    assert node['direction'] in {'row', 'column'} and 0 < node['splitPercentage'] < 100
    yield from placed(node['first'])
    yield from placed(node['second'])


def test_it_has_the_parts_that_foxglove_imports(layout):
    assert set(layout) == {
        'configById', 'globalVariables', 'userNodes', 'playbackConfig', 'layout'}


def test_every_panel_has_a_place_and_every_place_a_panel(layout):
    shown = list(placed(layout['layout']))
    for panel in layout['configById'].values():
        for tab in panel.get('tabs', []):
            shown += placed(tab['layout'])

    assert sorted(shown) == sorted(layout['configById'])


def test_panels_are_of_kinds_that_foxglove_has_with_what_they_show(layout):
    kinds = {name: name.partition('!')[0] for name in layout['configById']}

    assert set(kinds.values()) == set(PANELS)
    for name, panel in layout['configById'].items():
        assert panel[PANELS[kinds[name]]]


def commands():
    return re.findall(r'^sed .*robot\.json', PAGE.read_text(), re.MULTILINE)


@pytest.mark.parametrize(('command', 'namespace', 'robot'), list(zip(
    commands(), ['/arm_7/', '/cell_3/arm_1/'], ['arm_7', 'cell_3.arm_1'], strict=True)))
def test_the_shown_command_makes_it_another_robot_s(layout, command, namespace, robot):
    # Where the package is installed from, for there is no ros2 here.
    command = command.replace('$(ros2 pkg prefix --share active_collection)', str(ROOT / 'deploy'))
    made = subprocess.run(['bash', '-c', command], capture_output=True, text=True,
                          check=True).stdout

    found = json.loads(made)
    topics = [text for text in re.findall(r'"(/[^"]*)"', made)
              if not text.startswith(('/diagnostics', '/scheduler'))]
    assert topics and all(topic.startswith(namespace) for topic in topics)
    [shown] = [panel['hardwareIdFilter'] for panel in found['configById'].values()
               if 'hardwareIdFilter' in panel]
    assert shown == robot
    assert len(found['configById']) == len(layout['configById'])
