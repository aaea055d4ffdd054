# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Every command that the documentation shows works: it is run, or checked against the code."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import blocks as reading
import commands
import worlds
from blocks import PAGES
from blocks import ROOT
from blocks import Block
from blocks import Wrong


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page; none where it does not say how, of which a test of its own tells."""
    try:
        return reading.blocks(page)
    except ValueError:
        return []


@pytest.mark.parametrize('page', PAGES, ids=name)
def test_every_block_says_how_it_is_tested(page):
    reading.blocks(page)


@pytest.mark.parametrize('block', [b for p in PAGES for b in blocks_of(p)], ids=str)
def test_every_command_exists_and_takes_its_arguments(block):
    assert commands.check_all(block.text) > 0


def _sessions() -> list:
    """The blocks of each page that are run."""
    sessions = []
    for page in PAGES:
        run = [block for block in blocks_of(page) if block.mode == 'run']
        marks = [pytest.mark.slow, pytest.mark.timeout(600)] if any(
            block.is_slow for block in run) else []
        if run:
            sessions.append(pytest.param(run, id=name(page), marks=marks))
    return sessions


#: Pages that begin with the installation of one more package, and what it is imported as.
NEEDS = {'export-to-lerobot': 'av', 'index-on-many-machines': 'ray'}


@pytest.mark.parametrize('run', _sessions())
def test_the_commands_of_a_page_work(run, tmp_path):
    if run[0].page.stem in NEEDS:
        pytest.importorskip(NEEDS[run[0].page.stem])
    for world in [block.world for block in run if block.world]:
        worlds.WORLDS[world](tmp_path)

    worlds.run(run, tmp_path, timeout_s=500)


@pytest.mark.parametrize('command', [
    'active-collection frobnicate',
    'active-collection index',
    'active-collection select --rat 1',
    'active-collection select --strategy crystal_ball',
    'make coffee',
    'make demo ARGS="--tasks juggle"',
    'make bench BENCH=patience',
    'ros2 launch active_collection robots.launch.py',
    'ros2 launch active_collection robot.launch.py rob:=a',
    'ros2 run active_collection recorders',
    'ros2 run active_collection recorder --ros-args -p chunk_bytes:=large',
    'ros2 run active_collection recorder --ros-args -p chunky_bytes:=1',
    'ros2 param set /scheduler epsilons 0.1',
    'ros2 param set /arm_1/recorders compression zstd',
    'ros2 topic echo /arm_1/uncertainty/estimates',
    'ros2 service call /scheduler/pause active_collection/srv/SteerRobot',
    'ros2 service call /scheduler/steer_scenario active_collection/srv/SteerScenario "{tsk: a}"',
    'pip install ".[servant]"',
    'cp src/active_collection/nowhere .',
    'frobnicate',
    'sudo frobnicate',
    'ls $(frobnicate)',
    'ls $(ros2 pkg prefix --share active_collection)/nowhere',
    'python3 nowhere.py',
    'docker build --file deploy/docker/boat.Dockerfile .',
    'docker run active_collection:server frobnicate',
    'docker run active_collection:robot ros2 launch active_collection boat.launch.py',
    'sudo systemctl start active-collection-boat@arm_1',
    'ls && active-collection frobnicate',
])
def test_a_command_that_would_not_work_is_found(command):
    with pytest.raises(Wrong):
        commands.check_all(command)


@pytest.mark.parametrize('comment', ['', '<!-- test: hope -->', '<!-- test: check slow -->'])
def test_a_block_that_does_not_say_how_it_is_tested_is_refused(comment, tmp_path, monkeypatch):
    page = tmp_path / 'page.md'
    page.write_text(f'# Page\n\n{comment}\n```bash\ntrue\n```\n')
    monkeypatch.setattr(reading, 'ROOT', tmp_path)

    with pytest.raises(ValueError, match=r'page.md:4: found'):
        reading.blocks(page)
