# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The SFTP file system that episodes are copied to: only to hosts that are known."""
from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any

#: How long each step of logging in may take, and how long a server may be silent (s).
CONNECT_S = 10.0
SILENCE_S = 60.0
_KEEP_ALIVE_S = 15
#: OpenSSH's extension of SFTP.
_FSYNC = 'fsync@openssh.com'
#: Known hosts beside those of the user, as OpenSSH has them.
_SYSTEM_KNOWN_HOSTS = Path('/etc/ssh/ssh_known_hosts')


def _key(file: Path, passphrase: str | None) -> Any:
    """
    Read a private key. Paramiko itself tries each kind in turn, and tells of the last.

    :raises paramiko.SSHException: where it is none, or locked
    """
    import paramiko  # type: ignore[import-untyped]

    for kind in (paramiko.RSAKey, paramiko.ECDSAKey, paramiko.Ed25519Key):
        try:
            key = kind.from_private_key_file(str(file), passphrase)
        except paramiko.PasswordRequiredException:
            raise
        except (paramiko.SSHException, ValueError):
            continue
        certificate = Path(f'{file}-cert.pub')
        if certificate.is_file():
            key.load_certificate(str(certificate))
        return key
    raise paramiko.SSHException(f'{file}: no private key, or another passphrase')


@functools.cache
def sftp_file_system() -> type[Any]:
    """
    Return fsspec's SFTPFileSystem, made to check whom it talks to and to give up in time.

    fsspec takes any host key and waits for ever. Here the host has to be known to OpenSSH, as it
    has to be for `ssh` and `rsync`, unless the option host_key_policy is 'auto_add'; the option
    known_hosts names another file.

    :raises ImportError: where paramiko is not installed
    """
    import paramiko
    # It logs what it raises too, with its stack; without a handler that would go to stderr.
    logging.getLogger('paramiko').addHandler(logging.NullHandler())
    from fsspec.implementations.sftp import SFTPFileSystem  # type: ignore[import-untyped]

    policies = {'reject': paramiko.RejectPolicy, 'auto_add': paramiko.AutoAddPolicy}

    class KnownHostsFileSystem(SFTPFileSystem):  # type: ignore[misc]
        """SFTP to a host whose key is known."""

        def __init__(self, host: str, *, known_hosts: str = '', host_key_policy: str = 'reject',
                     **options: Any) -> None:
            if self._cached:
                return
            if host_key_policy not in policies:
                raise ValueError(f'host_key_policy {host_key_policy!r}; it is one of '
                                 f'{", ".join(policies)}')
            self._known_hosts = known_hosts
            self._policy = policies[host_key_policy]()
            limits = {'timeout': CONNECT_S, 'banner_timeout': CONNECT_S, 'auth_timeout': CONNECT_S}
            super().__init__(host, **{**limits, **options})

        def _connect(self) -> None:
            self.client = paramiko.SSHClient()
            self.client.set_missing_host_key_policy(self._policy)
            if self._known_hosts:
                self.client.load_system_host_keys(str(Path(self._known_hosts).expanduser()))
            else:
                self.client.load_system_host_keys()
                if _SYSTEM_KNOWN_HOSTS.is_file():
                    self.client.load_system_host_keys(str(_SYSTEM_KNOWN_HOSTS))
            options = dict(self.ssh_kwargs)
            if file := options.pop('key_filename', None):
                options['pkey'] = _key(Path(file).expanduser(), options.get('passphrase'))
            self.client.connect(self.host, **options)
            self.client.get_transport().set_keepalive(_KEEP_ALIVE_S)
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(SILENCE_S)

        def force_to_disk(self, path: str) -> None:
            """
            Have the server force a file to its disk, where it can; OpenSSH's can.

            :raises OSError: where its disk refuses
            """
            with self.ftp.open(path, 'r') as file:
                try:
                    self.ftp._request(  # noqa: SLF001 - paramiko has no door to it
                        paramiko.sftp.CMD_EXTENDED, _FSYNC, file.handle)
                except OSError as error:
                    if 'support' not in str(error).lower():
                        raise

    return KnownHostsFileSystem
