# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether Fast DDS is given a profile with shared memory large enough for pictures."""
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from active_collection.pipeline.doctor.finding import Finding
from active_collection.pipeline.doctor.finding import ok
from active_collection.pipeline.doctor.finding import skipped
from active_collection.pipeline.doctor.finding import warning
from active_collection.pipeline.doctor.finding import wrong
from active_collection.pipeline.doctor.machine.middleware import is_fast_dds
from active_collection.pipeline.doctor.subjects import Machine

#: The variable of Fast DDS 3 (Kilted and later), and that of Fast DDS 2.
VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
OF_FAST_DDS_2 = ('humble', 'iron', 'jazzy')
#: Shared memory of a participant without a profile (bytes), and what a raw VGA picture takes.
DEFAULT_SEGMENT = 512 * 1024
PICTURE = 640 * 480 * 3


class Profile:
    """The file of profiles, and the variable that names it."""

    def look(self, subject: Machine) -> Iterable[Finding]:
        """Return one finding."""
        if not subject.has_ros:
            return [skipped('no ROS 2 is sourced')]
        if not is_fast_dds(subject):
            return [skipped(f'{subject.middleware} has profiles of its own')]
        wanted, other = variables(subject)
        value = subject.environment.get(wanted, '')
        ours = _ours(subject)
        remedy = f'export {wanted}={ours}'
        if not value:
            ignored = subject.environment.get(other, '')
            if ignored:
                return [wrong(f'{other}={ignored}, which this Fast DDS does not read',
                              expected=wanted, remedy=f'export {wanted}={ignored}')]
            return [warning(
                f'{wanted} is not set: of raw pictures some are lost before anybody sees them',
                expected=f'a profile with more shared memory than {DEFAULT_SEGMENT} bytes, for '
                'drivers and recorder', remedy=remedy)]
        try:
            segment = segment_size(Path(value))
        except (OSError, ValueError) as error:
            return [wrong(f'{wanted}={value}: {error}; Fast DDS goes on without it',
                          expected='a file of Fast DDS profiles', remedy=remedy)]
        if segment < PICTURE:
            return [warning(
                f'{value}: shared memory of {segment} bytes a participant, less than one raw VGA '
                'picture', expected='segment_size of some pictures', remedy=remedy)]
        return [ok(f'{wanted}={value}: {segment >> 20} MiB of shared memory a participant')]


def variables(machine: Machine) -> tuple[str, str]:
    """Return the variable that names the profiles of the installed Fast DDS, and the other."""
    distro = machine.environment.get('ROS_DISTRO', '')
    is_2 = distro in OF_FAST_DDS_2 or any(
        (prefix / 'share' / 'fastrtps').is_dir() for prefix in machine.prefixes)
    new, old = VARIABLES
    return (old, new) if is_2 else (new, old)


def segment_size(path: Path) -> int:
    """
    Return how much shared memory a participant gets by a file of profiles (bytes).

    :raises OSError: where it cannot be read
    :raises ValueError: where it holds no profiles
    """
    if not path.is_file():
        raise ValueError('no such file')
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314 - the machine's own file
    except ElementTree.ParseError as error:
        raise ValueError(f'no XML ({error})') from error
    if _name(root) not in {'dds', 'profiles'}:
        raise ValueError(f'<{_name(root)}> where <dds> or <profiles> is expected')
    sizes = [int(element.text or 0) for transport in root.iter()
             if _name(transport) == 'transport_descriptor' and _kind(transport) == 'SHM'
             for element in transport if _name(element) == 'segment_size']
    return max(sizes, default=DEFAULT_SEGMENT)


def _kind(transport: ElementTree.Element) -> str:
    return next((str(e.text).strip() for e in transport if _name(e) == 'type'), '')


def _name(element: ElementTree.Element) -> str:
    """Return a tag without its XML namespace."""
    return str(element.tag).rpartition('}')[2]


def _ours(machine: Machine) -> Path:
    """Return the profile that this package installs."""
    below = Path('share', 'active_collection', 'config', 'fastdds.xml')
    return next((prefix / below for prefix in machine.prefixes if (prefix / below).is_file()),
                below)
