# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Zip files that annotation tools export, unpacked where they can do no harm."""
from __future__ import annotations

import errno
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pathlib import PurePosixPath
from tempfile import TemporaryDirectory

from active_collection.annotation.reading import LARGEST
from active_collection.errors import AnnotationError

#: Members of an archive: a tool packs the pictures with the labels.
MOST_MEMBERS = 1_000_000
#: What is not unpacked: labels are no pictures.
_PICTURES = frozenset({'.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff', '.gif', '.mp4'})
_MAGIC = (b'PK\x03\x04', b'PK\x05\x06')
_PIECE = 1 << 20
#: What zipfile raises for a broken archive: an encrypted member is a RuntimeError, an unknown
#: compression a NotImplementedError, a torn field of a member a struct.error.
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError,
           NotImplementedError, RuntimeError, ValueError)
_OF_THE_ARCHIVE = frozenset({None, errno.EINVAL, errno.EEXIST, errno.ENOTDIR, errno.EISDIR})


def is_zip(path: Path) -> bool:
    """Tell whether a file is a zip file, whatever it is called; False where there is none."""
    try:
        with path.open('rb') as file:
            return file.read(4) in _MAGIC
    except OSError:
        return False


@contextmanager
def unpacked(path: Path, largest: int = LARGEST) -> Iterator[Path]:
    """
    Give a directory with what a zip file holds besides pictures; it is gone after the block.

    Sizes are counted while unpacking: what the archive says of them proves nothing.

    :param largest: bytes of all that is unpacked
    :raises AnnotationError: where the file is corrupt, encrypted or too large unpacked, or a
        member would lie outside of the directory or is a link
    """
    with TemporaryDirectory(prefix='labels-') as directory:
        _unpack(path, Path(directory), largest)
        yield Path(directory)


def the_file(directory: Path, name: str, archive: Path) -> Path:
    """
    Return the one file below a directory that is called so, else the only one of its kind.

    :param name: 'annotations.xml'
    :param archive: for messages
    :raises AnnotationError: where there is none, or more than one
    """
    suffix = PurePosixPath(name).suffix
    found = sorted(path for path in directory.rglob(f'*{suffix}') if path.is_file())
    named = [path for path in found if path.name == name]
    if len(named) == 1 or len(found) == 1:
        return (named or found)[0]
    names = ', '.join(str(path.relative_to(directory)) for path in named or found)
    raise AnnotationError(archive, found=names or f'no {suffix} file',
                          expected=f'one {name} (or unpack it and give the file)')


def _unpack(path: Path, directory: Path, largest: int) -> None:
    left = largest
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise AnnotationError(path, found=f'{len(members):,} members',
                                      expected=f'at most {MOST_MEMBERS:,}')
            for member in members:
                target = directory / _safe_name(member, path)
                if member.is_dir() or target.suffix.lower() in _PICTURES:
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open('xb') as file:
                    while piece := source.read(_PIECE):
                        left -= len(piece)
                        if left < 0:
                            raise AnnotationError(
                                f'{path}: {member.filename}', found='an archive of more than '
                                f'{largest:,} bytes', expected='one without bombs (or unpack it '
                                'and give the file)')
                        file.write(piece)
    except (*_BROKEN, OSError) as error:
        # A place before the file's start has EINVAL, a broken bzip2 stream no number at all; what
        # else the system says (no room, say) is no fault of the archive.
        if isinstance(error, OSError) and error.errno not in _OF_THE_ARCHIVE:
            raise
        raise AnnotationError(path, found=error, expected='a whole zip file without a password'
                              ) from error


def _safe_name(member: zipfile.ZipInfo, path: Path) -> PurePosixPath:
    """
    Return a member's name as a path that stays below the directory.

    :raises AnnotationError: where it would not
    """
    name = PurePosixPath(member.filename)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if (name.is_absolute() or '..' in name.parts or '\\' in member.filename or not name.parts
            or ':' in member.filename.partition('/')[0]):
        raise AnnotationError(path, found=f'a member {member.filename!r}',
                              expected='names below the archive')
    if kind and not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise AnnotationError(path, found=f'a member {member.filename!r} that is a link or device',
                              expected='files and directories')
    return name
