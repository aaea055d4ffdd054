# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Say what is wrong with a central store in one line, whichever library found it."""
from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from active_collection.errors import RecordingError
from active_collection.errors import in_words

_KNOWN_HOSTS = 'the key that is kept in ~/.ssh/known_hosts (or --option known_hosts=FILE)'
_LOGIN = ('a user and a key or password that it takes: sftp://USER@HOST/…, an SSH agent, '
          '--option key_filename=FILE')
_CREDENTIALS = ('credentials that it takes: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, '
                'AWS_PROFILE, or --option key=… --option secret=…')
_REACHED = 'a server that is up and reached from here under that address'
_RIGHTS = 'the right to list, read and write there'


class StoreError(RecordingError):
    """
    A central store refuses something.

    :ivar lasting: whether it would refuse everything else too
    """

    lasting: bool = False


@dataclass(frozen=True, slots=True)
class _Trouble:
    """
    A kind of error.

    :param kinds: names of its exception classes; of libraries that may not be installed
    :param says: a part of its message; empty: whatever it says
    :param found: how it is told; empty: in the words of the exception
    :param lasting: whether every other access meets it too
    """

    kinds: frozenset[str]
    says: str
    found: str
    expected: str
    lasting: bool = True

    def fits(self, error: BaseException) -> bool:
        names = {kind.__name__ for kind in type(error).__mro__}
        return not self.kinds.isdisjoint(names) and self.says in str(error)


def _trouble(kinds: str, found: str, expected: str, *, says: str = '',
             lasting: bool = True) -> _Trouble:
    return _Trouble(frozenset(kinds.split()), says, found, expected, lasting)


#: The first that fits counts: the narrow ones stand before the wide ones.
_TROUBLES = (
    # SSH
    _trouble('BadHostKeyException', 'another host key than the known one',
             f'{_KNOWN_HOSTS}; where the machine was set up anew, ssh-keygen -R HOST forgets it'),
    _trouble('SSHException', 'a host key that is not known', says='not found in known_hosts',
             expected=f'{_KNOWN_HOSTS}: log in once with ssh, or add it with ssh-keyscan'),
    _trouble('SSHException', 'no SSH server', _REACHED, says='SSH protocol banner'),
    _trouble('SSHException', 'no SSH server', _REACHED, says='No existing session'),
    _trouble('IncompatiblePeer', '', 'an SSH server with algorithms of today'),
    _trouble('PasswordRequiredException', 'a private key that is locked',
             'it in an SSH agent, or --option passphrase=…'),
    _trouble('AuthenticationException', 'a login that is refused', _LOGIN),
    _trouble('SSHException', '', _LOGIN, says='no private key'),
    _trouble('SSHException', 'no key and no password to log in with', _LOGIN,
             says='No authentication methods'),
    _trouble('OSError', 'a file that has not arrived whole', 'free space there',
             says='size mismatch in put'),
    _trouble('SSHException EOFError', 'a connection that broke off', _REACHED),
    _trouble('OSError', 'a connection that broke off', _REACHED, says='Socket is closed'),
    # object stores
    _trouble('NoCredentialsError PartialCredentialsError', 'no credentials', _CREDENTIALS),
    _trouble('ProfileNotFound', '', _CREDENTIALS),
    _trouble('EndpointConnectionError ConnectTimeoutError ConnectionClosedError '
             'ReadTimeoutError HTTPClientError ProxyConnectionError', '', _REACHED),
    _trouble('ParamValidationError', '', 'a bucket by its name'),
    _trouble('ValueError', '', '--option endpoint_url=http://HOST:PORT', says='Invalid endpoint'),
    # every one
    _trouble('NoValidConnectionsError ConnectionRefusedError', 'a refused connection', _REACHED),
    _trouble('gaierror', 'an unknown host', _REACHED),
    _trouble('TimeoutError', 'no answer in time', _REACHED),
    _trouble('ConnectionError', '', _REACHED),
)
#: What the operating system, here or there, says without an exception class of its own.
_NUMBERS = {
    errno.ENOSPC: _trouble('', 'no space left', 'free space there'),
    errno.EDQUOT: _trouble('', 'a quota that is used up', 'free space there'),
    errno.EROFS: _trouble('', 'a read-only file system', _RIGHTS),
    errno.ENETUNREACH: _trouble('', 'no way to its network', _REACHED),
    errno.EHOSTUNREACH: _trouble('', 'no way to its host', _REACHED),
    errno.EACCES: _trouble('', 'no permission', _RIGHTS, lasting=False),
    errno.EPERM: _trouble('', 'no permission', _RIGHTS, lasting=False),
}
#: S3's codes of credentials that are wrong as such, not for one file.
_WRONG_CREDENTIALS = frozenset({
    'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'ExpiredToken', 'InvalidToken',
    'AuthFailure', 'RequestTimeTooSkewed'})


def store_error(where: str, error: BaseException) -> StoreError:
    """
    Return what a library raised as one line that says what helps.

    :param where: the target, or the file in it
    """
    trouble = _trouble_of(error)
    made = StoreError(where, found=trouble.found or in_words(error), expected=trouble.expected)
    made.lasting = trouble.lasting
    return made


def _trouble_of(error: BaseException) -> _Trouble:
    for one in _chain(error):
        code = _s3_code(one)
        if code in _WRONG_CREDENTIALS:
            return _trouble('', f'credentials that are refused ({code})', _CREDENTIALS)
        for trouble in _TROUBLES:
            if trouble.fits(one):
                return trouble
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, PermissionError):  # S3's have no number
        number = errno.EACCES
    if number in _NUMBERS:
        return _NUMBERS[number]
    # OpenSSH has one word for a full disk, a quota and much else.
    return _trouble('', f'{type(error).__name__}: {in_words(error)}',
                    'a store with free space that can be read and written', lasting=False)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, the outermost first."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__


def _s3_code(error: BaseException) -> str:
    response = getattr(error, 'response', None)
    details = response.get('Error') if isinstance(response, dict) else None
    return str(details.get('Code', '')) if isinstance(details, dict) else ''
