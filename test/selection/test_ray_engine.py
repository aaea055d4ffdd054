# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Indexing on a real Ray cluster of two nodes of one processor each."""
from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from bag_factory import camera
from bag_factory import write_bag

from active_collection.bags.find import find_bags
from active_collection.errors import ConfigError
from active_collection.errors import SelectionError
from active_collection.selection import engines
from active_collection.selection import index as index_module
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling
from active_collection.selection.parts import Job
from active_collection.selection.pool import Pool

ray = pytest.importorskip('ray')


@pytest.fixture(scope='module')
def cluster():
    """Give the address of a cluster of two nodes, and let none of its processes live on."""
    from ray.cluster_utils import Cluster

    started = Cluster()
    try:
        for _ in range(2):
            started.add_node(num_cpus=1, object_store_memory=80 << 20, include_dashboard=False)
        yield started.address
    finally:
        started.shutdown()
        left = [child for child in psutil.Process().children(recursive=True)
                if 'ray' in child.name()]
        _, alive = psutil.wait_procs(left, timeout=60)
        assert not alive


@pytest.fixture
def bags(tmp_path, monkeypatch):
    """Give three small bags, by relative paths; each is worth a job of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(index_module, '_JOB_BAGS', 1)
    monkeypatch.setattr(index_module, '_PROCESS_BYTES', 1)
    for i in range(3):
        write_bag(tmp_path / 'bags' / f'b{i}', camera(6, first=10 * i))
    (tmp_path / 'bags' / 'torn.mcap').write_bytes(b'\x89MCAP0\r\n' + bytes(40))
    return tmp_path


def run(directory, pool, **options):
    return index(find_bags([directory / 'bags']), directory / pool, IndexSettings(
        'descriptor',
        sampling=Sampling(rate_hz=0), processes=2, **options))


def units(pool):
    """Return everything known of each unit, by its id."""
    opened = Pool.open(pool)
    return {row['unit_id']: (row['bag'], row['receive_ns'],
                             np.asarray(opened.embeddings[row['embedding_row']]).tobytes())
            for row in opened.units.to_pylist()}


def test_two_machines_make_the_pool_that_one_makes(cluster, bags):
    report = run(bags, 'far', engine='ray', address=cluster)

    near = run(bags, 'near')
    assert (report.indexed, report.added, report.units) == (3, 18, 18)
    assert [bag for bag, _ in report.failed] == [bag for bag, _ in near.failed]
    assert units(bags / 'far') == units(bags / 'near')
    assert not ray.is_initialized()


def test_a_job_that_wants_more_processors_than_a_machine_has_runs_all_the_same(cluster, bags):
    assert run(bags, 'pool', engine='ray', address=cluster, threads=64).indexed == 3


def test_what_a_worker_raises_is_raised_here(cluster, tmp_path):
    job = Job((), tmp_path, 'no-such-extractor', (), 'float32', Sampling(), 1)

    with pytest.raises(ConfigError, match='no-such-extractor'):
        list(engines.ENGINES.get('ray')(1, cluster).run([job]))


def test_workers_that_die_every_time_end_it_with_one_line(cluster, tmp_path, monkeypatch):
    def die(_):  # of this function, so that its code travels to the workers
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr('active_collection.selection.ray_engine.run_job', die)
    job = Job((), tmp_path, 'descriptor', (), 'float32', Sampling(), 1)

    with pytest.raises(SelectionError, match='a worker that died 3 times') as caught:
        list(engines.ENGINES.get('ray')(1, cluster).run([job]))
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('address', ['127.0.0.1:9', 'nonsense', '127.0.0.1:port',
                                     'ray://127.0.0.1:9'])
def test_an_address_where_no_cluster_is_ends_with_one_line(address, bags):
    with pytest.raises(SelectionError, match=f"--address: found '{address}': ") as caught:
        run(bags, 'pool', engine='ray', address=address)
    assert '\n' not in str(caught.value)


def test_no_address_is_this_machine_whatever_the_environment_names(bags, monkeypatch):
    monkeypatch.setenv('RAY_ADDRESS', '127.0.0.1:9')
    joined = []
    start = ray.init

    def init(**options):
        started = start(**options)
        joined.append((started.address_info['address'], ray.cluster_resources()['CPU']))
        return started

    monkeypatch.setattr(ray, 'init', init)

    assert run(bags, 'pool', engine='ray', threads=3).indexed == 3

    assert len(joined) == 1
    address, processors = joined[0]
    assert address != '127.0.0.1:9'
    assert processors == 2 * 3  # processes times threads: both jobs run at a time


def test_nothing_to_do_starts_no_cluster(bags, monkeypatch):
    monkeypatch.setattr(ray, 'init', lambda **_: pytest.fail('a cluster was started'))
    assert list(engines.ENGINES.get('ray')(2, '').run([])) == []


def test_ray_reports_its_use_to_nobody_unless_asked_to(monkeypatch):
    monkeypatch.delenv('RAY_USAGE_STATS_ENABLED', raising=False)
    engines.ENGINES.get('ray')(1, '')
    assert os.environ['RAY_USAGE_STATS_ENABLED'] == '0'
    monkeypatch.setenv('RAY_USAGE_STATS_ENABLED', '1')
    engines.ENGINES.get('ray')(1, '')
    assert os.environ['RAY_USAGE_STATS_ENABLED'] == '1'


def lacking(cluster, job, monkeypatch, function):
    monkeypatch.setattr('active_collection.selection.ray_engine.run_job', function)
    with pytest.raises(SelectionError) as caught:
        list(engines.ENGINES.get('ray')(1, cluster).run([job]))
    return str(caught.value)


def test_a_package_that_a_machine_lacks_is_one_line_with_the_machine(
        cluster, tmp_path, monkeypatch):
    job = Job((), tmp_path, 'descriptor', (), 'float32', Sampling(), 1)

    def needs(_):
        import no_such_package  # noqa: F401

    line = lacking(cluster, job, monkeypatch, needs)
    assert line == (f"node {cluster.rpartition(':')[0]}: found No module named 'no_such_package', "
                    'expected the same packages on every machine of the cluster')


def test_this_package_missing_on_a_machine_is_one_line_with_the_machine(
        cluster, tmp_path, monkeypatch):
    job = Job((), tmp_path, 'descriptor', (), 'float32', Sampling(), 1)
    (tmp_path / 'only_here.py').write_text('def work(job):\n    return None\n')
    with monkeypatch.context() as patched:
        patched.syspath_prepend(tmp_path)
        from only_here import work
    (tmp_path / 'only_here.py').unlink()

    line = lacking(cluster, job, monkeypatch, work)
    assert line.startswith(f"node {cluster.rpartition(':')[0]}: found No module named 'only_here'")
    assert '\n' not in line


def test_without_ray_it_says_what_to_install(bags, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)

    with pytest.raises(SelectionError, match="pip install 'ray>="):
        run(bags, 'pool', engine='ray')


TOKEN_CLUSTER = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster()
cluster.add_node(num_cpus=1, object_store_memory=80 << 20, include_dashboard=False)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""
#: Ray looks at the variables for the token when it is imported.
JOIN = """
import pathlib, sys
from active_collection.selection import engines
from active_collection.selection.index_bag import Sampling
from active_collection.selection.parts import Job
job = Job((), pathlib.Path(sys.argv[2]), 'descriptor', (), 'float32', Sampling(), 1)
try:
    reports = list(engines.ENGINES.get('ray')(1, sys.argv[1]).run([job]))
except Exception as error:
    print(f'{type(error).__name__}: {error}')
else:
    print(len(reports), 'report')
"""


@pytest.mark.slow
def test_a_cluster_that_wants_a_token_says_so_in_seconds(tmp_path):
    token = {'RAY_AUTH_MODE': 'token', 'RAY_AUTH_TOKEN': 's' * 40}
    plain = {k: v for k, v in os.environ.items() if not k.startswith('RAY_')}
    plain['HOME'] = str(tmp_path)  # without a token of this user's

    def join(**variables):
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, '-c', JOIN, address, str(tmp_path)], env={**plain, **variables},
            capture_output=True, text=True, check=True, timeout=60)
        assert time.monotonic() - begun < 15
        return done.stdout.strip().splitlines()[-1]

    with subprocess.Popen([sys.executable, '-c', TOKEN_CLUSTER], env={**plain, **token},
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as cluster:
        address = ''
        while ':' not in address:
            address = cluster.stdout.readline().strip()
        try:
            assert join(**token) == '1 report'
            assert join() == (
                f'SelectionError: --address {address}: found a cluster that wants a token, '
                'expected its token: RAY_AUTH_MODE=token, and it in RAY_AUTH_TOKEN or '
                '~/.ray/auth_token')
            for wrong in ({}, {'RAY_AUTH_TOKEN': 'w' * 40}):
                assert 'found no token, or one that the cluster refuses' in join(
                    RAY_AUTH_MODE='token', **wrong)
        finally:
            cluster.stdin.close()
            cluster.wait(timeout=60)


#: What says to Ray how often to try.
TRIES = 'RAY_gcs_server_port_wait_time_s'


def refused_with(monkeypatch, error, tries=()):
    def init(**_):
        assert os.environ[TRIES] in (tries or {'3'})
        raise error

    with socket.socket() as head:  # takes connections, so that Ray is asked
        head.bind(('127.0.0.1', 0))
        head.listen()
        engine = engines.ENGINES.get('ray')(1, f'127.0.0.1:{head.getsockname()[1]}')
        monkeypatch.setattr(ray, 'init', init)
        job = Job((), Path(), 'descriptor', (), 'float32', Sampling(), 1)
        with pytest.raises(SelectionError) as caught:
            list(engine.run([job]))
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_a_cluster_of_another_version_says_which(monkeypatch):
    line = refused_with(monkeypatch, RuntimeError(
        'Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.10.1\n'
        'This process was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n'))
    assert 'Ray: 2.9.0 Python: 3.10.1' in line and 'HOST:PORT' not in line


@pytest.mark.parametrize('before', [{}, {TRIES: '7'}])
def test_how_long_ray_tries_is_as_before_when_it_has_tried(monkeypatch, before):
    monkeypatch.setattr(os, 'environ', before)
    refused_with(monkeypatch, ConnectionError('none'), set(before.values()))
    before.pop('RAY_USAGE_STATS_ENABLED')
    assert os.environ in ({}, {TRIES: '7'})
