# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
A fleet in bad days: nodes are killed, held up and started again, and its clock is set.

Every node is the real one, in a process of its own; the robots' drivers are played here. What has
to hold in the end is in `Soak.faults`.
"""
from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field

from active_collection.msg import Episode
from active_collection.srv import AmendEpisode
from builtin_interfaces.msg import Time
from fleet_peers import SPACE
from fleet_peers import Console
from fleet_peers import Process
from fleet_peers import Rig
from fleet_peers import finished
from fleet_peers import until
from process_memory import Growth
from process_memory import ProcessMemory
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from spinner import Spinner
from std_msgs.msg import UInt64

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.bags.reader import open_bag
from active_collection.episode import StopReason
from active_collection.recording.store import EpisodeStore
from active_collection.recording.verify import verify
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.ledger.verification import problems

START_NS = 1_790_000_000_000_000_000
CLOCK_HZ = COUNT_HZ = 20.0
#: Longest that a node stays away, or is held up (s).
LONGEST_AWAY_S = 8.0
#: Between two looks at the memory of the nodes (s).
LOOK_S = 5.0
#: Of so many robots one is spared, and with it the scheduler after a third of the time: they are
#: held up but never ended, so that it shows whether what lives on grows while others come and go.
SPARED_OF = 4
#: Names of a robot's nodes, and what the agent waits for at most.
NODES = ('agent', 'recorder', 'uncertainty')
SCHEDULER = ('', 'scheduler')
PATIENCE = {'retry_s': 0.3, 'answer_s': 4.0, 'heartbeat_s': 0.3, 'recorder_silence_s': 1.5}


class SetClock(Node):
    """Publishes ROS time, which runs as fast as any, but is set now and then."""

    def __init__(self):
        super().__init__('set_clock')
        self._began = time.monotonic()
        self.ahead_ns = 0
        self._teller = self.create_publisher(Clock, '/clock', 10)
        self.create_timer(1 / CLOCK_HZ, self._tick)

    def _tick(self):
        now = START_NS + self.ahead_ns + int((time.monotonic() - self._began) * 1e9)
        self._teller.publish(Clock(clock=Time(sec=now // 10**9, nanosec=now % 10**9)))


class CountingRig(Rig):
    """A robot whose attempts last a while, and which counts on a topic all the time."""

    def __init__(self, robot, seed):
        super().__init__(robot)
        self._random = random.Random(seed)
        self.acting = self._act
        self.count = 0
        self._counts = self.create_publisher(UInt64, 'count', 100)
        self.create_timer(1 / COUNT_HZ, self._publish)

    def _publish(self):
        self.count += 1
        self._counts.publish(UInt64(data=self.count))

    def _act(self):
        self.outcome = self._random.choice([Episode.SUCCESS, Episode.FAILURE])
        self.act.clear()
        threading.Timer(self._random.uniform(0.2, 3.0), self.act.set).start()


@dataclass
class Result:
    """
    What a soak gave.

    :param faults: what did not hold, one line each
    :param accidents: how often each happened
    :param growth: node to how fast those of its processes grew that lived for long
    """

    episodes: int = 0
    salvaged: int = 0
    faults: list[str] = field(default_factory=list)
    accidents: Counter[str] = field(default_factory=Counter)
    growth: dict[str, list[Growth]] = field(default_factory=dict)


class Soak:
    """
    Robots with agent, recorder and uncertainty node, a scheduler, and accidents by a seed.

    :param folder: for data, ledger and logs
    :param every_s: mean time between two accidents
    """

    def __init__(self, folder, *, robots, seed, every_s):
        self.random = random.Random(seed)
        self.every_s = every_s
        self.folder, self.ledger = folder, folder / 'ledger.sqlite3'
        self.space = folder / 'space.yaml'
        self.space.write_text(SPACE.replace('capacity: 9', f'capacity: {robots}'))
        self.names = [f'arm_{number}' for number in range(1, robots + 1)]
        self.rigs = [CountingRig(name, seed + k) for k, name in enumerate(self.names)]
        self.clock, self.console = SetClock(), Console()
        self.amend = {name: self.console.create_client(
            AmendEpisode, f'/{name}/recorder/amend_episode') for name in self.names}
        self.spinner = Spinner(self.clock, self.console, *self.rigs)
        self.result = Result()
        self._running = {}
        self._back = {}
        self._held = {}
        self._memory = ProcessMemory()
        self._spared = {(robot, node) for robot in self.names[:robots // SPARED_OF]
                        for node in NODES}

    def keys(self):
        """Return every process, as (robot, node)."""
        return [SCHEDULER, *((robot, node) for robot in self.names for node in NODES)]

    def start(self, key):
        robot, node = key
        log = self.folder / f'{robot or "fleet"}-{node}.log'
        given = {
            'scheduler': {'space': self.space, 'ledger': self.ledger, 'retry_after_s': 0.3,
                          'lease_s': 5.0},
            'recorder': {'data_directory': self.folder / robot, 'disk_reserve_bytes': 0,
                         'topics': '[count]'},
            'agent': {**PATIENCE, 'collectors': '[scripted]'},
            'uncertainty': {'ensembles': self.folder / robot / 'ensembles'}}[node]
        self._running[key] = Process(node, log=log, namespace=robot, use_sim_time=True, **given)
        self._back.pop(key, None)

    def run(self, seconds):
        """Have accidents for a while, then let the fleet come to rest."""
        for key in self.keys():
            self.start(key)
        third, end = (time.monotonic() + part for part in (seconds / 3, seconds))
        looked = 0.0
        while (now := time.monotonic()) < end:
            if self._spared and now >= third:
                self._spared.add(SCHEDULER)
            for key in [k for k, at in self._back.items() if at <= now]:
                self.start(key)
            for key in [k for k, at in self._held.items() if at <= now]:
                self._let_go(key)
            if now - looked >= LOOK_S:
                looked = now
                self._look(now)
            if self.random.random() < 0.1 / self.every_s:
                self._accident(now)
            time.sleep(0.1)  # the period of the accidents, nothing is waited for
        self._rest()

    def _accident(self, now):
        what = self.random.choices(
            ['kill', 'end', 'hold up', 'set clock', 'amend'], [4, 2, 3, 2, 2])[0]
        ends = what in {'kill', 'end'}
        choice = [key for key in self.keys() if key not in self._back
                  and not (ends and key in self._spared)]
        key = self.random.choice(choice)
        if self.random.random() < 0.15 and SCHEDULER in choice:
            key = SCHEDULER
        self.result.accidents[what] += 1
        if what == 'set clock':
            self.clock.ahead_ns += int(self.random.uniform(-1, 1) * 3600e9)
        elif what == 'amend':
            self._amend()
        elif what == 'hold up':
            self._running[key].process.send_signal(signal.SIGSTOP)
            self._held[key] = now + self.random.uniform(0.5, LONGEST_AWAY_S)
        else:
            self._let_go(key)
            process = self._running.pop(key)
            process.process.send_signal(signal.SIGKILL if what == 'kill' else signal.SIGTERM)
            self._expect_end(key, process, what)
            self._back[key] = now + self.random.uniform(0.0, LONGEST_AWAY_S)

    def _expect_end(self, key, process, what):
        try:
            status = process.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.result.faults.append(f'{key}: did not end within 30 s of SIGTERM')
            process.close()
            return
        if what == 'end' and status != 0:
            self.result.faults.append(f'{key}: ended with status {status} after SIGTERM')

    def _let_go(self, key):
        if self._held.pop(key, None) is not None and key in self._running:
            self._running[key].process.send_signal(signal.SIGCONT)

    def _amend(self):
        """Correct any closed episode; nobody waits for the answer."""
        robot = self.random.choice(self.names)
        closed = find_episodes(self.folder / robot)
        if closed:
            self.amend[robot].call_async(AmendEpisode.Request(
                episode_id=self.random.choice(closed).name, author='ann',
                notes=f'note {self.random.random()}'))

    def _look(self, now):
        """Note the memory of every process, and name those that ended by themselves."""
        for key, process in list(self._running.items()):
            status = process.process.poll()
            if status is not None:
                self.result.faults.append(f'{key}: ended by itself with status {status}')
                del self._running[key]
                self._back[key] = now
                continue
            self._memory.look(key[1], process.process.pid, now)

    def _rest(self):
        """Bring everything back, let nothing new begin, and wait until all agree."""
        for key in list(self._held):
            self._let_go(key)
        for key in self.keys():
            if key not in self._running:
                self.start(key)
        until(self._is_paused, 120.0, 'the scheduler to pause')
        try:
            until(self._agrees, 180.0, 'that ledger and disks agree')
        except AssertionError:
            self.result.faults.append(f'ledger and disks do not agree: {self._difference()}')
        self._judge()

    def _is_paused(self):
        with suppress(AssertionError):  # one that has just been started answers later
            return self.console.call('pause').success

    def _on_disk(self):
        """Return (robot, episode) to revision and path."""
        return {(robot, path.name): (read_record(path).revision, path)
                for robot in self.names for path in find_episodes(self.folder / robot)}

    def _counted(self):
        """Return (robot, episode) to what was counted of it, in order."""
        counted = defaultdict(list)
        for event in finished(self.ledger):
            counted[event.robot, event.episode_id].append(event)
        return counted

    def _difference(self):
        disk = {key: revision for key, (revision, _) in self._on_disk().items()}
        ledger = {key: events[-1].revision for key, events in self._counted().items()}
        return sorted({key for key in {*disk, *ledger} if disk.get(key) != ledger.get(key)})

    def _agrees(self):
        waiting = [path for robot in self.names
                   for path in EpisodeStore(self.folder / robot).abandoned()]
        return not waiting and not self._difference()

    def _judge(self):
        faults = self.result.faults
        for key, events in self._counted().items():
            revisions = [event.revision for event in events]
            if revisions != sorted(set(revisions)):
                faults.append(f'{key}: counted with revisions {revisions}')
            if [event.previous is None for event in events].count(True) != 1:
                faults.append(f'{key}: counted as new more than once')
        with LedgerReader(self.ledger) as reader:
            faults += [f'ledger: {problem}' for problem in problems(reader)]
        for robot in self.names:
            self._judge_bags(robot)
        self.result.growth = self._memory.growth()

    def _judge_bags(self, robot):
        """Every bag is whole, has no hole, and `episodes list` names it."""
        faults, paths = self.result.faults, find_episodes(self.folder / robot)
        for path in paths:
            record = read_record(path)
            self.result.episodes += 1
            self.result.salvaged += record.stop_reason is StopReason.SALVAGED
            faults += [f'{path}: {problem}' for problem in verify(path)]
            with open_bag(path) as bag:
                counts = [message.decode().data for message in bag.messages([f'/{robot}/count'])]
            holes = sum(b - a - 1 for a, b in zip(sorted(counts), sorted(counts)[1:],
                                                  strict=False))
            told = sum(topic.lost + topic.dropped for topic in record.topics)
            if len(set(counts)) != len(counts) or holes > told:
                faults.append(f'{path}: {holes} messages missing, {told} told')
        listed = subprocess.run(
            [sys.executable, '-m', 'active_collection.cli.main', 'episodes', 'list', '--json',
             '--data', str(self.folder / robot)], capture_output=True, text=True, check=True,
            env=os.environ | {'PYTHONPATH': os.pathsep.join(sys.path)}).stdout
        names = [json.loads(line)['episode_id'] for line in listed.splitlines()]
        if sorted(names) != sorted(path.name for path in paths):
            faults.append(f'{robot}: episodes list names {len(names)} of {len(paths)}')

    def close(self):
        """End everything."""
        for process in self._running.values():
            process.process.send_signal(signal.SIGCONT)
            process.close()
        for rig in self.rigs:
            rig.let_go()
        self.spinner.close()
