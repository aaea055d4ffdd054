# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure what a data directory of 20,000 episodes costs whoever looks at all of it.

Retention looks every minute, in the process that receives messages; a robot that is new looks
for its last episodes at its first start; a person lists them. With the index each is compared with
parsing every metadata.yaml, as was done before there was one, in turn. What is compared is the
processor's time.
"""
from __future__ import annotations

import gc
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from _claims import Claim
from _claims import options
from _claims import report

from active_collection.bags.episodes import METADATA
from active_collection.bags.episodes import find_episodes
from active_collection.cli.main import main as command_line
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import TopicStatistics
from active_collection.recording.definitions import Definition
from active_collection.recording.episode_index import EpisodeIndex
from active_collection.recording.messages import Topic
from active_collection.recording.metadata import BagSummary
from active_collection.recording.metadata import FileSummary
from active_collection.recording.metadata import TopicSummary
from active_collection.recording.metadata import information
from active_collection.recording.metadata import write_metadata
from active_collection.recording.qos import Qos
from active_collection.recording.retention import choose
from active_collection.recording.settings import RetentionRules
from active_collection.recording.store import EpisodeStore
from active_collection.recording.store import readable_record
from active_collection.recording.store import size_of
from active_collection.recording.write_rate import WriteRate
from active_collection.scenario import Scenario

TOPICS = 12
DAYS = 20
START_NS = 1_790_000_000 * 10**9
DAY_NS = 24 * 3600 * 10**9
#: Nothing is so old: retention looks at every episode and removes none.
RULES = RetentionRules(only_synced=False, outcomes=tuple(o.value for o in Outcome),
                       maximum_age_days=10_000.0, maximum_bytes=1 << 50)


def main() -> None:
    """Run the benchmark."""
    arguments = options(__doc__ or '').parse_args()
    count, repetitions = (2_000, 3) if arguments.quick else (20_000, 3)
    with tempfile.TemporaryDirectory() as place:
        data = Path(place)
        fill(data, count)
        report('many_episodes', measured(data, count, repetitions), arguments.out, packages=[])


def fill(data: Path, count: int) -> None:
    """Lay closed episodes of one robot: as many days, each of which holds as many."""
    definition = Definition('sensor_msgs/msg/JointState', 'ros2msg', '', f'RIHS01_{"0" * 64}')
    names = [f'/arm_1/topic_{number}' for number in range(TOPICS)]
    record = EpisodeRecord(
        'EPISODE', Scenario.of('pick_mug', 'kitchen_b', {'mug': 'red', 'x': 0.25}), 'arm_1',
        Source.TELEOPERATION, started_ns=1111, finished_ns=2222, outcome=Outcome.SUCCESS,
        topics=tuple(TopicStatistics(topic=name, type=definition.type, received=3000, written=3000,
                                     bytes=10**6) for name in names))
    summary = BagSummary(
        (FileSummary('EPISODE_0.mcap', 1111, 2222, 3000 * TOPICS),),
        tuple(TopicSummary(Topic(name, definition, (Qos(),)), 3000, 10**6) for name in names))
    write_metadata(data, information(summary, ros_distro='kilted'), record)
    text = (data / METADATA).read_text()
    (data / METADATA).unlink()
    for number in range(count):
        day = data / 'episodes' / f'2026-10-{1 + number % DAYS:02}'
        episode = day / f'episode_{number}'
        episode.mkdir(parents=True)
        at = START_NS + number * DAY_NS // 1000
        (episode / METADATA).write_text(
            text.replace('EPISODE', episode.name).replace('1111', str(at))
            .replace('2222', str(at + 10**10)))
        (episode / f'{episode.name}_0.mcap').write_bytes(b'')


def measured(data: Path, count: int, repetitions: int) -> list[Claim]:
    """Return the claims."""
    store = EpisodeStore(data)
    index = EpisodeIndex(store, robot='arm_1')
    first_s = seconds(lambda: index.scan(threading.Event(), share=1.0))
    new = EpisodeIndex(store, robot='arm_2')
    looks: dict[str, tuple[Callable[[], object], Callable[[], object], float]] = {
        "retention's look each minute": (
            lambda: parsed_for_retention(data),
            lambda: (index.scan(threading.Event()), list(choose(index, RULES, now_ns=START_NS))),
            0.05),
        'first start of a new robot': (
            lambda: parsed_for_rate(store), lambda: rate_of(store, new), 0.05),
        'episodes list': (
            lambda: [(r.robot, size_of(p)) for p in find_episodes(data)
                     if (r := readable_record(p)) is not None],
            lambda: listed(data), 0.2),
    }
    claims = []
    for name, (before, after, target) in looks.items():
        ratios, before_s, after_s = [], 0.0, 0.0
        for number in range(repetitions):
            print(f'{name}: {number + 1} of {repetitions}', file=sys.stderr)
            before_s, after_s = seconds(before), seconds(after)
            ratios.append(after_s / before_s)
        claims.append(Claim(
            f'{name}, {count} episodes: by the index / parsing each', ratios, 'time ratio', '<=',
            target, absolute={'parsing each (s)': before_s, 'by the index (s)': after_s}))
    claims.append(Claim(f'making the index of {count} episodes', [first_s], 's'))
    return claims


def parsed_for_retention(data: Path) -> object:
    """Find what to remove as it was found before."""
    paths = find_episodes(data)
    total = sum(map(size_of, paths))
    records = [record for path in paths if (record := readable_record(path)) is not None]
    return total, sorted(record.finished_ns for record in records)


def parsed_for_rate(store: EpisodeStore) -> object:
    """Look for the last episodes of a robot that has none as it was done before."""
    return [record for path in store.newest()
            if (record := readable_record(path)) is not None and record.robot == 'arm_2']


def rate_of(store: EpisodeStore, index: EpisodeIndex) -> float:
    """Return the rate of a robot that has no episode."""
    rate = WriteRate(store, robot='arm_2')
    rate.earlier = index.recent
    return rate.mean()


def listed(data: Path) -> None:
    """List every episode."""
    with redirect_stdout(StringIO()):
        command_line(['episodes', 'list', str(data)])


def seconds(job: Callable[[], object]) -> float:
    """Return the processor's time that something takes (s)."""
    gc.collect()
    began = time.process_time()
    job()
    return time.process_time() - began


if __name__ == '__main__':
    main()
