# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Each thing that may be wrong with a data directory, done to a real one."""
import errno
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from spoiling import NOW_S
from spoiling import the_wrong

from active_collection.pipeline.doctor.data import directory
from active_collection.pipeline.doctor.data.directory import Directory
from active_collection.pipeline.doctor.data.ensembles import Ensembles
from active_collection.pipeline.doctor.data.episodes import Episodes
from active_collection.pipeline.doctor.data.file_system import FileSystem
from active_collection.pipeline.doctor.data.index import Index
from active_collection.pipeline.doctor.data.space import Space
from active_collection.pipeline.doctor.data.speed import Speed
from active_collection.pipeline.doctor.finding import Verdict
from active_collection.recording.store import EpisodeStore
from active_collection.recording.store import lock

MIB = 2**20
ALL = (Directory, FileSystem, Space, Speed, Episodes, Index, Ensembles)


class FixedDisk:
    """A disk whose free space a test states."""

    def __init__(self, free):
        self._free = free

    def free(self, path):
        path.stat()
        return self._free


def test_nothing_is_wrong_with_a_directory_that_is_well(data, record):
    record('e1')
    for check in (Directory, Space, Speed, Episodes):
        assert [f.verdict for f in check().look(data)] == [Verdict.OK], check


@pytest.mark.parametrize('check', ALL)
def test_a_directory_that_is_not_there_yet_is_not_made(data, check):
    data.path.rmdir()
    assert all(f.verdict in {Verdict.OK, Verdict.SKIPPED, Verdict.WARNING}
               for f in check().look(data))
    assert not data.path.exists()


def test_no_check_leaves_anything_behind(data, record):
    record('e1')
    before = {path: path.stat().st_mtime_ns for path in [data.path, *data.path.rglob('*')]}
    for check in ALL:
        list(check().look(data))
    after = {path: path.stat().st_mtime_ns for path in [data.path, *data.path.rglob('*')]}
    assert after.keys() == before.keys()
    assert {p: t for p, t in after.items() if p.is_file()} == {
        p: t for p, t in before.items() if p.is_file()}


def test_a_file_in_place_of_the_directory_is_wrong(data):
    data.path.rmdir()
    data.path.write_text('')
    assert 'is no directory' in the_wrong(Directory().look(data)).found


def test_a_link_to_a_disk_that_is_not_mounted_is_wrong(data):
    data.path.rmdir()
    data.path.symlink_to('/nowhere')
    assert f'{data.path} is a link to what is not there' in the_wrong(
        Directory().look(data)).found


def test_a_name_that_no_file_system_takes_is_wrong(data):
    finding = the_wrong(Directory().look(replace(data, path=data.path / ('x' * 300))))
    assert finding.verdict is Verdict.WRONG and 'too long' in finding.found


def test_episodes_that_cannot_be_written_are_wrong(data, mounted):
    place = mounted('ro')
    (data.path / 'episodes').symlink_to(place)
    finding = the_wrong(Directory().look(data))
    assert finding.found.startswith(f'{data.path / "episodes"} cannot be written')


def test_a_directory_that_cannot_be_written_is_wrong(data, mounted):
    place = mounted('ro')
    finding = the_wrong(Directory().look(replace(data, path=place)))
    assert finding.verdict is Verdict.WRONG and 'Read-only file system' in finding.found
    finding = the_wrong(FileSystem().look(replace(data, path=place)))
    assert finding.verdict is Verdict.WRONG and f'{place}, read-only' in finding.found


def test_a_disk_that_is_full_is_wrong(data, mounted):
    place = mounted('size=2m')
    full = replace(data, path=place)
    (place / 'film').write_bytes(bytes(MIB + 400_000))
    finding = the_wrong(Space().look(full))
    assert finding.verdict is Verdict.WRONG and 'no episode starts' in finding.found
    assert 'active-collection sync' in finding.remedy
    assert Speed().look(full)[0].verdict is Verdict.SKIPPED


def test_a_disk_that_refuses_meanwhile_is_wrong(data, mounted):
    small = replace(data, path=mounted('size=2m'), disk=FixedDisk(10**12))  # as with a quota
    finding = the_wrong(Speed().look(small))
    assert finding.verdict is Verdict.WRONG and 'No space left' in finding.found


def test_memory_is_no_place_for_episodes(data, mounted):
    finding = the_wrong(FileSystem().look(replace(data, path=mounted('size=2m'))))
    assert finding.verdict is Verdict.WARNING and 'tmpfs' in finding.found


@pytest.mark.parametrize(('line', 'verdict'), [
    ('9 1 0:1 / / rw - ext4 /dev/a rw', Verdict.OK),
    ('9 1 0:1 / / rw - overlay overlay rw', Verdict.WARNING),
    ('9 1 0:1 / / rw master:3 - nfs4 server:/a rw', Verdict.WARNING),
    ('9 1 0:1 / / rw - vfat /dev/b rw', Verdict.WARNING),
    ('9 1 0:1 / / ro - ext4 /dev/a rw', Verdict.WRONG),
    ('9 1 0:1 / / rw - ext4 /dev/a ro', Verdict.WRONG)])
def test_the_kind_of_file_system_is_read_from_the_table_of_mounts(data, tmp_path, line, verdict):
    table = tmp_path / 'mountinfo'
    table.write_text(f'{line}\n8 1 0:2 / /elsewhere rw - tmpfs tmpfs rw\nnonsense\n')
    assert [f.verdict for f in FileSystem().look(replace(data, mounts=table))] == [verdict]


def test_the_nearest_mount_counts_and_the_last_of_one_place(data, tmp_path):
    table, place = tmp_path / 'mountinfo', str(data.path).replace(' ', r'\040')
    table.write_text(f'1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / {place} rw - xfs b rw\n'
                     f'3 1 0:3 / {place} rw - btrfs c rw\n4 1 0:4 / {place}_2 rw - nfs d rw\n')
    assert 'btrfs' in FileSystem().look(replace(data, mounts=table))[0].found


def test_a_file_system_without_locks_is_wrong(data, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))  # as NFS does for directories

    monkeypatch.setattr(directory.fcntl, 'flock', refuse)
    assert 'Bad file descriptor' in the_wrong(Directory().look(data)).found


def test_a_file_system_with_room_for_few_files_is_told_of(data, mounted):
    place = mounted('size=64m,nr_inodes=100')
    assert 'room for 9' in the_wrong(Space().look(replace(data, path=place))).found


def test_room_is_told_in_episodes(data, record):
    record('e1', size=3 * MIB)
    record('e2', size=5 * MIB)
    reserve = data.settings.disk_reserve_bytes
    (few,) = Space().look(replace(data, disk=FixedDisk(reserve + 42 * MIB)))
    (many,) = Space().look(replace(data, disk=FixedDisk(reserve + 400 * MIB)))
    assert few.verdict is Verdict.WARNING and 'room for 10 more episodes of 4.0 MiB' in few.found
    assert many.verdict is Verdict.OK and 'room for 99 more' in many.found


def test_room_is_told_in_minutes_before_there_are_episodes(data):
    free = data.settings.disk_reserve_bytes + 600 * MIB
    finding = the_wrong(Space().look(replace(data, rate=float(MIB), disk=FixedDisk(free))))
    assert 'room for 10 min at 1.0 MiB/s' in finding.found


def test_a_disk_slower_than_the_topics_is_wrong(data):
    finding = the_wrong(Speed().look(replace(data, rate=1e15)))
    assert finding.verdict is Verdict.WRONG and 'which the topics bring' in finding.expected
    assert Speed().look(replace(data, rate=1.0))[0].verdict is Verdict.OK


def test_a_disk_that_is_only_just_fast_enough_is_told_of(data, monkeypatch):
    from active_collection.pipeline.doctor.data import speed

    monkeypatch.setattr(speed, 'measure', lambda directory: speed.Measured(64 * MIB, 15e6, 0.1))
    assert Speed().look(replace(data, rate=7e6))[0].verdict is Verdict.OK
    assert the_wrong(Speed().look(replace(data, rate=8e6))).verdict is Verdict.WARNING
    assert the_wrong(Speed().look(replace(data, rate=16e6))).verdict is Verdict.WRONG


def test_a_sync_longer_than_the_queue_lasts_is_wrong(data, monkeypatch):
    from active_collection.pipeline.doctor.data import speed

    lasts_s = data.settings.queue_bytes / 7e6
    monkeypatch.setattr(
        speed, 'measure', lambda directory: speed.Measured(64 * MIB, 15e6, lasts_s + 0.1))
    assert 'a sync took' in the_wrong(Speed().look(replace(data, rate=7e6))).found


def test_an_abandoned_episode_is_told_of_and_one_that_is_recorded_is_not(data):
    store = EpisodeStore(data.path)
    live = store.create('live', 1_800_000_000 * 10**9)
    dead = store.create('dead', 1_800_000_000 * 10**9)
    dead.release()
    finding = the_wrong(Episodes().look(data))
    free, held = lock(dead.path), lock(live.path)
    assert free is not None and held is None  # as they were
    free.release()
    live.release()
    assert finding.verdict is Verdict.WARNING
    assert finding.found == f'{dead.path}: the recorder died'
    assert f'active-collection salvage {dead.path}' in finding.remedy


def test_an_unreadable_record_is_wrong(data, record):
    record('good')
    bad = record('bad')
    (bad / 'metadata.yaml').write_text('rosbag2_bagfile_information: [')
    finding = the_wrong(Episodes().look(data))
    assert finding.verdict is Verdict.WRONG and str(bad) in finding.found


def test_of_many_bad_records_some_are_told_of(data, record):
    for number in range(6):
        (record(f'e{number}') / 'metadata.yaml').write_text('-')
    findings = Episodes().look(data)
    assert len(findings) == 4 and '3 more of the 6 newest' in findings[-1].found


def test_an_episode_of_the_future_is_told_of(data, record):
    record('e1')
    finding = the_wrong(Episodes().look(replace(data, now_s=lambda: 1_799_999_000.0)))
    assert '1010 s in the future' in finding.found
    assert Episodes().look(replace(data, now_s=lambda: NOW_S))[0].verdict is Verdict.OK


@pytest.mark.skipif(os.geteuid() != 0, reason='only root gives files away')
def test_days_of_another_user_are_told_of(data, record):
    day = record('e1').parent
    os.chown(day, 1234, 1234)
    finding = the_wrong(Directory().look(data))
    assert f'{day} is of uid 1234' in finding.found and 'chown' in finding.remedy


def test_a_pool_that_is_none_is_wrong(data):
    (data.path / 'pool').mkdir()
    (data.path / 'pool' / 'description.json').write_text('{}')
    finding = the_wrong(Index().look(data))
    assert finding.verdict is Verdict.WRONG and 'active-collection index' in finding.remedy


def test_an_ensemble_that_cannot_be_loaded_is_wrong(data):
    path = data.ensembles / 'e1'
    path.mkdir(parents=True)
    (path / 'description.json').write_text('{"format": 1}')
    finding = the_wrong(Ensembles().look(data))
    assert finding.verdict is Verdict.WRONG and str(path) in finding.found
    assert f'mv {path}' in finding.remedy


def test_a_file_in_place_of_ensembles_is_wrong(data):
    data.ensembles.write_text('')
    assert the_wrong(Ensembles().look(data)).verdict is Verdict.WRONG


def test_the_probe_is_gone_when_the_process_is_killed_in_it(data):
    """The file has no name, so that not even a kill leaves it."""
    program = ('import sys, time\nfrom pathlib import Path\n'
               'from active_collection.pipeline.doctor.data import speed\n'
               'speed.LIMIT_S, speed.MOST_BYTES = 60.0, 10**12\n'
               'print("on", flush=True)\nspeed.measure(Path(sys.argv[1]))\n')
    process = subprocess.Popen(
        ['python3', '-c', program, str(data.path)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    deadline = 100
    while not _has_unnamed(process.pid, data.path) and deadline:
        deadline -= 1
        process.poll()
    process.kill()
    process.wait()
    assert list(data.path.iterdir()) == []


def _has_unnamed(pid, path):
    for link in Path(f'/proc/{pid}/fd').glob('*'):
        try:
            if str(path) in str(link.readlink()):
                return True
        except OSError:
            continue
    return False
