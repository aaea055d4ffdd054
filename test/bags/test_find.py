# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from bag_factory import camera
from bag_factory import write_bag

from active_collection.bags.find import find_bags
from active_collection.errors import BagError


@pytest.fixture
def tree(tmp_path):
    write_bag(tmp_path / 'day' / 'b', camera(1))
    write_bag(tmp_path / 'day' / 'a', camera(1), storage='sqlite3')
    write_bag(tmp_path / 'day' / 'open.recording', camera(1))
    (tmp_path / 'day' / 'loose.mcap').touch()
    (tmp_path / 'day' / 'note.txt').touch()
    (tmp_path / 'old.bag').touch()
    return tmp_path


def test_a_directory_is_searched_and_rosbag2_directories_count_as_one(tree):
    found = [str(p.relative_to(tree)) for p in find_bags([tree])]
    assert found == ['old.bag', 'day/loose.mcap', 'day/a', 'day/b']


def test_each_bag_is_found_once(tree):
    assert find_bags([tree / 'day' / 'a', tree / 'day' / 'a', tree / 'day']).count(
        tree / 'day' / 'a') == 1


def test_globs_find_directories_and_files(tree):
    assert [p.name for p in find_bags([str(tree / '**' / '*.mcap')])] == [
        'b.mcap', 'loose.mcap']
    assert [p.name for p in find_bags([str(tree / 'day' / '?')])] == ['a', 'b']


@pytest.mark.parametrize('what', ['missing', 'none*', 'day/note.txt', 'day/open.recording',
                                  'empty', 'nul\0byte'])
def test_what_holds_no_bag_is_an_error_that_names_it(tree, what):
    (tree / 'empty').mkdir()
    with pytest.raises(BagError, match=what.split('/')[-1].split('\0')[0].replace('*', r'\*')):
        find_bags([tree / what])


def test_links_in_a_circle_end(tree):
    (tree / 'day' / 'again').symlink_to(tree)
    assert len(find_bags([tree])) == 4
