# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A real SSH server on this machine, whose disk can be full, locked, silent or gone."""
from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh

USER, PASSWORD = 'robot', 'right'


class _Login(asyncssh.SSHServer):
    def __init__(self, server):
        self._server = server

    def public_key_auth_supported(self):
        return True

    def validate_public_key(self, username, key):
        return username == USER and key in self._server.trusted

    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return (username, password) == (USER, PASSWORD)


class SshServer:
    """
    Serves a directory over SFTP.

    :ivar full: writing is answered as by a full disk
    :ivar synced: how often a client has had a file forced to the disk
    :ivar silent: writing is never answered
    :ivar losses: how many connections still break off when something is written
    """

    def __init__(self, root: Path, keys: Path) -> None:
        self.root = root
        self.full = self.silent = False
        self.losses = self.synced = 0
        self.lost = set()
        self.trusted = []
        self._host_key = asyncssh.generate_private_key('ssh-ed25519')
        self.known_hosts = keys / 'known_hosts'
        self._keys = keys
        self.never = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f'sftp://{USER}@127.0.0.1:{self.port}'

    @property
    def options(self) -> dict[str, object]:
        """Return options with which nothing of this user's own is used."""
        return {'known_hosts': str(self.known_hosts), 'allow_agent': False,
                'look_for_keys': False}

    def know(self, key: asyncssh.SSHKey | None = None) -> None:
        """Write a host key of this server into the known hosts: its own unless given."""
        public = (key or self._host_key).export_public_key().decode()
        self.known_hosts.write_text(f'[127.0.0.1]:{self.port} {public}')

    def trust(self, key: asyncssh.SSHKey, file: Path) -> None:
        """Let in whoever has a private key, which is written to a file."""
        key.write_private_key(file)
        self.trusted.append(key.convert_to_public())

    def start(self) -> None:
        self._thread.start()
        self._accept = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = self._accept.get_port()
        self.know()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._accept.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _listen(self):
        return await asyncssh.create_server(
            lambda: _Login(self), '127.0.0.1', 0, server_host_keys=[self._host_key],
            sftp_factory=lambda channel: _files(self, channel))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


def _files(server: SshServer, channel):
    class Files(asyncssh.SFTPServer):
        def mkdir(self, path, attributes):
            if b'locked' in path:
                raise asyncssh.SFTPPermissionDenied('no')
            return super().mkdir(path, attributes)

        def fsync(self, file):
            server.synced += 1
            super().fsync(file)

        async def write(self, file, offset, data):
            if server.silent:
                await server.never.wait()
            if server.losses and self.connection not in server.lost:
                server.losses -= 1
                server.lost.add(self.connection)
                self.connection.abort()
            if server.full:
                raise OSError(errno.ENOSPC, 'No space left on device')
            return super().write(file, offset, data)

    return Files(channel, chroot=str(server.root))


@contextmanager
def ssh_server(directory: Path) -> Iterator[SshServer]:
    """Give a server that serves `directory`/served."""
    (directory / 'served').mkdir()
    server = SshServer(directory / 'served', directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()
