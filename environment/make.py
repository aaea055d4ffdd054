# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Make the Python environment that `make demo` and `make test` run in.

Standard library only: this runs before anything is installed. Makes a virtual environment with
the pinned packages of `pins.txt`, ROS 2 included, and makes it again when the pins, the ROS 2
release or the Python version change. Where a ROS 2 installation is sourced, that one is used and
no ROS 2 wheel is installed.
"""
from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from urllib.error import URLError
from urllib.request import urlopen

HERE = Path(__file__).resolve().parent
RELEASES = ('kilted', 'jazzy')
TORCH_CPU_INDEX = 'https://download.pytorch.org/whl/cpu'
# The wheels were built in an image whose Python stands here; their CMake files still say so.
WHEEL_PYTHON = '/opt/python/cp{v}-cp{v}'
# Libraries of that image, of which the wheels bring copies that are found by themselves.
IMAGE_LIBRARY = re.compile(r'/usr/lib64/lib[\w+-]+\.so;')


class EnvironmentMakingError(Exception):
    """The environment cannot be made; the message is one line for the user."""


def requirements(release: str | None) -> list[str]:
    """
    Return the pip requirements for a release ('kilted', 'jazzy'), or for a sourced ROS 2 (None).

    A sourced ROS 2 was compiled against its distribution's numpy, which therefore stays, and what
    depends on numpy must fit it.
    """
    script = requirement_script()
    pins: list[str] = script.pins()
    if release is None:
        tools = [pin for pin in pins if script.name_of(pin) in {'pip', 'wheel', 'torch'}]
        return [*tools, 'setuptools<80',
                *script.constraints(script.codename(), script.installed_here())]
    others = tuple(f'ros-{name}-' for name in RELEASES if name != release)
    return [pin for pin in pins if not pin.startswith(others)]


def requirement_script() -> ModuleType:
    """Return requirements.py, which lies beside this file, wherever this is run from."""
    specification = importlib.util.spec_from_file_location(
        'requirements', HERE / 'requirements.py')
    if specification is None or specification.loader is None:
        raise EnvironmentMakingError(f'{HERE / "requirements.py"}: not found')
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def sourced_release() -> str | None:
    """Return the name of the ROS 2 installation that is sourced, if rclpy can be found in it."""
    if os.environ.get('ROS_DISTRO') and importlib.util.find_spec('rclpy') is not None:
        return os.environ['ROS_DISTRO']
    return None


def fingerprint(pins: list[str], base: str) -> str:
    """Return the identity of an environment made from these pins by this script."""
    parts = [*pins, base, platform.python_version(), Path(__file__).read_text()]
    return hashlib.sha256('\n'.join(parts).encode()).hexdigest()


def run(*command: str | Path) -> None:
    """Run a command that must succeed; its output goes to ours."""
    result = subprocess.run([str(part) for part in command], check=False)
    if result.returncode:
        raise EnvironmentMakingError(
            f'{" ".join(str(part) for part in command[:4])} …: exit status {result.returncode}')


def torch_options() -> list[str]:
    """Return the pip options that take the CPU build of torch where there is no GPU."""
    if shutil.which('nvidia-smi'):
        return []
    try:
        with urlopen(f'{TORCH_CPU_INDEX}/torch/', timeout=5):
            return ['--extra-index-url', TORCH_CPU_INDEX]
    except (URLError, OSError):
        return []


def repair_wheel_paths(prefix: Path) -> None:
    """Point the ROS wheels' CMake files at what is here, not in the image of the build."""
    digits = f'{sys.version_info.major}{sys.version_info.minor}'
    dotted = f'python{sys.version_info.major}.{sys.version_info.minor}'
    built = WHEEL_PYTHON.format(v=digits)
    include = subprocess.run(
        [prefix / 'bin' / 'python', '-c',
         'import sysconfig; print(sysconfig.get_path("include"))'],
        capture_output=True, text=True, check=True).stdout.strip()
    replacements = {
        f'{built}/include/{dotted}': include,
        f'{built}/lib/{dotted}/site-packages': str(prefix / 'lib' / dotted / 'site-packages'),
    }
    for file in (prefix / 'share').rglob('*.cmake'):
        text = file.read_text()
        repaired = IMAGE_LIBRARY.sub('', text)
        for old, new in replacements.items():
            repaired = repaired.replace(old, new)
        if repaired != text:
            file.write_text(repaired)


def make(target: Path, release: str) -> None:
    """Make the environment at `target`, or return at once where it stands already."""
    sourced = sourced_release()
    pins = requirements(None if sourced else release)
    identity = fingerprint(pins, sourced or release)
    stamp = target / 'fingerprint'
    if stamp.is_file() and stamp.read_text() == identity:
        return
    if platform.machine() != 'x86_64' and not sourced:
        raise EnvironmentMakingError(
            f'machine: found {platform.machine()}, expected x86_64 for the ROS 2 wheels; '
            'source a ROS 2 installation instead')
    if importlib.util.find_spec('ensurepip') is None:
        raise EnvironmentMakingError(
            'Python module ensurepip: not found; install python3-venv (Debian, Ubuntu)')
    print(f'Making the environment {target} '
          f'({f"ROS 2 {sourced} as sourced" if sourced else f"ROS 2 {release} wheels"}); '
          'this takes a few minutes, once.', flush=True)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / 'COLCON_IGNORE').touch()  # should it lie in a colcon workspace
    run(sys.executable, '-m', 'venv', *(['--system-site-packages'] if sourced else []), target)
    pip: list[str | Path] = [
        target / 'bin' / 'python', '-m', 'pip', '--disable-pip-version-check', 'install',
        '-qq', '--progress-bar', 'off']
    listed = target / 'requirements.txt'
    listed.write_text('\n'.join(pins) + '\n')
    constraints = target / 'constraints.txt'  # the same without extras, which pip refuses there
    constraints.write_text(''.join(re.sub(r'\[.*?\]', '', pin) + '\n' for pin in pins))
    # The pip that comes with Python 3.10 takes many minutes to resolve what follows.
    run(*pip, '--constraint', constraints, 'pip', 'setuptools', 'wheel', 'numpy')
    # torch goes alone: its extra index must not be asked for anything else.
    run(*pip, '--constraint', constraints, *torch_options(), 'torch')
    run(*pip, '--requirement', listed)
    if not sourced:
        repair_wheel_paths(target)
    stamp.write_text(identity)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('target', type=Path, help='directory of the environment')
    parser.add_argument('--distro', default='kilted',
                        help=f'ROS 2 release: {", ".join(RELEASES)}')
    arguments = parser.parse_args()
    try:
        if arguments.distro not in RELEASES and sourced_release() is None:
            raise EnvironmentMakingError(
                f'DISTRO: found {arguments.distro!r}, expected one of {", ".join(RELEASES)}')
        if not (3, 10) <= sys.version_info[:2] <= (3, 13):
            raise EnvironmentMakingError(
                f'Python: found {platform.python_version()}, expected 3.10 to 3.13 '
                '(make PYTHON=python3.12 chooses one)')
        make(arguments.target.resolve(), arguments.distro)
    except EnvironmentMakingError as error:
        print(f'environment: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
