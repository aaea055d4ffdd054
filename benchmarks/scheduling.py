# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure the scheduler: how fast it decides, leases over DDS, and resumes from a long ledger.

The space of the decisions has 10,000 places to choose among: 100 tasks in 100 environments, each
task with two continuous factors of which 2,000 points are candidates.
"""
from __future__ import annotations

import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import yaml
from _claims import Claim
from _claims import options
from _claims import report

from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import UncertaintySummary
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Assignment
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.events import Entry
from active_collection.scheduling.events import Finished
from active_collection.scheduling.events import Result
from active_collection.scheduling.events import Started
from active_collection.scheduling.fleet.state import FleetState
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings

NS = 1_000_000_000
START = 1_700_000_000 * NS
COLLECTORS = ('scripted', 'policy')
REPEATS = 5


def main() -> int:
    parser = options(__doc__)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.out) as scratch:
        path = Path(scratch)
        claims = decision_claims(path, arguments.seed, quick=arguments.quick)
        claims += restart_claims(path, 50_000 if arguments.quick else 1_000_000)
        claims += traffic_claims(path, 1_000 if arguments.quick else 10_000)
    report('scheduling', claims, arguments.out, packages=['numpy', 'scipy'])
    return 0


def make_space(tasks, environments, *, capacity):
    """Return a space of tasks x environments places."""
    factor = {'low': 0.0, 'high': 1.0}
    return ScenarioSpace.model_validate({
        'format': 1,
        'tasks': {f'task{k}': {'collectors': COLLECTORS, 'factors': {'x': factor, 'y': factor}}
                  for k in range(tasks)},
        'environments': {f'place{k}': {'capacity': capacity, 'travel_s': 30.0}
                         for k in range(environments)}})


class Load:
    """A fleet that works at full speed: each robot reports its episode and asks for the next."""

    def __init__(self, path, *, tasks, environments, robots, seed):
        self.robots = robots
        self.environments = environments
        self.random = np.random.default_rng(seed)
        self.ledger = Ledger(path)
        self.scheduler = Scheduler(
            make_space(tasks, environments, capacity=max(1, 2 * robots // environments)),
            SchedulerSettings(travel_cost=0.01, seed=seed), self.ledger,
            now_ns=START)
        self.held = {}
        self.turns = 0

    def turn(self):
        """Let one robot report and ask; return how long its decision took (s)."""
        robot, now = f'robot{self.turns % self.robots}', START + self.turns * 1_000_000
        self.turns += 1
        if robot in self.held:
            self.scheduler.finished(self.episode(self.held.pop(robot), now), now)
        request = Request(robot, f'place{self.turns % self.environments}', (), COLLECTORS)
        begin = time.perf_counter()
        answer = self.scheduler.request(request, now)
        took = time.perf_counter() - begin
        self.held[robot] = answer
        return took

    def episode(self, assigned, now):
        """Return the record of an assignment's episode."""
        good = self.random.random() < 0.7
        return EpisodeRecord(
            f'e-{assigned.assignment_id}', assigned.scenario, assigned.request.robot,
            Source(assigned.collector), now, now + NS,
            Outcome.SUCCESS if good else Outcome.FAILURE, revision=1,
            assignment_id=assigned.assignment_id,
            uncertainty=UncertaintySummary(
                'e', f'{self.turns // (2 * self.robots):06d}', 9, float(self.random.random())))

    def close(self):
        """Close the ledger."""
        self.ledger.close()


def resident_mb():
    """Return the process's resident memory (MB)."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def cpu_s(pid):
    """Return the processor time that a process has used (s)."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def decision_claims(path, seed, *, quick):
    """Return the claims about single decisions and how they grow."""
    turns = 2000 if quick else 10_000
    before = resident_mb()
    load = Load(path / 'large.sqlite3', tasks=100, environments=100, robots=1000, seed=seed)
    for _ in range(1000):
        load.turn()
    samples = [load.turn() for _ in range(turns)]
    memory = resident_mb()
    load.close()
    parts = np.array_split(np.array(samples), REPEATS)
    p99 = [float(np.percentile(part, 99)) * 1e3 for part in parts]
    p50 = float(np.median(samples)) * 1e3
    print(f'decision: p50 {p50:.2f} ms over {turns}, memory before {before:.0f} MB')
    return [
        Claim('decision p99, 1,000 robots, 10,000 scenarios, value, ledger synced', p99, 'ms',
              '<=', 50.0),
        Claim('resident memory with them', [memory], 'MB', '<=', 500.0),
        Claim('growth of a decision in scenarios, exponent from 1,250 to 20,000',
              growth(path, 'scenarios', seed, quick=quick), 'exponent', '<=', 1.0),
        Claim('growth of a decision in robots, exponent from 125 to 2,000',
              growth(path, 'robots', seed, quick=quick), 'exponent', '<=', 1.0)]


def growth(path, what, seed, *, quick):
    """Return exponents of the time of a decision, from loads of five sizes in turn."""
    loads = {}
    for factor in (1, 2, 4, 8, 16):
        tasks, robots = (100, 125 * factor) if what == 'robots' else (12 * factor, 200)
        environments = 100
        loads[factor] = Load(path / f'{what}{factor}.sqlite3', tasks=tasks,
                             environments=environments, robots=robots, seed=seed)
        for _ in range(200 if quick else min(robots, 500)):
            loads[factor].turn()
    exponents = []
    for _ in range(REPEATS):
        medians = []
        for load in loads.values():
            gc.collect()
            medians.append(np.median([load.turn() for _ in range(20 if quick else 200)]))
        exponents.append(float(np.polyfit(np.log(list(loads)), np.log(medians), 1)[0]))
    for load in loads.values():
        load.close()
    return exponents


def restart_claims(path, episodes):
    """Return the claim about a restart on a ledger of many episodes."""
    ledger_path = path / 'long.sqlite3'
    space, settings = make_space(20, 10, capacity=99), SchedulerSettings()
    write_history(ledger_path, space, settings, episodes)
    took, first = [], []
    for k in range(REPEATS):
        begin = time.perf_counter()
        ledger = Ledger(ledger_path)
        scheduler = Scheduler(space, settings, ledger, now_ns=START)
        took.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        scheduler.request(Request(f'r{k}', '', (), COLLECTORS), START)
        first.append(time.perf_counter() - begin)
        ledger.close()
    print(f'restart on {episodes:,} episodes, {ledger_path.stat().st_size / 1e6:.0f} MB: first '
          f'decision afterwards {statistics.median(first) * 1e3:.0f} ms')
    return [Claim(f'ready again on a ledger of {episodes:,} episodes', took, 's', '<=', 3.0)]


def write_history(path, space, settings, episodes):
    """Write a history as a scheduler would: a start, then each time a lease and its episode."""
    ledger, fleet = Ledger(path), FleetState(space, settings)
    random = np.random.default_rng(0)
    tasks, places = list(space.tasks), list(space.environments)
    entries = [Entry(1, START, Started(space.model_dump_json(), settings.model_dump_json()))]
    for k in range(episodes):
        scenario = Scenario.of(tasks[k % len(tasks)], places[k % len(places)], {
            'x': float(random.random()), 'y': float(random.random())})
        name = f'a{k}'
        entries.append(Entry(2 * k + 2, START, Assignment(
            name, Request(f'robot{k % 50}', '', (), COLLECTORS), scenario, 'scripted', True,
            START, 60.0, 'value', 1.0, (), (), '')))
        entries.append(Entry(2 * k + 3, START, Finished(
            f'e{k}', 1, f'robot{k % 50}', name,
            Result(scenario, Source.SCRIPTED, Outcome.SUCCESS, 0), None, fulfils=True)))
        if len(entries) >= 2000:
            flush(ledger, fleet, entries)
    flush(ledger, fleet, entries)
    ledger.close()


def flush(ledger, fleet, entries):
    """Write events and a snapshot of the fleet after those before."""
    snapshot = (fleet.sequence, fleet.to_dict()) if fleet.sequence else None
    ledger.append(entries, snapshot=snapshot)
    for entry in entries:
        fleet.apply(entry)
    entries.clear()


def traffic_claims(path, leases):
    """Return the claims about leases over DDS, from 200 agents' worth of traffic."""
    names = ('leases granted over DDS, 200 agents', 'leases lost or doubled over DDS')
    try:
        os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))
        os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        os.environ.setdefault('ROS_LOCALHOST_ONLY', '1')
        rate, wrong = traffic(path, leases, agents=200)
    except ImportError as error:
        return [Claim(names[0], [], '1/s', '>=', 100.0, reason=str(error)),
                Claim(names[1], [], 'leases', '<=', 0, reason=str(error))]
    return [Claim(names[0], rate, '1/s', '>=', 100.0), Claim(names[1], [wrong], 'leases', '<=', 0)]


def traffic(path, leases, *, agents):
    """Run a scheduler process under load; return rates (1/s) and lost or doubled leases."""
    import rclpy
    from ament_index_python.packages import get_package_prefix
    from rclpy.executors import SingleThreadedExecutor

    space = path / 'space.yaml'
    space.write_text(yaml.safe_dump(
        make_space(20, 10, capacity=agents).model_dump(mode='json', exclude_none=True)))
    ledger = path / 'traffic.sqlite3'
    process = subprocess.Popen([
        sys.executable, str(Path(get_package_prefix('active_collection'))
                            / 'lib' / 'active_collection' / 'scheduler'),
        '--ros-args', '-p', f'space:={space}', '-p', f'ledger:={ledger}', '--log-level', 'error'])
    rclpy.init()
    fleet = traffic_node(agents, leases)
    executor = SingleThreadedExecutor()
    executor.add_node(fleet)
    spinner = threading.Thread(target=executor.spin, daemon=True)
    spinner.start()
    try:
        finished = fleet.done.wait(timeout=60 + leases / 20)
        rates = fleet.rates()
        print(f'traffic: {cpu_s(process.pid) / leases * 1e3:.1f} ms of processor a lease in the '
              f'scheduler from its start, {time.process_time() / leases * 1e3:.1f} in the agents')
    finally:
        executor.shutdown(timeout_sec=2.0)
        rclpy.try_shutdown()
        process.terminate()
        process.wait(timeout=10)
    return rates, count_wrong(ledger, fleet.granted) + (0 if finished else leases)


def traffic_node(agents, leases):
    """Return a node that does what so many agents and their recorders do, as fast as it goes."""
    from active_collection.msg import Episode
    from active_collection.srv import RequestAssignment
    from rclpy.node import Node

    from active_collection.nodes import conversions
    from active_collection.nodes import qos

    try:
        from rclpy.event_handler import PublisherEventCallbacks
    except ImportError:  # Humble
        from rclpy.qos_event import PublisherEventCallbacks

    class Traffic(Node):
        """As 200 agents in one process: rclpy waits for each event of each publisher in Python."""

        def __init__(self):
            super().__init__('traffic')
            self.done = threading.Event()
            self.granted, self.stamps, self.asked = {}, [], 0
            self._client = self.create_client(
                RequestAssignment, '/scheduler/request_assignment')
            self._publishers_by_robot = {
                f'robot{k}': self.create_publisher(
                    Episode, f'/robot{k}/episodes', qos.EPISODES,
                    event_callbacks=PublisherEventCallbacks(use_default_callbacks=False))
                for k in range(agents)}
            self._start = self.create_timer(0.2, self._begin)

        def _begin(self):
            matched = all(p.get_subscription_count() for p in self._publishers_by_robot.values())
            if self._client.service_is_ready() and matched:
                self._start.cancel()
                for robot in self._publishers_by_robot:
                    self._ask(robot)

        def _ask(self, robot):
            self._client.call_async(RequestAssignment.Request(
                robot=robot, collectors=list(COLLECTORS))).add_done_callback(
                    lambda future: self._answered(robot, future.result()))

        def _answered(self, robot, answer):
            assignment = answer.assignment
            if answer.code != answer.GRANTED or assignment.assignment_id in self.granted:
                self._ask(robot)  # the report is on its way, or the scheduler is busy
                return
            self.granted[assignment.assignment_id] = robot
            self.stamps.append(time.perf_counter())
            if len(self.granted) >= leases:
                self.done.set()
                return
            self._publishers_by_robot[robot].publish(Episode(
                episode_id=f'e-{assignment.assignment_id}', state=Episode.CLOSED, revision=1,
                robot=robot, source=assignment.collector, scenario=assignment.scenario,
                assignment_id=assignment.assignment_id, outcome=Episode.SUCCESS,
                started_at=conversions.time_to_msg(START),
                finished_at=conversions.time_to_msg(START + NS)))
            self._ask(robot)

        def rates(self):
            """Return the rate of grants in five parts of the run (1/s)."""
            parts = np.array_split(np.array(self.stamps), REPEATS)
            return [len(p) / max(p[-1] - p[0], 1e-9) for p in parts if len(p) > 1]

    return Traffic()


def count_wrong(path, granted):
    """Return how many leases the ledger and the agents do not agree on."""
    from active_collection.scheduling.ledger.ledger import LedgerReader
    from active_collection.scheduling.ledger.verification import problems

    with LedgerReader(path) as reader:
        written = {e.event.assignment_id: e.event.request.robot for e in reader.assignments()}
        unsound = len(problems(reader))
    lost = [a for a, robot in granted.items() if written.get(a) != robot]
    return len(lost) + unsound


if __name__ == '__main__':
    sys.exit(main())
