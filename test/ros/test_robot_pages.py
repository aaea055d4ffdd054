# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages that need a robot, walked through as a reader would: real nodes, real terminals."""
from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'test' / 'docs'))

import blocks as reading  # noqa: E402 - of test/docs
import worlds  # noqa: E402
from blocks import PAGES  # noqa: E402
from blocks import Block  # noqa: E402

PROGRAM = Path(__file__).with_name('ros2_program.py')
TUTORIAL = '~/ws/src/active_collection/docs/tutorials/first_day'
RECORDER = 'ros2 run active_collection recorder --ros-args -r __ns:=/arm_1'
#: What runs beside the blocks of a page, each in a terminal.
BESIDE = {
    'recorder': [f'{RECORDER} -p data_directory:=/data'],
    'driver': [f'python3 {TUTORIAL}/driver.py --ros-args -r __ns:=/arm_1'],
    'fleet': ['ros2 launch active_collection fleet.launch.py data:=/data '
              'space:=$HOME/ws/src/active_collection/config/scenario_space.yaml'],
    'uncertainty': ['ros2 run active_collection uncertainty --ros-args -r __ns:=/arm_1'],
}
EPISODES_S = 120.0


class Walk:
    """A reader's shells in one home, in which /data is ~/data."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._environment = worlds.settle(home)
        worlds.write_program(home / '.programs' / 'ros2', f'{sys.executable} {PROGRAM}')
        self._where = home
        self._terminals: list[tuple[subprocess.Popen[bytes], Path]] = []

    def open_terminal(self, text: str) -> None:
        log = self.home / f'.terminal_{len(self._terminals)}'
        with log.open('wb') as file:
            self._terminals.append((subprocess.Popen(
                ['bash', '-c', self._here(text)], cwd=self._where, env=self._environment,
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True), log))

    def run(self, block: Block) -> None:
        """Run a block where the one before it ended."""
        done = subprocess.run(
            ['bash', '-euo', 'pipefail', '-c', f'{self._here(block.text)}\npwd > ~/.where'],
            cwd=self._where, env=self._environment, stdin=subprocess.DEVNULL, text=True,
            capture_output=True, timeout=300)
        assert done.returncode == 0, f'{block}\n{done.stdout}\n{done.stderr}\n{self.logs()}'
        self._where = Path((self.home / '.where').read_text().strip())

    def await_episodes(self, count: int) -> None:
        end = time.monotonic() + EPISODES_S
        while len(list(self.home.rglob('episodes/*/*[!g]/metadata.yaml'))) < count:
            assert time.monotonic() < end, self.logs()
            assert all(process.poll() is None for process, _ in self._terminals), self.logs()
            time.sleep(0.2)

    def stop(self) -> None:
        """Press Ctrl-C in every terminal; each has to end in order."""
        terminals, self._terminals = self._terminals, []
        for process, _ in terminals:
            os.killpg(process.pid, signal.SIGINT)
        for process, log in terminals:
            assert process.wait(timeout=60) == 0, log.read_text()
            said = log.read_text()
            assert 'Traceback' not in said and 'never retrieved' not in said, said

    def kill(self) -> None:
        for process, _ in self._terminals:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def logs(self) -> str:
        return '\n'.join(log.read_text()[-3000:] for _, log in self._terminals)

    def _here(self, text: str) -> str:
        return re.sub(r'(?<![\w.~}/])/data\b', f'{self.home}/data', text)


@pytest.fixture
def walk(tmp_path):
    one = Walk(tmp_path)
    yield one
    one.kill()


def pages():
    for page in PAGES:
        found = [block for block in reading.blocks(page) if block.mode == 'robot']
        if found:
            yield pytest.param(found, id=str(page.relative_to(ROOT)))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize('found', list(pages()))
def test_a_reader_gets_through_a_page_with_a_robot(found, walk):
    for block in found:
        if block.is_stopped:
            walk.stop()
        if block.world:
            shutil.copytree(worlds.EXAMPLES / 'ensembles', walk.home / 'data' / 'ensembles')
        for text in BESIDE[block.world] if block.world else ():
            walk.open_terminal(text)
        walk.await_episodes(block.after)
        if block.is_terminal:
            walk.open_terminal(block.text)
        else:
            walk.run(block)
    walk.stop()
