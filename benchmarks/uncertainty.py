# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Measure what ensembles cost: batched members, training together, the node at control rate."""
from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from datetime import timezone
from pathlib import Path

import numpy as np
import torch
from _claims import Claim
from _claims import options
from _claims import report
from torch import nn

from active_collection.bags.observation import ObservationSpec
from active_collection.config import parse
from active_collection.uncertainty.building import build
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.dataset import DecodedEpisode
from active_collection.uncertainty.fitting import negative_log_likelihood
from active_collection.uncertainty.mlp import MlpMembers
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.stacked import LARGEST_LOG_VARIANCE
from active_collection.uncertainty.training import train

MEMBERS, INPUTS, ACTIONS, HIDDEN = 10, 39, 14, (256, 256, 256)
RATE_HZ = 50


def main() -> int:
    parser = options(__doc__)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    claims = [*prediction_claims(arguments.seed),
              *training_claims(arguments.seed, arguments.quick),
              *node_claims(arguments.seed, seconds=10 if arguments.quick else 300)]
    report('uncertainty', claims, arguments.out, packages=['torch', 'numpy'])
    return 0


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
            claims.append(Claim('ten members batched / one member, batch 1',
                                [ours / one for ours, one, _ in rounds], 'time ratio', '<=', 2.5))
            claims.append(Claim('ten members batched / loop over ten, batch 1',
                                [b / every for b, _, every in rounds], 'time ratio', '<=', 0.25))
        else:
            claims.append(Claim('ten members batched / loop over ten, batch 1024',
                                [b / every for b, _, every in rounds], 'time ratio', '<=', 1.0))
        found, expected = stacked.predict(observations), loop(observations)
        difference = max((found.mean[:, :, 0] - expected[0]).abs().max().item(),
                         (found.variance[:, :, 0] - expected[1]).abs().max().item())
        claims.append(Claim(f'batched against loop, largest difference, batch {batch}',
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
    return [Claim('training ten together / one after another', ratios, 'time ratio', '<=', 1 / 3),
            Claim('likelihood on other episodes, together - apart, mean beyond its noise',
                  [max(0.0, abs(statistics.mean(differences)) - noise)], 'nats a dimension',
                  '<=', 0.0)]


def unseen_nll(trained, unseen):
    """Return the mean over members of the negative log-likelihood on episodes not trained on."""
    prediction = trained.members.stacked().predict(unseen.observations)
    return negative_log_likelihood(
        prediction.mean, prediction.variance, unseen.actions[:, None]).mean().item()


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
        return [Claim(names[0], [], 'ms', '<=', 10.0, str(error)),
                Claim(names[1], [], 'observations', '<=', 0, str(error))]
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
        return [Claim(name, [], 'ms', '<=', 0.0, 'no estimate came') for name in names]
    print(f'node: median {statistics.median(latencies):.2f} ms of {len(latencies)}')
    return [Claim(names[0], [float(np.quantile(latencies, 0.99))], 'ms', '<=', 10.0),
            Claim(names[1], [len(sent) - len(latencies)], 'observations', '<=', 0)]


if __name__ == '__main__':
    sys.exit(main())
