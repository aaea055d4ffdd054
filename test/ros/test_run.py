# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A node as a process: starts, stops on signals, refuses bad parameters in one line."""
import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_prefix

PROGRAM = textwrap.dedent("""
    import ctypes
    import os
    import signal
    import sys
    import threading
    import time
    from pydantic import Field
    from active_collection.config import Model
    from active_collection.nodes import run as limits
    from active_collection.nodes.parameters import ParameterNode
    from active_collection.nodes.run import run
    from active_collection.nodes.unexpected import FatalError

    class Disk(Model):
        reserve: float = Field(default=1.0, ge=0, description='bytes kept free')

    class Settings(Model):
        data: str
        topics: tuple[str, ...] = ()
        disk: Disk = Disk()

    class Probe(ParameterNode):
        hangs = None

        def __init__(self):
            super().__init__('probe', automatically_declare_parameters_from_overrides=True)
            settings = self.declare_settings(Settings)
            self.create_timer(0.01, self.tick)
            self.fails = settings.data == 'fails'
            self.fatal = settings.data == 'fatal'
            self.times = 0
            self.interrupts = settings.data == 'interrupts'
            self.hangs = {'hangs': time.sleep, 'hangs in C': ctypes.PyDLL(None).sleep}.get(
                settings.data)
            if self.hangs:
                limits.CLOSE_LIMIT_S = limits.HARD_LIMIT_S = 0.5
            self.closed = threading.Event()
            print('ready', settings.model_dump_json(), flush=True)

        def tick(self):
            if self.fails:
                self.times += 1
                if self.times == 3:
                    print('went on', flush=True)
                raise RuntimeError('broken callback')
            if self.fatal:
                raise FatalError from RuntimeError('the end')
            if self.interrupts:
                os.kill(os.getpid(), signal.SIGTERM)
                assert self.closed.wait(9.0)
                time.sleep(0.5)  # still at work while the main thread closes everything else
                print('done', flush=True)

        def close(self):
            print('closed', flush=True)
            if self.interrupts:
                self.shutdown, self.executor.shutdown = self.executor.shutdown, self.shut_down
            self.closed.set()

        def destroy_node(self):
            if self.hangs:
                self.hangs(300)
            super().destroy_node()

        def shut_down(self, **options):
            spins = any(thread.name == 'executor' for thread in threading.enumerate())
            print('shut down', 'while it spins' if spins else 'at rest', flush=True)
            return self.shutdown(**options)

    sys.exit(run(Probe))
""")


@pytest.fixture
def probe(tmp_path):
    """Start the program with parameters; end it whatever happens."""
    started = []

    def start(*parameters, namespace='/'):
        path = tmp_path / 'probe.py'
        path.write_text(PROGRAM)
        arguments = [part for p in parameters for part in ('-p', p)]
        if namespace != '/':
            arguments += ['-r', f'__ns:={namespace}']
        process = subprocess.Popen(
            [sys.executable, str(path), *(['--ros-args', *arguments] if arguments else [])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def line(process, timeout_s=20):
    ready, _, _ = select.select([process.stdout], [], [], timeout_s)
    assert ready, 'nothing printed'
    return process.stdout.readline()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_closes_the_node_and_ends_with_status_0(probe, number):
    process = probe('data:=/d')
    assert line(process).startswith('ready')
    start = time.monotonic()

    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert 'closed' in out
    assert 'Traceback' not in err
    assert time.monotonic() - start < 5


def test_parameters_become_the_settings(probe):
    process = probe('data:=/d', 'disk.reserve:=2', "topics:=['/a', '/b']")

    assert line(process) == 'ready {"data":"/d","topics":["/a","/b"],"disk":{"reserve":2.0}}\n'


@pytest.mark.parametrize(('parameters', 'words'), [
    ([], ['data: found nothing']),
    (['data:=/d', 'disk.reserv:=1.0'], ["'disk.reserv'", "did you mean 'disk.reserve'"]),
    (['data:=/d', 'disk.reserve:=-1.0'], ['disk.reserve', '-1.0', 'greater than or equal to 0']),
    (['data:=/d', 'topics:=[]'], ['empty list']),
])
def test_a_bad_parameter_ends_the_process_with_one_line(probe, parameters, words):
    process = probe(*parameters)

    out, err = process.communicate(timeout=60)

    assert process.returncode == 2
    assert out == ''
    assert len(err.strip().splitlines()) == 1
    for word in words:
        assert word in err


@pytest.mark.parametrize(('namespace', 'words'), [
    ('/ro.bot', ['/ro.bot']),
    ('/a/../b', ['/a/../b']),
    ('/🤖', ['remap']),
    ('/robot/', ["must not end with a '/'"]),
    (f'/{"r" * 230}', ['service name', 'length']),
    (f'/{"r" * 10_000}', ['namespace', 'RMW_NAMESPACE_MAX_NAME_LENGTH']),
])
def test_a_bad_namespace_ends_the_process_with_one_line_that_says_why(probe, namespace, words):
    process = probe('data:=/d', namespace=namespace)

    out, err = process.communicate(timeout=60)

    own = [text for text in err.strip().splitlines() if '[rcl]' not in text]
    assert (process.returncode, out) == (2, '')
    assert len(own) == 1 and len(own[0]) < 500, err
    for word in words:
        assert word in own[0]


def test_a_callback_at_work_when_the_signal_comes_is_done_first(probe):
    """Before the executor is shut down, which takes away what it needs to end a callback."""
    process = probe('data:=interrupts')

    out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (0, '')
    assert out.splitlines()[-3:] == ['closed', 'done', 'shut down at rest']


@pytest.mark.parametrize(('data', 'words'), [
    ('hangs', 'probe: not closed after 0.5 s, ended'),
    ('hangs in C', 'in destroy_node'),  # as Fast DDS does: no other thread of Python runs
])
def test_a_node_that_does_not_close_is_ended(probe, data, words):
    process = probe(f'data:={data}')
    line(process)  # ready

    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert words in err


def test_a_callback_that_raises_what_nobody_foresaw_is_told_once_and_the_node_goes_on(probe):
    process = probe('data:=fails')
    line(process)  # ready
    assert line(process) == 'went on\n'

    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 0
    assert err.count('RuntimeError: broken callback at probe.py:') == 1
    assert err.count('Traceback') == 1


def test_a_callback_ends_the_process_where_it_says_so(probe):
    process = probe('data:=fatal')

    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert 'RuntimeError: the end' in err


def test_a_missing_parameter_file_is_named(probe, tmp_path):
    path = tmp_path / 'probe.py'
    path.write_text(PROGRAM)

    result = subprocess.run(
        [sys.executable, str(path), '--ros-args', '--params-file', '/no/such.yaml'],
        capture_output=True, text=True, cwd=tmp_path, timeout=60, env=os.environ)

    assert result.returncode == 2
    assert '/no/such.yaml' in result.stderr
    assert 'Traceback' not in result.stderr


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('library', ['rclpy', 'pydantic_core'])  # imported early, and late
def test_a_node_that_is_interrupted_while_it_is_imported_ends_without_a_word(number, library):
    prefix = Path(get_package_prefix('active_collection'))
    node = subprocess.Popen([sys.executable, str(prefix / 'lib/active_collection/uncertainty')],
                            stderr=subprocess.PIPE, text=True)
    maps, deadline = Path(f'/proc/{node.pid}/maps'), time.monotonic() + 60
    try:
        while f'/{library}/' not in maps.read_text():
            assert time.monotonic() < deadline, f'{library} is not imported'
        node.send_signal(number)
        _, said = node.communicate(timeout=60)
    finally:
        node.kill()

    assert (said, node.returncode) == ('', 0)


def test_a_node_whose_library_is_not_installed_says_which_and_how_to_get_it(tmp_path):
    (tmp_path / 'pydantic').mkdir()
    (tmp_path / 'pydantic' / '__init__.py').write_text(
        "raise ModuleNotFoundError('No module named pydantic', name='pydantic')")
    recorder = Path(get_package_prefix('active_collection')) / 'lib/active_collection/recorder'

    result = subprocess.run(
        [sys.executable, str(recorder)], capture_output=True, text=True, timeout=60,
        env=os.environ | {'PYTHONPATH': f'{tmp_path}:{os.environ["PYTHONPATH"]}'})

    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr.startswith('recorder: found no Python package pydantic, expected pip')
    assert len(result.stderr.splitlines()) == 1
