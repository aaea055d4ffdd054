# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A central store that refuses says so in one line, with the target and what helps."""
from __future__ import annotations

import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from active_collection.cli import main as command_line
from active_collection.episode import Outcome
from active_collection.errors import ActiveCollectionError
from active_collection.recording import remote_store
from active_collection.recording import sftp
from active_collection.recording.remote_errors import StoreError
from active_collection.recording.remote_errors import store_error
from active_collection.recording.remote_store import Store
from active_collection.recording.sync import MANIFEST
from active_collection.recording.sync import sync

asyncssh = pytest.importorskip('asyncssh')
pytest.importorskip('paramiko')
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def data(bench):
    bench.add_topic('/a')
    for index in range(3):
        bench.start(episode_id=f'e{index}')
        bench.send('/a', bytes(100_000), count=5)
        bench.recorder.finish(f'e{index}', outcome=Outcome.SUCCESS)
    return bench.recorder.store.data


@pytest.fixture
def server(tmp_path):
    from sftp_server import ssh_server

    with ssh_server(tmp_path) as started:
        yield started


def refusal(url, **options):
    with pytest.raises(ActiveCollectionError) as caught:
        Store(url, options).check()
    line = str(caught.value)
    assert '\n' not in line and 'Traceback' not in line
    assert line.startswith(f'target {url}')
    return line.removeprefix(f'target {url}')


def test_episodes_reach_an_ssh_server_whole(server, data):
    store = Store(f'{server.url}/fleet', {**server.options, 'password': 'right'})
    store.check()

    assert len(list(sync(data, store))) == 3

    assert server.synced == 9  # messages, metadata and manifest of each
    for copy in (server.root / 'fleet').glob('*/*/e?'):
        assert not list(copy.glob('*.partial'))
        subprocess.run(['sha256sum', '--check', '--quiet', MANIFEST], cwd=copy, check=True)


def test_a_host_that_is_not_known_gets_no_password_and_no_data(server):
    server.known_hosts.write_text('')
    line = refusal(f'{server.url}/a', **server.options, password='right')
    assert 'found a host key that is not known' in line and 'ssh-keyscan' in line
    assert not list(server.root.iterdir())
    assert Store(f'{server.url}/a', {**server.options, 'password': 'right',
                                     'host_key_policy': 'auto_add'}).sha256('none') == ''


def test_a_host_with_another_key_than_before_is_refused(server):
    server.know(asyncssh.generate_private_key('ssh-ed25519'))
    line = refusal(f'{server.url}/a', **server.options, password='right')
    assert 'another host key than the known one' in line and 'ssh-keygen -R' in line


@pytest.mark.parametrize('kind', ['ssh-rsa', 'ssh-ed25519', 'ecdsa-sha2-nistp256'])
def test_a_wrong_key_is_a_refused_login(server, tmp_path, kind):
    form = 'pkcs1-pem' if kind.startswith('ecdsa') else 'openssh'
    asyncssh.generate_private_key(kind).write_private_key(tmp_path / 'key', format_name=form)
    line = refusal(f'{server.url}/a', **server.options, key_filename=str(tmp_path / 'key'))
    assert 'found a login that is refused' in line and '--option key_filename=FILE' in line


@pytest.mark.parametrize(('options', 'found'), [
    ({'password': 'wrong'}, 'a login that is refused'),
    ({'username': 'nobody', 'password': 'right'}, 'a login that is refused'),
    ({}, 'no key and no password'),
    ({'key_filename': '/no/such/key'}, 'no such file'),
    ({'key_filename': '/etc/hosts'}, '/etc/hosts: no private key'),
    ({'pasword': 'right'}, 'pasword'),
    ({'host_key_policy': 'trust'}, 'trust'),
    ({'known_hosts': '/no/known/hosts'}, 'no such file'),
])
def test_a_login_that_cannot_be_is_told(server, options, found):
    assert found in refusal(f'{server.url}/a', **{**server.options, **options})


@pytest.mark.parametrize('form', ['pkcs1-pem', 'openssh'])
def test_a_locked_key_asks_for_its_passphrase(server, tmp_path, form):
    key = tmp_path / 'key'
    asyncssh.generate_private_key('ssh-rsa').write_private_key(
        key, passphrase='secret', format_name=form)
    options = {**server.options, 'key_filename': str(key)}
    line = refusal(f'{server.url}/a', **options)
    assert 'locked' in line and '--option passphrase' in line


def test_a_passphrase_opens_a_locked_key(server, tmp_path):
    asyncssh.generate_private_key('ssh-rsa').write_private_key(
        tmp_path / 'key', passphrase='secret', format_name='pkcs1-pem')
    options = {**server.options, 'key_filename': str(tmp_path / 'key')}
    assert 'another passphrase' in refusal(f'{server.url}/a', **options, passphrase='wrong')
    assert 'a login that is refused' in refusal(f'{server.url}/a', **options, passphrase='secret')


def test_a_right_key_is_let_in(server, tmp_path):
    server.trust(asyncssh.generate_private_key('ssh-rsa'), tmp_path / 'key')
    store = Store(f'{server.url}/a', {**server.options, 'key_filename': str(tmp_path / 'key')})
    store.check()
    assert (server.root / 'a').is_dir()


def test_servers_that_are_away_or_none_are_told_with_the_target(server, tmp_path, monkeypatch):
    monkeypatch.setattr(sftp, 'CONNECT_S', 0.5)
    with socket.socket() as silent, socket.socket() as refusing:
        for one in (silent, refusing):
            one.bind(('127.0.0.1', 0))
        silent.listen()
        port, closed = silent.getsockname()[1], refusing.getsockname()[1]
        assert 'no SSH server' in refusal(f'sftp://robot@127.0.0.1:{port}/a', password='p')
        assert 'a refused connection' in refusal(f'sftp://robot@127.0.0.1:{closed}/a')
    assert 'an unknown host' in refusal('sftp://robot@no-such-host.invalid/a')
    assert 'Port' in refusal('sftp://robot@127.0.0.1:9x/a')


def test_nothing_but_our_line_is_said_of_a_server_that_is_none(data):
    def answer():
        peer, _ = web.accept()
        peer.sendall(b'HTTP/1.1 400 Bad Request\r\n\r\n')
        peer.close()

    with socket.socket() as web:
        web.bind(('127.0.0.1', 0))
        web.listen()
        server = threading.Thread(target=answer)
        server.start()
        url = f'sftp://robot@127.0.0.1:{web.getsockname()[1]}/a'
        done = subprocess.run(
            [sys.executable, '-m', 'active_collection.cli.main', 'sync', '--data', str(data), url,
             '--option', 'password=p'], capture_output=True, text=True, timeout=60)
        server.join()
    assert (done.returncode, done.stderr.count('\n')) == (2, 1), done.stderr
    assert f'target {url}: found no SSH server' in done.stderr


@pytest.mark.parametrize('error', [
    OSError('Socket is closed'), EOFError(), ConnectionResetError(104, 'reset'),
    BrokenPipeError(32, 'broken'), TimeoutError(), OSError(28, 'No space left on device')])
def test_what_ends_every_access_ends_the_copying(error):
    assert store_error('x', error).lasting


@pytest.mark.parametrize('error', [
    PermissionError(13, 'Permission denied'), OSError('Failure'), FileNotFoundError(2, 'none')])
def test_what_may_be_one_episode_s_does_not(error):
    assert not store_error('x', error).lasting


def test_a_place_that_is_not_ours_is_no_permission(server, data):
    store = Store(f'{server.url}/locked', {**server.options, 'password': 'right'})
    with pytest.raises(StoreError, match=f'target {server.url}/locked: found no permission'):
        store.check()


def test_a_full_disk_ends_it_with_one_line_and_loses_nothing(server, data, capsys):
    server.full = True
    status = command_line.main([
        'sync', str(data), f'{server.url}/fleet', '--option', 'password=right',
        *(f'--option={k}={str(v).lower() if isinstance(v, bool) else v}'
          for k, v in server.options.items())])
    output = capsys.readouterr()
    assert status == 2 and output.err.count('\n') == 1
    assert f'{server.url}/fleet' in output.err and 'free space' in output.err
    assert '0 episodes' in output.out and '3 failed' in output.out
    server.full = False
    store = Store(f'{server.url}/fleet', {**server.options, 'password': 'right'})
    assert all(result.copied for result in sync(data, store))


def test_a_connection_that_breaks_off_once_is_made_again(server, data):
    store = Store(f'{server.url}/fleet', {**server.options, 'password': 'right'})
    store.check()
    server.losses = 1
    assert [result.copied > 0 for result in sync(data, store)] == [True] * 3
    assert server.losses == 0


def test_a_server_that_falls_silent_is_given_up(server, data, monkeypatch):
    monkeypatch.setattr(sftp, 'SILENCE_S', 0.5)
    store = Store(f'{server.url}/fleet', {**server.options, 'password': 'right'})
    store.check()
    server.silent = True
    with pytest.raises(StoreError, match=f'target {server.url}/fleet: found no answer in time'):
        list(sync(data, store))


def test_a_server_that_goes_away_ends_it_at_once(server, data):
    store = Store(f'{server.url}/fleet', {**server.options, 'password': 'right'})
    store.check()
    server.losses = 10
    with pytest.raises(StoreError, match=f'target {server.url}/fleet: found a connection that'):
        list(sync(data, store))
    assert server.losses == 8  # once, and once more after it was made again


def test_a_password_in_the_url_is_neither_printed_nor_kept(server, data):
    url = f'sftp://robot:right@127.0.0.1:{server.port}/fleet'
    store = Store(url, server.options)
    assert store.url == f'{server.url}/fleet'
    assert len(list(sync(data, store))) == 3
    kept = ''.join(path.read_text() for path in (data / 'synced').iterdir())
    assert 'right' not in kept and store.url in kept
    with pytest.raises(StoreError) as caught:
        Store(url.replace('right', 'wrong'), server.options)
    assert 'wrong' not in str(caught.value)


@pytest.fixture(scope='module')
def s3():
    moto = pytest.importorskip('moto.server')
    pytest.importorskip('s3fs')
    server = moto.ThreadedMotoServer(ip_address='127.0.0.1', port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f'http://{host}:{port}'
    server.stop()


def test_a_bucket_that_is_not_there_is_told_and_not_made(s3, monkeypatch):
    import s3fs

    options = {'endpoint_url': s3, 'key': 'k', 'secret': 's'}
    assert "no bucket 'robtos'" in refusal('s3://robtos/fleet', **options)
    assert s3fs.S3FileSystem(**options, skip_instance_cache=True).ls('') == []


def test_s3_credentials_that_are_missing_or_refused_are_told(s3, tmp_path, monkeypatch):
    import requests

    for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('AWS_SHARED_CREDENTIALS_FILE', str(tmp_path / 'none'))
    monkeypatch.setenv('AWS_CONFIG_FILE', str(tmp_path / 'none'))
    monkeypatch.setenv('AWS_EC2_METADATA_DISABLED', 'true')
    line = refusal('s3://robots/fleet', endpoint_url=s3)
    assert 'found no credentials' in line and 'AWS_ACCESS_KEY_ID' in line
    requests.post(f'{s3}/moto-api/reset-auth', data=b'0', timeout=10)
    try:
        line = refusal('s3://robots/fleet', endpoint_url=s3, key='wrong', secret='wrong')
    finally:
        requests.post(f'{s3}/moto-api/reset-auth', data=b'inf', timeout=10)
    assert 'AWS_ACCESS_KEY_ID' in line, line


def test_s3_endpoints_that_are_away_or_none_are_told(s3):
    pytest.importorskip('s3fs')
    login = {'key': 'k', 'secret': 's'}
    with socket.socket() as refusing:
        refusing.bind(('127.0.0.1', 0))
        endpoint = f'http://127.0.0.1:{refusing.getsockname()[1]}'
        line = refusal('s3://robots/fleet', endpoint_url=endpoint, **login)
    assert endpoint in line and 'reached from here' in line
    line = refusal('s3://robots/fleet', endpoint_url='127.0.0.1', **login)
    assert 'endpoint_url=http://HOST:PORT' in line
    assert 'endpont_url' in refusal('s3://robots/fleet', endpont_url=s3, **login)


def test_an_s3_server_that_is_silent_is_asked_twice_and_given_up(monkeypatch):
    pytest.importorskip('s3fs')
    monkeypatch.setitem(remote_store._S3_CONFIG, 'read_timeout', 0.2)
    asked = []
    with socket.socket() as silent:
        silent.bind(('127.0.0.1', 0))
        silent.listen(50)

        def listen():
            with suppress(OSError):
                while True:
                    asked.append(silent.accept()[0])

        threading.Thread(target=listen, daemon=True).start()
        endpoint = f'http://127.0.0.1:{silent.getsockname()[1]}'
        line = refusal('s3://robots/fleet', endpoint_url=endpoint, key='k', secret='s')
        silent.shutdown(socket.SHUT_RDWR)
    for peer in asked:
        peer.close()
    assert endpoint in line and 'reached from here' in line
    assert len(asked) == 2


def test_options_of_the_command_line_get_their_kind():
    from active_collection.cli.sync import _typed

    assert [_typed('anon', 'true'), _typed('use_ssl', 'false')] == [True, False]
    assert [_typed('port', '22'), _typed('timeout', '0.5')] == [22, 0.5]
    assert [_typed('key', '123'), _typed('password', 'true'), _typed('endpoint_url', 'http://a')
            ] == ['123', 'true', 'http://a']
