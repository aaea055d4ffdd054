# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Each MCAP file says whose it is, and the last of an episode how that ended."""
from __future__ import annotations

import shutil

from active_collection.episode import CUSTOM_DATA_KEY
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.mcap.extras import read_extras
from active_collection.recording.salvage.path import salvage_path


def metadata_of(path):
    extras = read_extras(path, damaged=lambda *_: None)
    return dict(extras.metadata)


def test_each_file_says_whose_it_is_and_the_last_carries_the_record(make_bench):
    bench = make_bench(split_bytes=20_000, chunk_bytes=5_000)
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    bench.send('/a', bytes(1000), count=60)

    record = bench.recorder.finish('e1', outcome=Outcome.SUCCESS, notes='well done')

    files = sorted(bench.last_path.glob('*.mcap'))
    assert len(files) >= 3
    assert [metadata_of(file)['foxglove'] for file in files] == (
        [{'deviceName': 'robot_1'}] * len(files))
    said = metadata_of(files[-1])[CUSTOM_DATA_KEY]['json']
    assert EpisodeRecord.from_json(said, where='') == record
    assert CUSTOM_DATA_KEY not in metadata_of(files[0])


def test_a_salvaged_file_says_whose_it_is(make_bench, tmp_path):
    bench = make_bench(chunk_bytes=1024)
    bench.add_topic('/a')
    bench.start(episode_id='e1')
    bench.send('/a', bytes(500), count=20)
    bench.recorder.finish('e1', outcome=Outcome.SUCCESS)
    torn = tmp_path / 'torn'
    shutil.copytree(bench.last_path, torn)
    content = (torn / 'e1_0.mcap').read_bytes()
    (torn / 'e1_0.mcap').write_bytes(content[:content.index(b'rosbag2') - 20])

    salvaged = salvage_path(torn)

    assert metadata_of(salvaged.path / 'e1_0.mcap') == {'foxglove': {'deviceName': 'robot_1'}}
