# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What the package has written outlives a power cut, and nothing has its name before."""
from __future__ import annotations

import ast
import shutil
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from active_collection import files
from active_collection.annotation.items import Item
from active_collection.annotation.moments import write_moments
from active_collection.bags.find import find_bags
from active_collection.cli import main as command_line
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.recording.definitions import Definition
from active_collection.recording.episode_recorder import EpisodeRecorder
from active_collection.recording.messages import Message
from active_collection.recording.messages import Topic
from active_collection.recording.open_episode import StartRequest
from active_collection.recording.qos import Qos
from active_collection.recording.recorder_state import Environment
from active_collection.recording.remote_store import Store
from active_collection.recording.salvage.episodes import salvage_abandoned
from active_collection.recording.salvage.path import salvage_path
from active_collection.recording.settings import RecorderSettings
from active_collection.recording.sync import sync
from active_collection.scenario import Scenario
from active_collection.selection import labels
from active_collection.selection.index import IndexSettings
from active_collection.selection.index import index
from active_collection.selection.index_bag import Sampling
from active_collection.uncertainty.ensemble import EnsembleDescription
from active_collection.uncertainty.ensemble_files import save

sys.path.insert(0, str(Path(__file__).parent))
from bag_factory import START_NS
from bag_factory import camera
from bag_factory import image
from bag_factory import write_bag
from bag_factory import write_bag1
from surviving_disk import SurvivingDisk

KEPT = Path(__file__).parent.parent / 'docs' / 'reference' / 'examples' / 'data'
STRING = Definition('std_msgs/msg/String', 'ros2msg', 'string data\n', f'RIHS01_{"0" * 64}')
PACKAGE = Path(files.__file__).parent
MESSAGE = b'what is recorded' * 5
#: Syncs that keep the age of data while an episode is open; its end syncs once more.
AGE_ONLY = {'background_sync._run/file', 'bag_writer._open/directory', 'store.create/directory'}
#: What is done while the disk is watched; made with the directory in which it is prepared.
Job = Callable[[], object]


def recorder_in(place, **settings):
    recorder = EpisodeRecorder(
        RecorderSettings(data_directory=str(place / 'data'), chunk_bytes=1024, **settings),
        robot='arm', publish=lambda event: None,
        environment=Environment(ros_ns=lambda: START_NS, ros_distro='kilted'))
    recorder.intake.add_topic(Topic('/a', STRING, (Qos(),)))
    return recorder


def record(recorder, episode_id='e1', *, finish=True):
    recorder.start(StartRequest(Scenario.of('pick', 'lab', {}), Source.SCRIPTED,
                                episode_id=episode_id))
    for number in range(60):
        recorder.intake.receive(
            Message('/a', START_NS + number, START_NS, number + 1, b'p', MESSAGE))
    if finish:
        recorder.finish(episode_id, outcome=Outcome.SUCCESS)
    return recorder.store.find(episode_id)


def an_episode(place):
    return partial(record, recorder_in(place, split_bytes=3000))


def an_amendment(place):
    recorder = recorder_in(place)
    record(recorder)
    return partial(recorder.amend, 'e1', outcome=Outcome.FAILURE)


def torn(place):
    recorder = recorder_in(place)
    path = record(recorder)
    left = path.rename(path.with_name('e1.recording'))
    file = left / 'e1_0.mcap'
    file.write_bytes(file.read_bytes()[:-300])
    return recorder.store, left


def a_salvage(place):
    store, _ = torn(place)
    return lambda: list(salvage_abandoned(store, stop=threading.Event()))


def a_salvage_beside(place):
    _, left = torn(place)
    return partial(salvage_path, left / 'e1_0.mcap', place / 'made' / 'whole')


def a_salvaged_database(place):
    bag = write_bag(place / 'bag', camera(3), storage='sqlite3')
    return partial(salvage_path, next(bag.glob('*.db3')), place / 'whole')


def a_salvaged_rosbag1(place):
    picture = image(np.zeros((8, 8, 3), np.uint8), stamp_ns=1, ros1=True)
    bag = write_bag1(place / 'run.bag', [('/camera', START_NS, picture)])
    return partial(salvage_path, bag, place / 'whole.bag')


def copies_in_a_store(place):
    recorder = recorder_in(place)
    record(recorder)
    store = Store((place / 'store').as_uri())
    return lambda: (store.check(), list(sync(recorder.store.data, store)))


def an_amended_copy(place):
    recorder = recorder_in(place)
    record(recorder)
    store = Store((place / 'store').as_uri())
    list(sync(recorder.store.data, store))
    recorder.amend('e1', outcome=Outcome.FAILURE)
    return lambda: list(sync(recorder.store.data, store))


def a_pool(place):
    write_bag(place / 'bags' / 'b1', camera(3))
    settings = IndexSettings('descriptor', sampling=Sampling(rate_hz=0), processes=1)
    return lambda: index(find_bags([place / 'bags']), place / 'pool', settings)


def a_longer_pool(place):
    a_pool(place)()
    write_bag(place / 'bags' / 'b2', camera(3, first=50))
    settings = IndexSettings('descriptor', sampling=Sampling(rate_hz=0), processes=1)
    return lambda: index(find_bags([place / 'bags']), place / 'pool', settings)


def a_part_of_a_pool(place):
    from active_collection.selection.parts import write_part
    from active_collection.selection.pool import SCHEMA

    row = {field.name: None for field in SCHEMA if field.name != 'embedding_row'}
    return partial(write_part, place / 'parts' / 'x.parquet', [row], np.zeros((1, 3), np.float32))


def labels_of_a_round(place):
    row = {'unit_id': 'u1', 'label': 'mug', 'annotator': 'me', **dict.fromkeys(
        ('box_x', 'box_y', 'box_width', 'box_height'), 1.0)}
    return lambda: (labels.add(place, [row]), labels.add(place, [{**row, 'unit_id': 'u2'}]))


def a_round(place):
    a_pool(place)()
    return partial(command_line.main, [
        'select', '--pool', str(place / 'pool'), '--count', '2', '--strategy', 'random',
        '--out', str(place / 'rounds' / '1')])


def an_export_of_a_ledger(place, form):
    shutil.copy(KEPT / 'scheduler.sqlite3', place / 'ledger.sqlite3')
    return partial(command_line.main, ['ledger', 'export', str(place / 'ledger.sqlite3'),
                                  str(place / 'out' / 'ledger'), '--format', form])


def an_ensemble(place):
    [kept] = (KEPT / 'ensembles').iterdir()
    description = EnsembleDescription.model_validate_json((kept / 'description.json').read_text())
    return partial(save, place / 'ensembles', description, load_file(kept / 'members.safetensors'),
                   weights='members.safetensors')


def moments_of_a_bag(place):
    bag = write_bag(place / 'bag', camera(3))
    item = Item(unit_id='u1', file='', order=0, bag=str(bag), topic='/camera/image_raw',
                receive_ns=START_NS + 10**6, sequence=0, stamp_ns=START_NS, width=32, height=24,
                score=0.5, reason='', strategy='random')
    return partial(write_moments, [item], place / 'out' / 'moments.mcap')


def nested_directories(place):
    def write():
        with files.whole_directory(place / 'new' / 'data') as made:
            (made / 'a' / 'b').mkdir(parents=True)
            (made / 'a' / 'b' / 'x').write_text('x')
    return write


WRITERS = {
    'a file': lambda place: partial(files.write_whole, place / 'x', 'x'),
    'a file that is replaced': lambda place: (
        files.write_whole(place / 'x', 'x'), partial(files.write_whole, place / 'x', 'y'))[1],
    'a copy': lambda place: (
        files.write_whole(place / 'x', 'x'),
        partial(files.copy_whole, place / 'x', place / 'y'))[1],
    'nested directories': nested_directories,
    'an episode': an_episode,
    'an amendment': an_amendment,
    'a salvage': a_salvage,
    'a salvage beside': a_salvage_beside,
    'a salvaged database': a_salvaged_database,
    'a salvaged rosbag1': a_salvaged_rosbag1,
    'copies in a store': copies_in_a_store,
    'an amended copy': an_amended_copy,
    'a pool': a_pool,
    'a longer pool': a_longer_pool,
    'a part of a pool': a_part_of_a_pool,
    'labels': labels_of_a_round,
    'a round': a_round,
    'tables of a ledger': partial(an_export_of_a_ledger, form='csv'),
    'tables of a ledger, Parquet': partial(an_export_of_a_ledger, form='parquet'),
    'an ensemble': an_ensemble,
    'moments': moments_of_a_bag,
}


def is_no_data(path):
    """Tell of what nothing is promised: locks, and SQLite's own files, which it syncs itself."""
    return path.name == '.lock' or '.sqlite3' in path.name


def run(prepare, place, dropped=''):
    """Do a writer's job on a watched disk and return that."""
    place.mkdir()
    job = prepare(place)
    disk = SurvivingDisk(place, dropped=dropped)
    with pytest.MonkeyPatch.context() as patch:
        disk.watch(patch)
        assert job() != 2
    return disk


@pytest.mark.parametrize('writer', WRITERS)
def test_what_was_written_outlives_a_power_cut(writer, tmp_path):
    disk = run(WRITERS[writer], tmp_path / 'place')
    assert disk.faults == []
    assert disk.lost(but=is_no_data) == []
    assert disk.sites


def test_no_sync_can_be_left_out(tmp_path):
    """Else the tests above would see no fault where there is one."""
    needed, idle = set(), set()
    for prepare in WRITERS.values():
        for site in set(run(prepare, tmp_path / 'whole').sites) - needed:
            lame = run(prepare, tmp_path / 'lame', site)
            fault = lame.faults or lame.lost(but=is_no_data)
            shutil.rmtree(tmp_path / 'lame')
            (needed if fault else idle).add(site)
        shutil.rmtree(tmp_path / 'whole')
    assert idle - needed <= AGE_ONLY
    assert {site.partition('/')[0] for site in needed} >= {
        'files.whole_file', 'files.copy_whole', 'files.whole_directory', 'files.make_directory',
        'writer.finish_whole_chunks', 'store.close', 'database.salvage_database',
        'episodes.finish_or_salvage', 'path._salvage_beside'}


@pytest.mark.parametrize('dropped', ['', *sorted(AGE_ONLY)])
def test_what_is_old_enough_outlives_a_power_cut_while_it_is_recorded(tmp_path, dropped):
    recorder = recorder_in(tmp_path, split_bytes=3000, durable_age_s=0.1)
    disk = SurvivingDisk(tmp_path, dropped=dropped)
    with pytest.MonkeyPatch.context() as patch:
        disk.watch(patch)
        record(recorder, finish=False)
        deadline = time.monotonic() + (60 if not dropped else 2)
        while (kept := messages_kept(disk, tmp_path)) < 60 and time.monotonic() < deadline:
            pass
        recorder.finish('e1', outcome=Outcome.SUCCESS)
    assert (kept == 60) is (not dropped)


def messages_kept(disk, place):
    """Return how many messages of an open episode would be found after a power cut."""
    contents = [disk.content(path) or b'' for path in place.glob('data/*/*/*.recording/*.mcap')]
    return sum(content.count(MESSAGE) for content in contents)


def test_nothing_else_gives_a_name():
    """Who gives a name to a file of data is in WRITERS, or uses what is."""
    found = set()
    for path in PACKAGE.rglob('*.py'):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                found |= {f'{path.stem}.{function.name}' for node in ast.walk(function)
                          if gives_name(node)}
    assert found == {
        'files.whole_file', 'files.copy_whole', 'files.whole_directory', 'store.create',
        'store.close', 'retention.remove', 'path._salvage_beside', 'episodes.finish_or_salvage',
        'episodes._remove_or_put_aside'}


def gives_name(node):
    """Tell whether it is path.rename(other), path.replace(other) or os.link(one, other)."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    if isinstance(node.func.value, ast.Name) and node.func.value.id == 'os':
        return node.func.attr in {'rename', 'replace', 'link'}
    return ((node.func.attr in {'rename', 'replace'} and len(node.args) == 1 and not node.keywords)
            or node.func.attr == 'hardlink_to')
