# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure time and peak memory of strategies on large pools, each in a process of its own.

k-centre of 5,000 out of 1,000,000 x 384 float16, memory-mapped; badge, cluster_margin and
typiclust of 500 out of 100,000 x 384 float32 of 10 classes. The vectors are made and written piece
by piece: that takes a minute or two, a file of 0.8 GB, and no memory to speak of.
"""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _claims import Claim
from _claims import options
from _claims import report

from active_collection.selection.batch import Batch
from active_collection.selection.select import strategy
from active_collection.selection.units import Embeddings
from active_collection.selection.units import Units

DIMENSION, CLASSES, BLOBS = 384, 10, 200
_PIECE = 1 << 15


def main() -> int:
    parser = options(__doc__)
    parser.add_argument('--shrink', type=int, default=1, metavar='N',
                        help='make every pool and batch N times smaller, to try the script')
    parser.add_argument('--fill', nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fill:
        name, path, count = arguments.fill
        print(json.dumps(fill(name, Path(path), int(count), arguments.seed)))
        return 0
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.out) as scratch:
        claims = measured(Path(scratch), arguments)
    report('large_pools', claims, arguments.out, packages=['numpy', 'scipy'])
    return 0


def measured(scratch, arguments):
    shrink = arguments.shrink * (10 if arguments.quick else 1)
    large, chosen = 1_000_000 // shrink, 5_000 // shrink
    small, picks = 100_000 // shrink, 500 // shrink
    float16 = write_vectors(scratch / 'large.npy', large, np.float16, arguments.seed)
    float32 = write_vectors(scratch / 'small.npy', small, np.float32, arguments.seed)
    claims = run('k_center', float16, large, chosen, arguments.seed, seconds=40.0, megabytes=1500)
    for name, seconds in (('badge', 6.0), ('cluster_margin', 10.0), ('typiclust', 10.0)):
        claims += run(name, float32, small, picks, arguments.seed, seconds=seconds,
                      megabytes=600)
    return claims


def write_vectors(path, size, dtype, seed):
    """Write blobs of different width, as embeddings of recordings are, a piece at a time."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(BLOBS, DIMENSION)).astype(np.float32)
    widths = rng.uniform(0.2, 1.0, BLOBS).astype(np.float32)
    with path.open('wb') as file:
        np.lib.format.write_array_header_1_0(file, {
            'descr': np.dtype(dtype).str, 'fortran_order': False, 'shape': (size, DIMENSION)})
        for start in range(0, size, _PIECE):
            which = rng.integers(0, BLOBS, min(_PIECE, size - start))
            noise = rng.standard_normal((len(which), DIMENSION), np.float32)
            vectors = centres[which] + noise * widths[which, None]
            file.write(vectors.astype(dtype).tobytes())
    return path


def run(name, path, size, count, seed, *, seconds, megabytes):
    """Return the claims of a strategy, from five processes that fill a batch of `count`."""
    told = [json.loads(subprocess.run(
        [sys.executable, __file__, '--seed', str(seed), '--fill', name, str(path), str(count)],
        check=True, capture_output=True, text=True).stdout) for _ in range(5)]
    kind = np.load(path, mmap_mode='r').dtype
    title = f'{name} {count:,} of {size:,} x {DIMENSION} {kind}'
    return [
        Claim(title, [one['seconds'] for one in told], 's', '<=', seconds),
        Claim(f'{title}: peak memory', [one['peak'] for one in told], 'MB', '<=', megabytes,
              absolute={'before, MB': told[0]['before'],
                        'of the peak, pages of mapped files, MB': told[0]['mapped']})]


def fill(name, path, count, seed):
    """Fill a batch; return how long it took (s) and the memory it took (MB)."""
    vectors = np.load(path, mmap_mode='r')
    size, rng = len(vectors), np.random.default_rng(seed)
    probabilities = None
    if name != 'k_center':
        logits = rng.normal(size=(size, CLASSES)) * 2
        probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    units = Units(Embeddings.of(vectors), np.arange(size), np.zeros(size, np.int64),
                  np.linspace(0, 1, size), np.zeros(size, bool), probabilities=probabilities)
    batch = Batch(units, count, candidates=np.ones(size, bool))
    before = status_mb('VmHWM')
    start = time.perf_counter()
    strategy(name, {}).fill(units, batch, rng)
    seconds = time.perf_counter() - start
    if len(batch.picks) != count:
        raise ValueError(f'{len(batch.picks)} picks instead of {count}')
    return {'seconds': seconds, 'before': before, 'peak': status_mb('VmHWM'),
            'mapped': status_mb('RssFile')}


def status_mb(name):
    """Return what the kernel says of this process's memory (MB)."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(f'{name}:'):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError(f'no {name} in /proc/self/status')


if __name__ == '__main__':
    sys.exit(main())
