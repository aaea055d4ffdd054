# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A process that is asked to end: while it starts, twice, with its terminal or its launch."""
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import textwrap
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

pytest.importorskip('rclpy')
sys.path.insert(0, str(Path(__file__).parent))
from ament_index_python.packages import get_package_prefix
from recorder_peers import wait_for

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.episode import Outcome
from active_collection.nodes.process_start import ENDING
from active_collection.nodes.process_start import PARENT

#: Its second argument is where it waits for a line: 'start', or 'spin' for nowhere.
PROGRAM = textwrap.dedent("""
    import atexit
    import os
    import signal
    import sys
    import threading
    from rclpy.callback_groups import ReentrantCallbackGroup
    from rclpy.node import Node
    from active_collection.nodes.run import run

    class Probe(Node):
        def __init__(self):
            super().__init__('probe')
            if sys.argv[1] == 'start':
                print('starting', flush=True)
                sys.stdin.readline()
            self.busy = threading.Event()
            if sys.argv[1] == 'busy':
                # More callbacks than threads, all of them due all the time.
                group = ReentrantCallbackGroup()
                for _ in range(40):
                    self.create_timer(0.001, lambda: self.busy.wait(0.01), callback_group=group)
            self.first = self.create_timer(0.001, self.begin)
            print('ready', flush=True)

        def begin(self):
            self.first.cancel()
            if sys.argv[1] == 'within':
                print('spinning', flush=True)

        def close(self):
            print('closing', flush=True)
            if sys.argv[1] == 'close':
                sys.stdin.readline()
            print('closed', flush=True)

    def late():
        # Python takes handlers away next; what is ignored stays so.
        os.kill(os.getpid(), signal.SIGINT)
        status = open('/proc/self/status').read()
        print(status.partition('SigIgn:')[2].split()[0], flush=True)

    def within(frame, event, _):
        # Another signal at each line of a handler, and of what it calls.
        if frame.f_code.co_name != 'asked_to_stop' and not (
                frame.f_back and frame.f_back.f_trace):
            return None
        if event == 'line':
            signal.raise_signal(signal.SIGTERM)
        return within

    if sys.argv[1] == 'within':
        sys.settrace(within)
    if sys.argv[1] == 'late':
        atexit.register(late)
    sys.exit(run(Probe, threads=2))
""")


@pytest.fixture
def probe(tmp_path):
    """Start the program; end it whatever happens."""
    started = []

    def start(what, **options):
        path = tmp_path / 'probe.py'
        path.write_text(PROGRAM)
        started.append(subprocess.Popen(
            [sys.executable, str(path), what], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd=tmp_path, **options))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def said(process, word):
    """Read what it prints until it has said a word."""
    while (line := process.stdout.readline().strip()) != word:
        assert line, f'it ended without {word}'


def ended(process, line=None):
    """Return what else it says and its status."""
    out, err = process.communicate(line, timeout=60)
    return process.returncode, out.split(), err


def test_a_signal_while_it_starts_closes_it_once_it_has(probe):
    process = probe('start')
    said(process, 'starting')

    process.send_signal(signal.SIGTERM)

    assert ended(process, '\n') == (0, ['ready', 'closing', 'closed'], '')


def test_a_second_signal_ends_one_that_takes_long_to_start(probe):
    process = probe('start')
    said(process, 'starting')

    process.send_signal(signal.SIGTERM)
    # One that comes with the first may be given to a thread that cannot wake the main one.
    for _ in range(200):
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.1)
            break

    assert process.poll() == 0  # while it still waits for the line
    assert ended(process) == (0, [], '')


def test_a_second_signal_leaves_one_that_is_closing_to_go_on(probe):
    process = probe('close')
    said(process, 'ready')
    process.send_signal(signal.SIGINT)
    said(process, 'closing')

    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)

    assert ended(process, '\n') == (0, ['closed'], '')


def test_signals_that_come_within_one_another_close_it_once(probe):
    process = probe('within')
    said(process, 'spinning')

    process.send_signal(signal.SIGINT)

    assert ended(process) == (0, ['closing', 'closed'], '')


def test_a_signal_while_python_shuts_down_makes_no_traceback_of_a_clean_end(probe):
    process = probe('late')
    said(process, 'ready')

    process.send_signal(signal.SIGINT)

    status, (*words, ignored), err = ended(process)
    assert (status, words, err) == (0, ['closing', 'closed'], '')
    assert all(int(ignored, 16) & 1 << number - 1 for number in ENDING)


def test_callbacks_that_wait_for_a_thread_leave_no_exception_behind(probe):
    process = probe('busy')
    said(process, 'ready')

    process.send_signal(signal.SIGINT)

    assert ended(process) == (0, ['closing', 'closed'], '')


def test_one_that_is_to_outlive_its_terminal_does(probe):
    process = probe('spin', preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    said(process, 'ready')

    status = Path(f'/proc/{process.pid}/status').read_text()
    ignored = int(status.partition('SigIgn:')[2].split()[0], 16)
    assert ignored & 1 << signal.SIGHUP - 1

    process.send_signal(signal.SIGTERM)
    assert ended(process) == (0, ['closing', 'closed'], '')


def test_a_terminal_that_is_closed_has_the_recorder_close_its_episode(peer, tmp_path):
    ours, theirs = pty.openpty()
    recorder = subprocess.Popen(
        [sys.executable, executable('recorder'), '--ros-args', '-r',
         f'__ns:={peer.get_namespace()}', '-p', f'data_directory:={tmp_path}', '-p',
         'disk_reserve_bytes:=0'],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))  # noqa: PLW1509
    try:
        os.close(theirs)
        assert peer.start('e1').code == 0

        os.close(ours)

        assert recorder.wait(timeout=60) == 0
        path, = find_episodes(tmp_path)
        assert read_record(path).outcome is Outcome.ABORTED
        assert not list(tmp_path.rglob('*.recording'))
    finally:
        recorder.kill()
        recorder.wait()


def executable(name):
    return str(Path(get_package_prefix('active_collection'), 'lib/active_collection', name))


def test_a_node_ends_in_order_when_the_launch_that_started_it_is_killed(tmp_path):
    log = tmp_path / 'agent.log'
    program = (
        'import os, signal, subprocess\n'
        f'env = {{**os.environ, {PARENT!r}: str(os.getpid())}}\n'
        f'subprocess.Popen([{sys.executable!r}, {executable("agent")!r}, "--ros-args", "-r", '
        f'"__ns:=/arm_1", "-p", "answer_s:=0.1"], env=env, stderr=open({str(log)!r}, "w"))\n'
        'signal.pause()\n')
    launch = subprocess.Popen([sys.executable, '-c', program])
    try:
        wait_for(lambda: log.exists() and 'recorder/start_episode is not there' in log.read_text(),
                 'the agent to run')
        agent, = psutil.Process(launch.pid).children()
    finally:
        launch.kill()
        launch.wait()

    _, alive = psutil.wait_procs([agent], timeout=60)

    assert not alive
    assert log.read_text().rstrip().endswith('idle: stopped')


def test_a_node_does_not_start_for_a_launch_that_is_gone():
    gone = subprocess.Popen([sys.executable, '-c', ''])
    gone.wait()

    result = subprocess.run(
        [sys.executable, executable('agent')], env={**os.environ, PARENT: str(gone.pid)},
        capture_output=True, text=True, timeout=60)

    # Without a namespace it would refuse with status 2 and a line.
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')


def test_the_nodes_own_children_are_told_of_no_parent(tmp_path):
    program = ('import os; from active_collection.nodes.process_start import begin, PARENT; '
               'begin(interrupted=0); print(PARENT in os.environ)')

    result = subprocess.run(
        [sys.executable, '-c', program], env={**os.environ, PARENT: str(os.getpid())},
        capture_output=True, text=True, timeout=60)

    assert result.stdout == 'False\n'
