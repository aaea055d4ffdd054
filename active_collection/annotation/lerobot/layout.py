# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a LeRobot dataset v3.0 keeps what (huggingface.co/docs/lerobot, lerobot-dataset-v3)."""
from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

VERSION = 'v3.0'
INFO, STATS, TASKS = 'meta/info.json', 'meta/stats.json', 'meta/tasks.parquet'
_NUMBERED = 'chunk-{chunk_index:03d}/file-{file_index:03d}'
DATA = f'data/{_NUMBERED}.parquet'
EPISODES = f'meta/episodes/{_NUMBERED}.parquet'
VIDEO = f'videos/{{video_key}}/{_NUMBERED}.mp4'
#: Files in a directory; sizes at which the next file is begun (MB).
CHUNK_FILES, DATA_MB, VIDEO_MB = 1000, 100, 200

STATE, ACTION, CAMERA = 'observation.state', 'action', 'observation.images.'
#: Whether a person or a script gave the action in an episode that the policy began.
INTERVENTION = 'intervention'
#: Columns of one number that every dataset has, and their types.
SCALARS = {'timestamp': 'float32', 'frame_index': 'int64', 'episode_index': 'int64',
           'index': 'int64', 'task_index': 'int64', INTERVENTION: 'bool'}


def place(file: int) -> dict[str, int]:
    """Return chunk_index and file_index of the file of a number, from 0."""
    return {'chunk_index': file // CHUNK_FILES, 'file_index': file % CHUNK_FILES}


def features(state: Sequence[str], action: Sequence[str],
             cameras: Mapping[str, tuple[int, int]], fps: int) -> dict[str, Any]:
    """
    Return the features of info.json.

    :param state: names of the state's numbers; `action`: of the action's
    :param cameras: key to (height, width)
    """
    found: dict[str, Any] = {
        key: {'dtype': 'float32', 'shape': [len(names)], 'names': list(names)}
        for key, names in ((STATE, state), (ACTION, action)) if names}
    for key, (height, width) in cameras.items():
        found[key] = {
            'dtype': 'video', 'shape': [height, width, 3],
            'names': ['height', 'width', 'channels'],
            'info': {'video.height': height, 'video.width': width, 'video.codec': 'h264',
                     'video.pix_fmt': 'yuv420p', 'video.is_depth_map': False, 'video.fps': fps,
                     'video.channels': 3, 'has_audio': False}}
    found |= {name: {'dtype': dtype, 'shape': [1], 'names': None}
              for name, dtype in SCALARS.items()}
    return found


def vector(values: Any) -> pa.Array:
    """Return a float32 array (n, D) as a column: lists of length D; plain numbers where D is 1."""
    flat = pa.array(values.reshape(-1), pa.float32())
    return flat if values.shape[1] == 1 else pa.FixedSizeListArray.from_arrays(
        flat, values.shape[1])


def write_tasks(root: Path, tasks: Sequence[str]) -> None:
    """Write the tasks in the order of their numbers, as pandas writes a table with an index."""
    table = pa.table({'task_index': pa.array(range(len(tasks)), pa.int64()),
                      'task': pa.array(tasks, pa.string())})
    columns = [{'name': name, 'field_name': name, 'pandas_type': kind, 'numpy_type': stored,
                'metadata': None}
               for name, kind, stored in (('task_index', 'int64', 'int64'),
                                          ('task', 'unicode', 'object'))]
    about = {'index_columns': ['task'], 'column_indexes': [], 'columns': columns,
             'creator': {'library': 'pyarrow', 'version': pa.__version__},
             'pandas_version': '2.0.0'}
    pq.write_table(table.replace_schema_metadata({'pandas': json.dumps(about)}), root / TASKS)
