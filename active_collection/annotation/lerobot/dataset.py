# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Write chosen episodes as a LeRobot dataset v3.0: Parquet, videos and what describes them."""
from __future__ import annotations

import json
import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from active_collection.annotation.chosen import ChosenEpisode
from active_collection.annotation.lerobot import layout
from active_collection.annotation.lerobot import statistics
from active_collection.annotation.lerobot.signals import Signals
from active_collection.annotation.lerobot.signals import pictures
from active_collection.annotation.lerobot.signals import read_signals
from active_collection.annotation.lerobot.statistics import Statistics
from active_collection.annotation.lerobot.video import CameraWriter
from active_collection.annotation.lerobot.video import Clip
from active_collection.bags.observation import ObservationSpec
from active_collection.bags.reader import Bag
from active_collection.bags.reader import open_bag
from active_collection.errors import ActiveCollectionError
from active_collection.errors import AnnotationError
from active_collection.errors import ConfigError
from active_collection.files import whole_directory
from active_collection.packages import how_to_install

_MB = 1 << 20


@dataclass(frozen=True)
class Settings:
    """
    What of an episode goes into the dataset.

    :param spec: its numeric items are the state; its action is the action
    :param fps: rows and pictures a second, 1 to 1,000
    :param cameras: name to image topic, as written in the specification's way
    :param video_mb: size at which the next video is begun (MB)
    """

    spec: ObservationSpec
    fps: int
    cameras: Mapping[str, str]
    data_mb: int = layout.DATA_MB
    video_mb: int = layout.VIDEO_MB


@dataclass(frozen=True)
class Written:
    """
    What was written.

    :param missing: one line for each episode that was left out
    """

    episodes: int
    frames: int
    missing: tuple[str, ...]


def write_dataset(episodes: Sequence[ChosenEpisode], directory: Path, settings: Settings,
                  progress: Callable[[int, int], None] = lambda *_: None) -> Written:
    """
    Write episodes as a dataset, whole or not at all.

    :param episodes: in the order that the dataset is to have
    :param directory: must not exist
    :param progress: told (done, of how many)
    :raises AnnotationError: where it exists, or not one episode can be exported
    :raises ConfigError: where the rate is out of range, or PyAV is needed and not installed
    :raises OSError: where it cannot be written
    """
    if not 1 <= settings.fps <= 1000:
        raise ConfigError('fps', found=settings.fps, expected='1 to 1,000')
    if settings.cameras:
        _check_encoder()
    missing = []
    try:
        with whole_directory(directory) as root:
            with _Dataset(root, settings) as dataset:
                for number, episode in enumerate(episodes, 1):
                    try:
                        dataset.add(episode)
                    except ActiveCollectionError as error:
                        missing.append(str(error))
                    progress(number, len(episodes))
            if not dataset.rows:
                raise AnnotationError(directory, found=missing[0] if missing else 'no episodes',
                                      expected='at least one episode')
            dataset.describe()
    except FileExistsError as error:
        raise AnnotationError(directory, found='something there',
                              expected='a new directory') from error
    return Written(len(dataset.rows), dataset.frames, tuple(missing))


class _Dataset:
    """A dataset being written. A context manager; `describe` after its end."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.rows: list[dict[str, Any]] = []
        self.frames = 0
        self._root = root
        self._settings = settings
        self._tasks: dict[str, int] = {}
        self._statistics: list[dict[str, Statistics]] = []
        self._state_names: tuple[str, ...] = ()
        self._file = 0
        self._table: pq.ParquetWriter | None = None
        self._cameras = {
            f'{layout.CAMERA}{name}': CameraWriter(
                partial(self._video, f'{layout.CAMERA}{name}'), settings.fps,
                settings.video_mb * _MB)
            for name in settings.cameras}

    def __enter__(self) -> _Dataset:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:  # every file is closed, whatever closing another one says
            for camera in self._cameras.values():
                stack.callback(camera.close)
            if self._table is not None:
                stack.callback(self._table.close)

    def add(self, episode: ChosenEpisode) -> None:
        """
        Add an episode.

        :raises ActiveCollectionError: where it cannot be read; the dataset stays as it was
        """
        with open_bag(episode.bag) as bag:
            signals = read_signals(bag, self._settings.spec, self._settings.fps)
            if self._state_names and signals.state_names != self._state_names:
                raise AnnotationError(
                    bag.path, found=f'a state of {len(signals.state_names)} numbers',
                    expected=f'{len(self._state_names)}, as in the episodes before')
            clips = {key: camera.write(
                pictures(bag, topic, signals.stamps, self._settings.fps), len(signals.stamps))
                for (key, camera), topic in zip(
                    self._cameras.items(), self._settings.cameras.values(), strict=True)}
            instruction = _instruction(bag, episode)
        self._state_names = signals.state_names
        task = self._tasks.setdefault(instruction, len(self._tasks))
        columns = self._columns(signals, task)
        self._write_rows(columns)
        own = {name: statistics.of_numbers(values) for name, values in columns.items()}
        own |= {key: clip.statistics for key, clip in clips.items()}
        self._statistics.append(own)
        self.rows.append(self._row(episode, signals, instruction, clips))
        self.frames += len(signals.stamps)

    def describe(self) -> None:
        """Write meta/."""
        directory = self._root / 'meta'
        path = self._root / layout.EPISODES.format(chunk_index=0, file_index=0)
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(self.rows), path, compression='snappy')
        layout.write_tasks(self._root, list(self._tasks))
        stats = statistics.together(self._statistics)
        (self._root / layout.STATS).write_text(json.dumps(
            {feature: {name: value.tolist() for name, value in values.items()}
             for feature, values in stats.items()}, indent=4) + '\n')
        sizes = {key: camera.size for key, camera in self._cameras.items() if camera.size}
        info = {
            'codebase_version': layout.VERSION, 'robot_type': None,
            'total_episodes': len(self.rows), 'total_frames': self.frames,
            'total_tasks': len(self._tasks), 'chunks_size': layout.CHUNK_FILES,
            'data_files_size_in_mb': self._settings.data_mb,
            'video_files_size_in_mb': self._settings.video_mb, 'fps': self._settings.fps,
            'splits': {'train': f'0:{len(self.rows)}'}, 'data_path': layout.DATA,
            'video_path': layout.VIDEO if sizes else None,
            'features': layout.features(self._state_names, self._action_names(), sizes,
                                        self._settings.fps)}
        (directory / 'info.json').write_text(json.dumps(info, indent=4) + '\n')

    def _columns(self, signals: Signals, task: int) -> dict[str, np.ndarray[Any, Any]]:
        count = len(signals.stamps)
        frames = np.arange(count, dtype=np.int64)
        columns: dict[str, np.ndarray[Any, Any]] = {}
        if signals.state_names:
            columns[layout.STATE] = signals.state
        return columns | {
            layout.ACTION: signals.action,
            'timestamp': (frames / self._settings.fps).astype(np.float32),
            'frame_index': frames, 'episode_index': np.full(count, len(self.rows), np.int64),
            'index': frames + self.frames, 'task_index': np.full(count, task, np.int64),
            layout.INTERVENTION: signals.intervention}

    def _write_rows(self, columns: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Write an episode as one row group."""
        table = pa.table({name: layout.vector(values) if values.ndim == 2 else pa.array(values)
                          for name, values in columns.items()})
        path = self._root / layout.DATA.format(**layout.place(self._file))
        if (self._table is not None
                and path.stat().st_size >= self._settings.data_mb * _MB):
            self._table.close()
            self._table, self._file = None, self._file + 1
            path = self._root / layout.DATA.format(**layout.place(self._file))
        if self._table is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._table = pq.ParquetWriter(path, table.schema, compression='snappy')
        self._table.write_table(table)

    def _row(self, episode: ChosenEpisode, signals: Signals, task: str,
             clips: Mapping[str, Clip]) -> dict[str, Any]:
        """Return an episode's row of meta/episodes; `source/` maps it back to its bag."""
        count, fps = len(signals.stamps), self._settings.fps
        row: dict[str, Any] = {
            'episode_index': len(self.rows), 'tasks': [task], 'length': count,
            **{f'data/{key}': value for key, value in layout.place(self._file).items()},
            'dataset_from_index': self.frames, 'dataset_to_index': self.frames + count}
        for key, clip in clips.items():
            row |= {f'videos/{key}/{name}': value
                    for name, value in layout.place(clip.file).items()}
            row[f'videos/{key}/from_timestamp'] = clip.start / fps
            row[f'videos/{key}/to_timestamp'] = (clip.start + clip.count) / fps
        for feature, values in self._statistics[-1].items():
            row |= {f'stats/{feature}/{name}': value.tolist() for name, value in values.items()}
        first = episode.items[0]
        return row | {
            'meta/episodes/chunk_index': 0, 'meta/episodes/file_index': 0,
            'source/bag': episode.bag, 'source/episode_id': episode.episode_id,
            'source/start_ns': int(signals.stamps[0]), 'source/scenario': first.scenario,
            'source/outcome': first.outcome, 'source/units': [i.unit_id for i in episode.items],
            'source/difficulty': None if math.isnan(episode.difficulty) else episode.difficulty}

    def _action_names(self) -> list[str]:
        return [f'action.{place}' for place in range(self._settings.spec.action.size)]

    def _video(self, key: str, file: int) -> Path:
        return self._root / layout.VIDEO.format(video_key=key, **layout.place(file))


def _instruction(bag: Bag, episode: ChosenEpisode) -> str:
    """Return the task in words: the episode's tag `instruction`, else the task's name."""
    said = bag.episode.tags.get('instruction', '') if bag.episode else ''
    return said or episode.task or 'unknown'


def _check_encoder() -> None:
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise ConfigError('format lerobot', found=str(error), expected='PyAV for its videos '
                          f'({how_to_install("video")}), or no cameras') from error
