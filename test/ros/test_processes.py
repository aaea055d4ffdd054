# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Child processes end with their parent, in every way that it can end."""
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from active_collection.nodes.demo.processes import Processes
from active_collection.nodes.demo.processes import ProcessFailedError

SLEEPER = [sys.executable, '-c', 'import signal; print("up", flush=True); signal.pause()']
STUBBORN = [sys.executable, '-c',
            'import signal\nfor n in (2, 15): signal.signal(n, signal.SIG_IGN)\n'
            'print("up", flush=True)\nwhile True: signal.pause()']


def until(condition, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, 'condition not met in time'
        threading.Event().wait(0.01)


def test_all_end_with_the_block_and_leave_their_output_in_logs(tmp_path):
    with Processes(tmp_path, os.environ) as processes:
        for name in ('a', 'b'):
            processes.start(name, SLEEPER)
        until(lambda: all('up' in processes.log(n).read_text() for n in ('a', 'b')))
        processes.check()
        children = psutil.Process().children()

    assert not any(child.is_running() for child in children)


def test_one_that_ends_by_itself_is_named_with_its_last_line(tmp_path):
    with Processes(tmp_path, os.environ) as processes:
        processes.start('bad', [sys.executable, '-c', 'print("no space"); raise SystemExit(3)'])
        child = psutil.Process().children()[-1]
        until(lambda: child.status() == psutil.STATUS_ZOMBIE)

        with pytest.raises(ProcessFailedError, match=r'bad .*exit status 3: no space'):
            processes.check()


def test_one_that_ignores_signals_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr('active_collection.nodes.demo.processes.GRACE_S', 0.2)
    processes = Processes(tmp_path, os.environ)
    processes.start('stubborn', STUBBORN)
    until(lambda: 'up' in processes.log('stubborn').read_text())

    assert processes.stop() == {'stubborn': -signal.SIGKILL}


def test_children_end_when_the_parent_is_killed(tmp_path):
    program = (
        'import os, sys, signal\nfrom pathlib import Path\n'
        'from active_collection.nodes.demo.processes import Processes\n'
        f'p = Processes(Path({str(tmp_path)!r}), os.environ)\n'
        f'p.start("child", {SLEEPER!r})\nsignal.pause()\n')
    parent = subprocess.Popen([sys.executable, '-c', program], cwd=tmp_path)
    log = tmp_path / 'child.log'
    until(lambda: log.exists() and 'up' in log.read_text())
    children = psutil.Process(parent.pid).children()
    assert children

    parent.kill()
    parent.wait()

    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive
