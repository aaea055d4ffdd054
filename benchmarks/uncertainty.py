# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure ensembles: batched members, training together, the node, and what uncertainty tells.

The last in full runs only: does a task's mean uncertainty tell how often the policy fails there?
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from datetime import timezone
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import nn

from active_collection.bags.observation import ObservationSpec
from active_collection.config import load
from active_collection.config import parse
from active_collection.uncertainty.building import build
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dataset import DecodedEpisode
from active_collection.uncertainty.fitting import negative_log_likelihood
from active_collection.uncertainty.measures import decompose
from active_collection.uncertainty.measures import largest_variance
from active_collection.uncertainty.mixtures import mutual_information_bounds
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.novelty import KnnNovelty
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.stacked import LARGEST_LOG_VARIANCE
from active_collection.uncertainty.training import train

ROOT = Path(__file__).resolve().parent.parent
MEMBERS, INPUTS, ACTIONS, HIDDEN = 10, 39, 14, (256, 256, 256)
RATE_HZ = 50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true', help='end within 2 minutes')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks' / 'results')
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    claims = [*prediction_claims(arguments.seed),
              *training_claims(arguments.seed, arguments.quick),
              *node_claims(arguments.seed, seconds=10 if arguments.quick else 300)]
    if not arguments.quick:
        claims += metaworld_claims(arguments.seed)
    report(claims, arguments.out)
    return 0


def claim(name, values, unit, relation, target, reason=''):
    """Return a claim; its value is the median."""
    value = statistics.median(values) if values else None
    holds = None if value is None else (value >= target if relation == '>=' else value <= target)
    return {'name': name, 'value': value, 'unit': unit, 'relation': relation, 'target': target,
            'holds': holds, 'n': len(values), 'min': min(values, default=None),
            'max': max(values, default=None), **({'reason': reason} if reason else {})}


class SingleMember(nn.Module):
    """One member as it would be written without the others."""

    def __init__(self, members, place):
        super().__init__()
        layers = []
        for weight, bias in zip(members.weights, members.biases, strict=True):
            linear = nn.Linear(weight.shape[1], weight.shape[2])
            linear.weight.data, linear.bias.data = weight[place].T.contiguous(), bias[place, 0]
            layers += [linear, nn.ReLU()]
        self.network = nn.Sequential(*layers[:-1])
        self.members = members

    @torch.inference_mode()
    def predict(self, observations):
        """Return mean and variance in action units."""
        own = self.members
        out = self.network((observations - own.input_mean) / own.input_scale)
        mean, raw = out[..., :own.outputs], out[..., own.outputs:]
        bounded = LARGEST_LOG_VARIANCE - nn.functional.softplus(LARGEST_LOG_VARIANCE - raw)
        return (mean * own.action_scale + own.action_mean,
                (bounded.exp() + own.variance_floor) * own.action_scale ** 2)


def seconds_a_call(call, at_least_s=0.1):
    """Return the mean time of as many calls as fit into a time."""
    count, start = 0, time.perf_counter()
    while True:
        call()
        count += 1
        elapsed = time.perf_counter() - start
        if elapsed >= at_least_s and count >= 5:
            return elapsed / count


def prediction_claims(seed):
    """Compare batched members with one member and with a loop over all, in turn."""
    members = MlpMembers(members=MEMBERS, inputs=INPUTS, actions=ACTIONS, hidden=HIDDEN,
                         variance_floor=1e-4)
    members.initialise(torch.Generator().manual_seed(seed))
    members.eval().requires_grad_(False)
    stacked = members.stacked()
    singles = [SingleMember(members, place).requires_grad_(False) for place in range(MEMBERS)]

    def loop(observations):
        parts = [single.predict(observations) for single in singles]
        return torch.stack([m for m, _ in parts]), torch.stack([v for _, v in parts])

    claims = []
    for batch in (1, 1024):
        observations = torch.randn(batch, INPUTS)
        times = {'batched': [], 'one': [], 'loop': []}
        for _ in range(8):
            times['batched'].append(seconds_a_call(lambda o=observations: stacked.predict(o)))
            times['one'].append(seconds_a_call(lambda o=observations: singles[0].predict(o)))
            times['loop'].append(seconds_a_call(lambda o=observations: loop(o)))
        rounds = list(zip(times['batched'], times['one'], times['loop'], strict=True))[1:]
        print(f'batch {batch}: ' + ', '.join(
            f'{name} {1e6 * statistics.median(values[1:]):.0f} us'
            for name, values in times.items()))
        if batch == 1:
            claims.append(claim('ten members batched / one member, batch 1',
                                [ours / one for ours, one, _ in rounds], 'time ratio', '<=', 2.5))
            claims.append(claim('ten members batched / loop over ten, batch 1',
                                [b / every for b, _, every in rounds], 'time ratio', '<=', 0.25))
        else:
            claims.append(claim('ten members batched / loop over ten, batch 1024',
                                [b / every for b, _, every in rounds], 'time ratio', '<=', 1.0))
        found, expected = stacked.predict(observations), loop(observations)
        difference = max((found.mean[:, :, 0] - expected[0]).abs().max().item(),
                         (found.variance[:, :, 0] - expected[1]).abs().max().item())
        claims.append(claim(f'batched against loop, largest difference, batch {batch}',
                            [difference], 'action units', '<=', 1e-5))
    return claims


SPEC = """
format: 1
reference: state
observation:
  - {name: state, field: 'state.position'}
action: {field: 'action.position', low: LOW, high: HIGH}
"""


def synthetic(seed, *, episodes=40, length=100, first=0):
    """Return a dataset of a random teacher's actions on smooth random walks."""
    generator = torch.Generator().manual_seed(seed)
    text = SPEC.replace('LOW', str([-1] * ACTIONS)).replace('HIGH', str([1] * ACTIONS))
    spec = parse(text, ObservationSpec, where='specification')
    teacher = torch.randn(INPUTS, ACTIONS, generator=generator) / INPUTS ** 0.5
    decoded = []
    generator.manual_seed(seed + first)
    for number in range(episodes):
        walk = torch.randn(length, INPUTS, generator=generator).cumsum(0) / length ** 0.5
        noise = 0.05 * torch.randn(length, ACTIONS, generator=generator)
        actions = torch.tanh(walk @ teacher) + noise
        decoded.append(DecodedEpisode(str(number), 'task', walk, actions))
    return Dataset.of(decoded, spec, {'state': INPUTS}), spec


def training_claims(seed, quick):
    """Train ten members at once and one after another, in turn."""
    dataset, _ = synthetic(seed)
    unseen, _ = synthetic(seed, first=1000)
    settings = TrainingSettings(members=MEMBERS, steps=100 if quick else 500, check_every=50,
                                patience=1000, hidden=(64, 64), batch_size=64)
    ratios, differences = [], []
    for turn in range(6):
        start = time.perf_counter()
        together = train(dataset, settings.model_copy(update={'seed': seed + turn}))
        middle = time.perf_counter()
        alone = [train(dataset, settings.model_copy(
            update={'members': 1, 'seed': seed + turn + 1000 * member}))
            for member in range(MEMBERS)]
        end = time.perf_counter()
        if turn:
            ratios.append((middle - start) / (end - middle))
            differences.append(unseen_nll(together, unseen)
                               - statistics.mean(unseen_nll(one, unseen) for one in alone))
            print(f'ten members: {middle - start:.2f} s together, {end - middle:.2f} s apart')
    noise = 2.78 * statistics.stdev(differences) / len(differences) ** 0.5  # t, 95 %
    return [claim('training ten together / one after another', ratios, 'time ratio', '<=', 1 / 3),
            claim('likelihood on other episodes, together - apart, mean beyond its noise',
                  [max(0.0, abs(statistics.mean(differences)) - noise)], 'nats a dimension',
                  '<=', 0.0)]


def unseen_nll(trained, unseen):
    """Return the mean over members of the negative log-likelihood on episodes not trained on."""
    prediction = trained.members.stacked().predict(unseen.observations)
    return negative_log_likelihood(
        prediction.mean, prediction.variance, unseen.actions).mean().item()


def node_claims(seed, seconds):
    """Publish observations at 50 Hz to a node of its own process and time its estimates."""
    names = (f'node at {RATE_HZ} Hz, message to estimate, 99 % quantile',
             f'node at {RATE_HZ} Hz, observations without an estimate')
    try:
        os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
        os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
        import rclpy
        from active_collection.msg import UncertaintyEstimate
        from ament_index_python.packages import get_package_prefix
        from rclpy.executors import SingleThreadedExecutor
        from sensor_msgs.msg import JointState

        from active_collection.nodes import qos
    except ImportError as error:
        return [claim(names[0], [], 'ms', '<=', 10.0, str(error)),
                claim(names[1], [], 'observations', '<=', 0, str(error))]
    dataset, spec = synthetic(seed, episodes=10)
    sent, received = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        built = build(dataset, spec, TrainingSettings(members=MEMBERS, hidden=HIDDEN, steps=20),
                      out=Path(scratch), now=datetime.now(timezone.utc))
        executable = Path(get_package_prefix('active_collection'), 'lib', 'active_collection',
                          'uncertainty')
        process = subprocess.Popen(
            [sys.executable, str(executable), '--ros-args', '-r', '__ns:=/bench', '-p',
             f'ensembles:={built.path}'])
        rclpy.init()
        node = rclpy.create_node('bench', namespace='/bench')
        publisher = node.create_publisher(JointState, 'state', qos.STATE)

        def on_estimate(message):
            received[message.header.stamp.sec, message.header.stamp.nanosec] = time.perf_counter()

        node.create_subscription(
            UncertaintyEstimate, 'uncertainty/estimate', on_estimate, qos.STATE)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        threading.Thread(target=executor.spin, daemon=True).start()
        values = dataset.observations.double().numpy()
        step, before, due = 0, 50, time.perf_counter()
        while len(sent) < seconds * RATE_HZ:
            message = JointState(position=values[step % len(values)])
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(
                10**9 + step * 10**9 // RATE_HZ, 10**9)
            if before == 0:  # warmed up
                sent[message.header.stamp.sec, message.header.stamp.nanosec] = time.perf_counter()
            publisher.publish(message)
            before -= bool(received and before)
            step += 1
            due += 1 / RATE_HZ
            time.sleep(max(0.0, due - time.perf_counter()))
            if step > 60 * RATE_HZ and not received:
                break
        time.sleep(1.0)
        process.terminate()
        process.wait(10)
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    latencies = [1e3 * (received[key] - at) for key, at in sent.items() if key in received]
    if not latencies:
        return [claim(name, [], 'ms', '<=', 0.0, 'no estimate came') for name in names]
    print(f'node: median {statistics.median(latencies):.2f} ms of {len(latencies)}')
    return [claim(names[0], [float(np.quantile(latencies, 0.99))], 'ms', '<=', 10.0),
            claim(names[1], [len(sent) - len(latencies)], 'observations', '<=', 0)]


class MetaWorld:
    """
    Demonstrations and evaluations on the simulated robot, in the terms of the specification.

    :raises Exception: whatever a missing simulator raises
    """

    SIZES = {'hand': 3, 'gripper': 1, 'objects': 14, 'goal': 3, 'task': 10}
    MEASURES = ('epistemic variance', 'aleatoric variance', 'mutual information, lower bound',
                'mutual information, upper bound', 'kNN novelty')

    def __init__(self):
        from active_collection.scenario import ScenarioSpace
        from active_collection.simulation.robot import SimulatedRobot

        self.space = load(ROOT / 'config' / 'metaworld_mt10.yaml', ScenarioSpace)
        self.spec = load(ROOT / 'config' / 'observation_metaworld.yaml', ObservationSpec)
        self.low = torch.tensor(self.spec.action.low)
        self.high = torch.tensor(self.spec.action.high)
        self.robot = SimulatedRobot()
        self.robot.set_up(self.scenarios('reach', 1, 0)[0])

    def scenarios(self, task, count, seed):
        """Return held-out scenarios of a task."""
        from active_collection.simulation.held_out import held_out_scenarios

        return held_out_scenarios(self.space, task, episodes=count, seed=seed)

    def values(self, observation, scenario):
        """Return the observation vector."""
        from active_collection.simulation.messages import scenario_message
        from active_collection.simulation.messages import state_messages

        messages = {**state_messages(observation, 1), 'scenario': scenario_message(scenario)}
        return np.concatenate([i.read(messages[i.path.topic]) for i in self.spec.observation])

    def act_out(self, scenario, policy, max_steps):
        """Let a policy, of observation vector to action, act; return success."""
        from active_collection.simulation.rollout import roll_out

        self.robot.set_up(scenario)
        return roll_out(self.robot, lambda o: policy(self.values(o, scenario)),
                        max_steps=max_steps).success

    def demonstrations(self, task, count, seed):
        """Return up to `count` of the expert's successes."""
        found = []
        for scenario in self.scenarios(task, 2 * count, seed):
            seen, done = [], []

            def expert(values, seen=seen, done=done):
                seen.append(values)
                done.append(np.clip(self.robot.expert_action(), -1, 1))
                return done[-1]

            if self.act_out(scenario, expert, 200):
                found.append(DecodedEpisode(
                    f'{task}-{len(found)}', task,
                    torch.tensor(np.array(seen), dtype=torch.float32),
                    torch.tensor(np.array(done), dtype=torch.float32)))
            if len(found) == count:
                break
        return found

    def evaluate(self, task, scorer, episodes, seed):
        """Return the failure rate on a task and the mean of each measure over all steps."""
        steps = []

        def policy(values):
            action, measures = scorer(torch.tensor(values[None], dtype=torch.float32))
            steps.append(measures)
            return action.clamp(self.low, self.high).double().numpy()

        failed = sum(not self.act_out(scenario, policy, 150)
                     for scenario in self.scenarios(task, episodes, seed))
        return failed / episodes, np.mean(steps, axis=0)


def scorer_of(dataset, seed):
    """Train an ensemble; return what gives its mean action and MetaWorld.MEASURES."""
    trained = train(dataset, TrainingSettings(seed=seed))
    members = trained.members.stacked()
    kept = [e for e in range(len(dataset.episodes)) if e not in trained.held_out]
    novelty = KnnNovelty.fit(
        members.embed(dataset.observations[dataset.rows(kept)]),
        members.embed(dataset.observations[dataset.rows(trained.held_out)]),
        neighbours=5, largest=4000, generator=torch.Generator().manual_seed(seed))
    largest = largest_variance(dataset.action_low, dataset.action_high)

    def score(batch):
        prediction = members.predict(batch)
        split = decompose(prediction.mean, prediction.variance, largest=largest)
        lower, upper = mutual_information_bounds(prediction.mean, prediction.variance)
        return prediction.mean.mean(0)[0], [
            split.epistemic.item(), split.aleatoric.item(), lower.item(), upper.item(),
            novelty.of(members.embed(batch)).item()]

    return score


def metaworld_claims(seed, *, seeds=5, held_out=10, counts=(2, 5, 10)):
    """Correlate a task's mean uncertainty with its failure rate on held-out configurations."""
    from scipy.stats import spearmanr

    try:
        world = MetaWorld()
    except Exception as error:  # whatever a missing simulator raises
        return [claim('Meta-World', [], 'rank correlation', '>=', 0.0, str(error))]
    found = {}
    for draw in range(seed, seed + seeds):
        shown = {task: world.demonstrations(task, max(counts), 1000 + draw)
                 for task in world.space.tasks}
        for count in counts:
            dataset = Dataset.of(
                [e for episodes in shown.values() for e in episodes[:count]], world.spec,
                world.SIZES)
            score = scorer_of(dataset, draw)
            results = [world.evaluate(task, score, held_out, draw) for task in shown]
            failures = [failed for failed, _ in results]
            print(f'seed {draw}, {count} demonstrations a task: '
                  f'success {1 - np.mean(failures):.2f}', flush=True)
            for place, name in enumerate(world.MEASURES):
                rank = spearmanr([means[place] for _, means in results], failures).statistic
                found.setdefault((count, name), []).append(float(np.nan_to_num(rank)))
    world.robot.close()
    claims = []
    for (count, name), values in sorted(found.items()):
        half = 2.78 * statistics.stdev(values) / len(values) ** 0.5  # t, 95 %
        print(f'{count} demonstrations, {name}: {statistics.mean(values):+.2f} '
              f'(95 % interval +-{half:.2f})')
        claims.append(claim(
            f'Meta-World MT10, {count} demonstrations a task, {name} with failure rate',
            values, 'rank correlation', '>=', 0.0))
    return claims


def report(claims, out):
    """Print the table and write the JSON file."""
    print()
    for entry in claims:
        value = (f'{entry["value"]:.4g}' if entry['value'] is not None
                 else f'missing: {entry["reason"]}')
        mark = {True: 'holds', False: 'FAILS', None: '-'}[entry['holds']]
        print(f'{entry["name"]:<78}{value:>12} {entry["relation"]} {entry["target"]:<8.3g}'
              f'{entry["unit"]:<18}{mark}')
    data = {'name': 'uncertainty', 'date': datetime.now(timezone.utc).isoformat(),
            'versions': {name: version(name) for name in ('torch', 'numpy')},
            'machine': {'cores': os.cpu_count(), 'load': os.getloadavg()[0]}, 'claims': claims}
    (out / 'uncertainty.json').write_text(json.dumps(data, indent=1) + '\n')


if __name__ == '__main__':
    sys.exit(main())
