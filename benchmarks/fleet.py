# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure what a fleet costs: bytes of each agent, the scheduler's time, answers, a robot that joins.

A scheduler as a process of its own, and as many simulated agents as asked, over real DDS and UDP.
An agent does on the wire what the node does: a heartbeat a second, what its recorder says of each
episode, a request when it is done, its lease. A few of them are processes of their own, each in a
network of its own whose bytes the kernel counts; the rest are one process with many namespaces.
The networks are made in a user namespace (`unshare`), so no rights are needed. Works EPISODE_S on
an episode: what an agent costs goes with how often it asks.
"""
from __future__ import annotations

import heapq
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from _claims import Claim
from _claims import options
from _claims import report
from scheduling import cpu_s
from scheduling import make_space

SIZES, QUICK_SIZES = (100, 300, 1000), (20, 60)
#: Time measured, after all agents have begun (s).
MEASURED_S, QUICK_MEASURED_S = 60.0, 15.0
#: How long an attempt takes (s), from and to.
EPISODE_S = (20.0, 40.0)
#: Agents in a process and a network of their own, and robots that join one after the other.
PROBES, JOINS = 4, 5
#: What the measured figures are to keep: bytes of an agent at the largest fleet / at the
#: smallest; cores; answers (ms); from a node's start to its first lease (s).
FLAT, CORES, ANSWER_MS, JOIN_S = 1.25, 0.5, 100.0, 4.0
BEAT_S, LOOK_S, LEASE_LOOK_S = 1.0, 0.002, 0.5


def main() -> int:
    if len(sys.argv) > 2 and sys.argv[1] in ROLES:
        return ROLES[sys.argv[1]](json.loads(sys.argv[2]))
    parser = options(__doc__)
    parser.add_argument('--sizes', type=int, nargs='+', help='numbers of agents')
    arguments = parser.parse_args()
    sizes = arguments.sizes or (QUICK_SIZES if arguments.quick else SIZES)
    seconds = QUICK_MEASURED_S if arguments.quick else MEASURED_S
    runs = {}
    for size in sizes:
        runs[size] = run_of(size, seconds, arguments.seed)
        print(f'{size} agents: {json.dumps(runs[size], default=str)[:400]}', flush=True)
    report('fleet', claims(runs), arguments.out, packages=['numpy', 'scipy', 'ros-rclpy'])
    return 0


def run_of(size, seconds, seed):
    """Return the figures of a fleet, or {'reason': ...} where it could not be measured."""
    with tempfile.TemporaryDirectory() as folder:
        task = {'size': size, 'seconds': seconds, 'seed': seed, 'folder': folder}
        done = subprocess.run(
            ['unshare', '--map-root-user', '--net', sys.executable, __file__, 'fleet',
             json.dumps(task)], stdout=subprocess.PIPE, text=True, check=False)
        result = Path(folder) / 'result.json'
        if done.returncode or not result.exists():
            return {'reason': f'status {done.returncode}: {done.stdout[-200:]}'}
        return json.loads(result.read_text())


def claims(runs):
    """Return the claims about all fleets, the largest last."""
    small, large = min(runs), max(runs)
    told = []
    for size, run in runs.items():
        told.append(Claim(
            f'bytes an agent and second, received and sent, {size} agents', run.get('bytes', []),
            'B/s', reason=run.get('reason', ''), absolute={
                key: run[key] for key in ('received', 'asked', 'crowd cores', 'load')
                if key in run}))
    for size, run in runs.items():
        told += [
            Claim(f"scheduler's time, {size} agents", run.get('cores', []), 'core', '<=', CORES,
                  absolute={'share of the time that its thread waited for a core':
                            run['waited']} if 'waited' in run else {}),
            Claim(f'answer to an agent, p99, {size} agents', run.get('p99', []), 'ms', '<=',
                  ANSWER_MS, absolute={'median (ms)': run['p50']} if 'p50' in run else {}),
            Claim(f'from the start of an agent to its first lease, {size} agents',
                  run.get('joins', []), 's', '<=', JOIN_S)]
    first, last = runs[small].get('bytes'), runs[large].get('bytes')
    ratio = [float(np.median(last) / np.median(first))] if first and last else []
    told.append(Claim(f'bytes of an agent, {large} agents / {small}', ratio, 'ratio', '<=', FLAT))
    return told


def fleet(task):
    """Run a scheduler and its agents in this process's own network, and write the figures."""
    os.environ.update(
        ROS_DOMAIN_ID='7', ROS_AUTOMATIC_DISCOVERY_RANGE='SUBNET', ROS_LOCALHOST_ONLY='0',
        FASTDDS_BUILTIN_TRANSPORTS='UDPv4')
    folder = Path(task['folder'])
    for words in ('link set lo up', 'link add hub type bridge mcast_snooping 0',
                  'addr add 10.77.0.1/16 dev hub', 'link set hub up',
                  'route add 224.0.0.0/4 dev hub'):
        ip(words)
    space = folder / 'space.yaml'
    space.write_text(yaml.safe_dump(make_space(20, 10, capacity=task['size']).model_dump(
        mode='json', exclude_none=True)))
    children = []
    try:
        scheduler = start_scheduler(space, folder / 'ledger.sqlite3', folder / 'scheduler.log')
        children.append(scheduler)
        crowd = start('agents', {**task, 'names': [
            f'robot{k}' for k in range(PROBES, task['size'])], 'out': str(folder / 'crowd')})
        children.append(crowd)
        probes = [start_probe(k, task, folder) for k in range(PROBES)]
        children += probes
        for name in ('crowd', *(f'probe{k}' for k in range(PROBES))):
            await_file(folder / f'{name}.ready', 900)
        time.sleep(EPISODE_S[1])  # the first wave of requests is over
        before = look(scheduler, crowd, probes)
        time.sleep(task['seconds'])
        after = look(scheduler, crowd, probes)
        spent = after[2] - before[2]
        (folder / 'stop').touch()
        joins = [joined(task, folder, k) for k in range(JOINS)]
        answers = [answer for name in ('crowd', *(f'probe{k}' for k in range(PROBES)))
                   for at, answer in json.loads(await_file(folder / name, 60))
                   if before[2] <= at <= after[2]]
        (folder / 'result.json').write_text(json.dumps({
            'bytes': [sum(new) / spent - sum(old) / spent
                      for old, new in zip(before[4:], after[4:], strict=True)],
            'received': float(np.median([
                (new[0] - old[0]) / spent
                for old, new in zip(before[4:], after[4:], strict=True)])),
            'asked': len(answers) / spent,
            'cores': [(after[0] - before[0]) / spent],
            'crowd cores': (after[1] - before[1]) / spent,
            'p99': [float(np.percentile(answers, 99)) * 1e3],
            'p50': float(np.median(answers)) * 1e3,
            'waited': (after[3] - before[3]) / spent,
            'joins': joins, 'load': os.getloadavg()[0]}))
    finally:
        for child in children:
            child.kill()
            child.wait()
    return 0


def look(scheduler, crowd, probes):
    """Return processor's times (s), the time (s), the scheduler's wait for a core (s), bytes."""
    return [cpu_s(scheduler.pid), cpu_s(crowd.pid), time.monotonic(), waited_s(scheduler.pid),
            *map(carried, probes)]


def waited_s(pid):
    """Return how long the busiest thread of a process was ready and had no core (s)."""
    threads = [path.read_text().split() for path in Path(f'/proc/{pid}/task').glob('*/schedstat')]
    return max((int(ran), int(waited)) for ran, waited, _ in threads)[1] / 1e9


def start_scheduler(space, ledger, log):
    """Start the installed node."""
    from ament_index_python.packages import get_package_prefix

    program = Path(get_package_prefix('active_collection')) / 'lib/active_collection/scheduler'
    return subprocess.Popen([
        sys.executable, str(program), '--ros-args', '-p', f'space:={space}', '-p',
        f'ledger:={ledger}', '--log-level', 'warn'],
        stdout=log.open('w'), stderr=subprocess.STDOUT)


def start(role, task, *, around=()):
    """Start this file in another role."""
    return subprocess.Popen([*around, sys.executable, __file__, role, json.dumps(task)])


def start_probe(number, task, folder):
    """Start one agent as a process in a network of its own, joined to the fleet's."""
    child = start('probe', {
        **task, 'names': [f'robot{number}'], 'out': str(folder / f'probe{number}'),
        'address': f'10.77.1.{number + 1}/16'}, around=('unshare', '--net'))
    await_file(folder / f'probe{number}.network', 60)
    ip(f'link add port{number} type veth peer name agent netns {child.pid}')
    ip(f'link set port{number} master hub up')
    return child


def carried(child):
    """Return the bytes that a probe's network has received and sent."""
    lines = Path(f'/proc/{child.pid}/net/dev').read_text().splitlines()
    fields = next(line for line in lines if line.strip().startswith('agent:')).split()
    return int(fields[1]), int(fields[9])


def joined(task, folder, number):
    """Return how long a robot that joins takes from its node's start to its first lease (s)."""
    out = folder / f'join{number}'
    child = start('agents', {**task, 'names': [f'late{number}'], 'out': str(out), 'at_once': True})
    try:
        return float(await_file(folder / f'join{number}.first', 60))
    finally:
        child.kill()
        child.wait()


def probe(task):
    """Be an agent in a network of its own: say that it is there, and wait for its cable."""
    Path(task['out']).with_suffix('.network').touch()
    while 'agent:' not in Path('/proc/self/net/dev').read_text():
        time.sleep(0.05)
    for words in ('link set lo up', f'addr add {task["address"]} dev agent',
                  'link set agent up', 'route add 224.0.0.0/4 dev agent'):
        ip(words)
    return agents(task)


def agents(task):
    """Be the agents of these names, until the file `stop` is there; write their answers' times."""
    import rclpy

    began = time.monotonic()
    rclpy.init()
    node = rclpy.create_node('agents' + str(os.getpid()), enable_rosout=False)
    crowd = Crowd(node, task['names'], random.Random(f'{task["seed"]}{task["out"]}'))
    crowd.join()
    out = Path(task['out'])
    out.with_suffix('.ready').touch()
    crowd.begin(0.0 if task.get('at_once') else EPISODE_S[1])
    stop = Path(task['folder']) / 'stop'
    while task.get('at_once') or not stop.exists():
        crowd.work(time.monotonic() + 0.5)
        if task.get('at_once') and crowd.answers:
            whole(out.with_suffix('.first'), str(crowd.first - began))
            return 0
    whole(out, json.dumps(crowd.answers))
    while True:  # until it is killed: what robots that join find is a whole fleet
        crowd.work(time.monotonic() + 0.5)


class Crowd:
    """
    Simulated agents and recorders, taken by hand from the middleware: no executor spins.

    :param names: of the robots
    """

    def __init__(self, node, names, chance):
        from active_collection.msg import Episode
        from active_collection.msg import Lease
        from active_collection.msg import RobotStatus
        from active_collection.srv import ListEpisodes
        from active_collection.srv import RequestAssignment

        from active_collection.nodes import qos
        from active_collection.nodes.topics.aside import Aside

        self.kinds = Episode, Lease, RobotStatus, RequestAssignment
        self.chance, self.group = chance, Aside()
        self.answers, self.first = [], 0.0
        self.due, self.asked, self.held = [], {}, {}
        self.robots = {name: (
            node.create_publisher(RobotStatus, f'/{name}/robot_status', qos.HEARTBEAT),
            node.create_publisher(Episode, f'/{name}/episodes', qos.EPISODES),
            node.create_client(RequestAssignment, f'/{name}/scheduler/request_assignment',
                               callback_group=self.group),
            node.create_subscription(Lease, f'/{name}/scheduler/lease', lambda _: None,
                                     qos.LATCHED, callback_group=self.group))
            for name in names}
        self.listed = [node.create_service(
            ListEpisodes, f'/{name}/recorder/list_episodes', lambda _, answer: answer,
            callback_group=self.group) for name in names]
        self.looked = 0.0

    def join(self):
        """Return once the scheduler serves all of them."""
        for _, _, client, _ in self.robots.values():
            while not client.service_is_ready():
                time.sleep(0.01)

    def begin(self, within):
        """Plan heartbeats, and the first request of each, within so many seconds."""
        now = time.monotonic()
        for name in self.robots:
            heapq.heappush(self.due, (now + self.chance.random() * BEAT_S, 'beat', name))
            heapq.heappush(self.due, (now + self.chance.random() * within, 'ask', name))

    def work(self, until):
        """Do what is due until a time."""
        while (now := time.monotonic()) < until:
            while self.due and self.due[0][0] <= now:
                at, what, name = heapq.heappop(self.due)
                getattr(self, what)(name, at)
            self.take(now)
            time.sleep(LOOK_S)

    def beat(self, name, at):
        """Say that a robot lives."""
        assignment = self.held.get(name)
        self.robots[name][0].publish(self.kinds[2](
            robot=name, assignment_id=assignment.assignment_id if assignment else ''))
        heapq.heappush(self.due, (at + BEAT_S, 'beat', name))

    def ask(self, name, _):
        """Ask for an assignment."""
        from active_collection.nodes.rclpy_internals import sent

        self.asked[name] = sent(self.robots[name][2], self.kinds[3].Request(
            robot=name, collectors=['scripted', 'policy'])), time.monotonic()

    def end(self, name, _):
        """Say what a recorder says of an episode that was a success, and ask for the next."""
        from active_collection.nodes.conversions import time_to_msg

        assignment = self.held.pop(name)
        kind = self.kinds[0]
        self.robots[name][1].publish(kind(
            episode_id=f'e-{assignment.assignment_id}', state=kind.CLOSED, revision=1,
            robot=name, source=assignment.collector, scenario=assignment.scenario,
            assignment_id=assignment.assignment_id, outcome=kind.SUCCESS,
            started_at=time_to_msg(10**18), finished_at=time_to_msg(10**18 + 10**9)))
        self.ask(name, 0.0)

    def take(self, now):
        """Take the answers, and now and then the leases."""
        from active_collection.nodes.rclpy_internals import taken
        from active_collection.nodes.rclpy_internals import taken_response

        for name, (number, at) in list(self.asked.items()):
            answer = taken_response(self.robots[name][2], self.kinds[3], number)
            if answer is None:
                continue
            took = time.monotonic()
            self.first = self.first or took
            self.answers.append((took, took - at))
            del self.asked[name]
            if answer.code == answer.GRANTED:
                self.held[name] = answer.assignment
                heapq.heappush(self.due, (now + self.chance.uniform(*EPISODE_S), 'end', name))
            else:
                heapq.heappush(self.due, (now + 2.0, 'ask', name))
        if now - self.looked > LEASE_LOOK_S:
            self.looked = now
            for _, _, _, leases in self.robots.values():
                list(taken(leases, self.kinds[1]))
            self.list_episodes()

    def list_episodes(self):
        """Say to the scheduler that it has missed none."""
        from active_collection.srv import ListEpisodes

        from active_collection.nodes.rclpy_internals import taken_request

        for service in self.listed:
            while (asked := taken_request(service, ListEpisodes)) is not None:
                service.send_response(ListEpisodes.Response(store_id='simulated'), asked[1])


def ip(words):
    """Run a command of iproute2."""
    subprocess.run(['ip', *words.split()], check=True)


def whole(path, text):
    """Write a file that is there only once it is whole."""
    part = path.with_suffix('.part')
    part.write_text(text)
    part.rename(path)


def await_file(path, seconds):
    """Return what stands in a file, once it is there."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f'{path} is not there after {seconds} s')
        time.sleep(0.05)
    return path.read_text()


ROLES = {'fleet': fleet, 'agents': agents, 'probe': probe}

if __name__ == '__main__':
    sys.exit(main())
