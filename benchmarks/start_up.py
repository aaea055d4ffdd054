# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure what each node and the command line need to start: modules, memory and time.

A node has started when its first message is heard, a command when it has ended. What is compared
is the processor's time, which other work on the machine changes least, with that of a peer that
is started in turn: a node that has one service and one publisher of rclpy's and nothing else; for
commands, an interpreter that does nothing.
"""
from __future__ import annotations

import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from datetime import timezone
from pathlib import Path

from _claims import Claim
from _claims import options
from _claims import report

NAMESPACE = '/start_up'
DEADLINE_S = 60.0
BARE = """
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from std_srvs.srv import Trigger

rclpy.init()
node = rclpy.create_node('bare')
node.create_service(Trigger, 'service', lambda request, response: response)
publisher = node.create_publisher(
    String, '~/started', QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
publisher.publish(String())
rclpy.spin(node)
"""
#: Runs a script, and says at its end how much was resident.
WATCHED = """
import atexit, runpy, sys

atexit.register(lambda: sys.stderr.write(open('/proc/self/status').read()))
sys.argv = sys.argv[1:]
if sys.argv[0] != 'pass':
    runpy.run_path(sys.argv[0], run_name='__main__')
"""
SPACE = 'format: 1\ntasks: {push: {}}\nenvironments: {table: {}}\n'
SPEC = """
format: 1
reference: hand
observation: [{name: hand, field: 'hand.pose.position'}]
action: {field: 'action.position', low: [-1], high: [1]}
"""
#: What the peers are called in a claim.
NODE, COMMAND = 'a bare rclpy node', "'python -c pass'"
_IMPORTED = re.compile(r'import time:\s+\d+ \|\s+\d+ \|\s*(\S+)')
_RESIDENT = re.compile(r'VmRSS:\s+(\d+)')


@dataclass(frozen=True)
class Program:
    """
    What is started.

    :param topic: of its first message, without the namespace; empty: a command, which ends
    :param modules: most that it may import
    :param megabytes: most that may be resident once it has started (MB)
    :param ratio: most of the processor's time that it may take to start, in times of its peer's
    """

    name: str
    command: list[str]
    topic: str = ''
    modules: int = 0
    megabytes: float = 0.0
    ratio: float = 0.0

    @property
    def peer(self):
        """Return what it is compared with."""
        return NODE if self.topic else COMMAND


def main() -> int:
    arguments = options(__doc__).parse_args()
    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        claims = [Claim('nodes and commands: time to start', [], 'ratio', '<=', 2.0,
                        f'rclpy: {error}')]
    else:
        with tempfile.TemporaryDirectory() as scratch:
            claims = measure(programs(Path(scratch)), turns=3 if arguments.quick else 11)
    report('start_up', claims, arguments.out, packages=['torch', 'numpy', 'pydantic', 'scipy'])
    return 0


def programs(scratch):
    """Return the peers, and what is compared with them."""
    (scratch / 'space.yaml').write_text(SPACE)
    (scratch / 'data').mkdir()
    command = ['-c', WATCHED, executable('bin', 'active-collection')]
    return [
        Program(NODE, ['-c', BARE, '--ros-args', '-r', f'__ns:={NAMESPACE}'], 'bare/started'),
        Program('recorder', node('recorder', data_directory=scratch / 'data'),
                'recorder/status', modules=700, megabytes=100, ratio=2.2),
        Program('agent', node('agent', heartbeat_s=0.05),
                'robot_status', modules=650, megabytes=100, ratio=2.2),
        Program('uncertainty without ensemble',
                node('uncertainty', ensembles=scratch / 'none', diagnostics_period_s=0.05),
                '/diagnostics', modules=630, megabytes=95, ratio=2.2),
        Program('uncertainty with an ensemble',
                node('uncertainty', ensembles=ensemble(scratch), diagnostics_period_s=0.05),
                '/diagnostics', modules=1500, megabytes=320, ratio=8.0),
        Program('scheduler', node('scheduler', space=scratch / 'space.yaml',
                                  ledger=scratch / 'ledger.sqlite3'),
                'scheduler/state', modules=1100, megabytes=150, ratio=3.5),
        Program(COMMAND, ['-c', WATCHED, 'pass']),
        Program('active-collection --help', [*command, '--help'],
                modules=200, megabytes=30, ratio=5.0),
        Program('active-collection episodes list', [*command, 'episodes', 'list', scratch],
                modules=420, megabytes=60, ratio=15.0),
    ]


def executable(folder, name):
    from ament_index_python.packages import get_package_prefix

    return str(Path(get_package_prefix('active_collection'), folder, name))


def node(name, **parameters):
    given = [part for key, value in parameters.items() for part in ('-p', f'{key}:={value}')]
    return [executable('lib/active_collection', name), '--ros-args', '-r', f'__ns:={NAMESPACE}',
            *given]


def ensemble(scratch):
    """Return a small ensemble of numbers; this process alone imports torch for it."""
    import torch

    from active_collection.bags.observation import ObservationSpec
    from active_collection.config import parse
    from active_collection.uncertainty.building import build
    from active_collection.uncertainty.dataset import Dataset
    from active_collection.uncertainty.dataset import DecodedEpisode
    from active_collection.uncertainty.settings import TrainingSettings

    spec = parse(SPEC, ObservationSpec, where='spec')
    seen = torch.rand(4, 30, 3, generator=torch.Generator().manual_seed(0))
    episodes = [DecodedEpisode(str(number), 'push', values, values[:, :1])
                for number, values in enumerate(seen)]
    return build(Dataset.of(episodes, spec, {'hand': 3}), spec, TrainingSettings(steps=20),
                 out=scratch / 'ensembles', now=datetime(2026, 1, 1, tzinfo=timezone.utc)).path


def measure(started, *, turns):
    """Start each in turn, again and again; one round more counts what is imported."""
    os.environ.update(ROS_DOMAIN_ID=str(1 + os.getpid() % 100),
                      ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST')
    os.environ.pop('PYTHONDONTWRITEBYTECODE', None)  # modules are compiled once, as on a robot
    with Listener() as listener:
        imported = {program.name: start(program, listener, PYTHONPROFILEIMPORTTIME='1').modules
                    for program in started}
        runs = {program.name: [] for program in started}
        for turn in range(1 + turns):
            for program in started:
                run = start(program, listener)
                if turn:  # the first round warms up
                    runs[program.name].append(run)
    claims = []
    for program in started:
        claims += claims_of(program, runs[program.name], runs[program.peer],
                            imported[program.name])
    return claims


def claims_of(program, runs, beside, modules):
    """Return what is claimed of a program, of its runs and those of its peer in turn with them."""
    from active_collection.packages import GROUPS

    wall = {'seconds on the clock': statistics.median(run.seconds for run in runs)}
    busy = [run.busy for run in runs]
    resident = [run.megabytes for run in runs]
    if program.name == program.peer:
        return [Claim(f'{program.name}: time to start', busy, 's', absolute=wall),
                Claim(f'{program.name}: resident memory', resident, 'MB'),
                Claim(f'{program.name}: modules imported', [len(modules)], 'modules')]
    declared = sorted(modules & {name for members in GROUPS.values() for name in members})
    return [
        Claim(f'{program.name}: time to start / {program.peer}',
              [run.busy / peer.busy for run, peer in zip(runs, beside, strict=True)],
              'ratio', '<=', program.ratio,
              absolute={'seconds': statistics.median(busy), **wall}),
        Claim(f'{program.name}: resident memory', resident, 'MB', '<=', program.megabytes),
        Claim(f'{program.name}: modules imported', [len(modules)], 'modules', '<=',
              program.modules, f'with {", ".join(declared) or "none that is declared"}')]


@dataclass(frozen=True)
class Run:
    """
    How a program started.

    :param seconds: until its first message, or its end (s)
    :param busy: of the processor's time until then (s)
    :param megabytes: resident then (MB)
    :param modules: that it imported, where it was asked to tell
    """

    seconds: float
    busy: float
    megabytes: float
    modules: set[str]


class Listener:
    """Hears the first message of topics, in this process."""

    def __init__(self):
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        rclpy.init()
        self._node = rclpy.create_node('listener', namespace=NAMESPACE)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._subscription = None
        self._heard = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        import rclpy

        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown()

    def listen(self, topic):
        """Hear a topic from now on, and no other."""
        from active_collection.msg import RecorderStatus
        from active_collection.msg import RobotStatus
        from active_collection.msg import SchedulerState
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import DurabilityPolicy
        from rclpy.qos import QoSProfile
        from std_msgs.msg import String

        kind, is_latched = {
            'bare/started': (String, True), 'recorder/status': (RecorderStatus, True),
            'robot_status': (RobotStatus, False), 'scheduler/state': (SchedulerState, True),
            '/diagnostics': (DiagnosticArray, False)}[topic]
        qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL if is_latched
                         else DurabilityPolicy.VOLATILE)
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        self._heard = False
        self._subscription = self._node.create_subscription(kind, topic, self._on_message, qos)

    def wait(self, process):
        """Wait for its first message."""
        deadline = time.monotonic() + DEADLINE_S
        while not self._heard:
            self._executor.spin_once(timeout_sec=0.1)
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f'{process.args}: no message; status {process.poll()}')

    def _on_message(self, _):
        self._heard = True


def start(program, listener, **more):
    """Start a program, wait until it has, and end it."""
    if program.topic:
        listener.listen(program.topic)
    with tempfile.TemporaryFile('w+') as errors:
        began, before = time.monotonic(), ended_s()
        process = subprocess.Popen(
            [sys.executable, *map(str, program.command)], stdout=subprocess.DEVNULL,
            stderr=errors, env={**os.environ, **more})
        status = ''
        try:
            if program.topic:
                listener.wait(process)
                status = Path(f'/proc/{process.pid}/status').read_text()
                busy = busy_s(process.pid)
            else:
                process.wait(DEADLINE_S)
                busy = ended_s() - before
            seconds = time.monotonic() - began
        finally:
            end(process)
        errors.seek(0)
        said = errors.read()
    return Run(seconds, busy, int(_RESIDENT.search(status or said)[1]) * 1024 / 1e6,
               set(_IMPORTED.findall(said)))


def busy_s(pid):
    """Return how much of the processor's time a process that runs has taken (s)."""
    after_name = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf('SC_CLK_TCK')


def ended_s():
    """Return how much of it the processes have taken that have ended (s)."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def end(process):
    """End a program, if need be by force."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == '__main__':
    sys.exit(main())
