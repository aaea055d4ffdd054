# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import yaml
from bag_factory import START_NS
from bag_factory import camera
from bag_factory import write_bag

from active_collection.bags.episodes import find_episodes
from active_collection.bags.episodes import read_record
from active_collection.bags.reader import open_bag
from active_collection.episode import EpisodeRecord
from active_collection.episode import Source
from active_collection.errors import ActiveCollectionError
from active_collection.errors import BagError
from active_collection.scenario import Scenario


def record(name: str) -> EpisodeRecord:
    return EpisodeRecord(name, Scenario('reach', 'lab'), 'r', Source.SCRIPTED, START_NS)


def test_episodes_come_oldest_first_without_open_ones(tmp_path):
    for day, name in (('2026-01-02', 'a'), ('2026-01-01', 'z'), ('2026-01-02', 'b.recording')):
        write_bag(tmp_path / 'episodes' / day / name, camera(1), record=record(name))
    assert [p.name for p in find_episodes(tmp_path)] == ['z', 'a']
    assert find_episodes(tmp_path / 'none') == []


def test_the_record_is_read_from_the_directory_and_from_its_files(tmp_path):
    path = write_bag(tmp_path / 'e', camera(1), record=record('e'))
    assert read_record(path) == record('e')
    assert read_record(path / 'e.mcap') == record('e')
    assert read_record(path / 'other.mcap') is None


def test_a_bag_of_others_has_no_record(tmp_path):
    assert read_record(write_bag(tmp_path / 'bag', camera(1))) is None
    assert read_record(tmp_path / 'none.mcap') is None


@pytest.mark.parametrize('text', ['', '[', 'a: 1', 'rosbag2_bagfile_information: 3', '\x00'])
def test_broken_metadata_is_an_error_that_names_it(tmp_path, text):
    (tmp_path / 'metadata.yaml').write_text(text)
    with pytest.raises(ActiveCollectionError, match=r'metadata\.yaml'):
        read_record(tmp_path)


@pytest.mark.parametrize(('key', 'value'), [
    ('relative_file_paths', 'e.mcap'), ('relative_file_paths', [3]),
    ('relative_file_paths', ['a\0b']), ('files', 'x'),
    ('topics_with_message_count', [None]), ('topics_with_message_count', [{}]),
    ('topics_with_message_count', [{'topic_metadata': {'name': [], 'type': 'x'},
                                    'message_count': 1}]),
    ('topics_with_message_count', [{'topic_metadata': {'name': '/a', 'type': 'x'},
                                    'message_count': 'many'}]),
    ('custom_data', {'active_collection.episode': [1]})])
def test_metadata_of_another_form_is_an_error_that_names_it(tmp_path, key, value):
    path = write_bag(tmp_path / 'e', camera(1), record=record('e'))
    metadata = path / 'metadata.yaml'
    data = yaml.safe_load(metadata.read_text())
    data['rosbag2_bagfile_information'][key] = value
    metadata.write_text(yaml.safe_dump(data))

    with pytest.raises(BagError, match=r'metadata\.yaml: \S+: found '):
        read_record(path)
    if key != 'custom_data':
        with pytest.raises(BagError, match=rf'metadata\.yaml: {key}'):
            open_bag(path)


def test_strange_custom_data_is_no_record(tmp_path):
    (tmp_path / 'metadata.yaml').write_text('rosbag2_bagfile_information: {custom_data: 3}')
    assert read_record(tmp_path) is None


def test_a_broken_record_names_its_file(tmp_path):
    path = write_bag(tmp_path / 'e', camera(1), record=record('e'))
    metadata = path / 'metadata.yaml'
    data = yaml.safe_load(metadata.read_text())
    data['rosbag2_bagfile_information']['custom_data'] = {'active_collection.episode': '{}'}
    metadata.write_text(yaml.safe_dump(data))
    with pytest.raises(ActiveCollectionError, match=r'metadata\.yaml'):
        read_record(path)
