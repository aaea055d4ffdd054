# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of a data directory are counted in a ledger once, and again where they were amended."""
import pytest

from active_collection.cli import main as command_line
from active_collection.config import parse
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.recording.metadata import planned
from active_collection.recording.metadata import replace_record
from active_collection.recording.metadata import write_metadata
from active_collection.recording.store import EpisodeStore
from active_collection.scenario import Scenario
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.ledger.ledger import Ledger
from active_collection.scheduling.ledger.ledger import LedgerReader
from active_collection.scheduling.scheduler import Scheduler
from active_collection.scheduling.settings import SchedulerSettings

SPACE = 'format: 1\ntasks: {pick: {}}\nenvironments: {lab: {}}\n'


def record(episode_id, robot='arm', at=0, **more):
    return EpisodeRecord(
        episode_id, Scenario.of('pick', 'lab', {}), robot, Source.SCRIPTED,
        started_ns=10**18 + at, finished_ns=10**18 + at + 10**9, outcome=Outcome.SUCCESS,
        revision=1, **more)


def put(data, what):
    """Put a closed episode on the disk and return its directory."""
    store = EpisodeStore(data)
    directory = store.create(what.episode_id, what.started_ns)
    write_metadata(directory.path, planned(what.episode_id, ros_distro='kilted'), what)
    return store.close(directory)


@pytest.fixture
def data(tmp_path):
    (tmp_path / 'space.yaml').write_text(SPACE)
    for k in range(3):
        put(tmp_path / 'data', record(f'e{k}', at=-k))
    return tmp_path / 'data'


@pytest.fixture
def ingest(data, capsys):
    """Return what runs the command and returns exit status and output."""
    def run(*options):
        status = command_line.main(['ledger', 'ingest', str(data), *options])
        said = capsys.readouterr()
        return status, said.out + said.err

    return run


def counts(text):
    return [int(word) for word in text.splitlines()[-1].split(': ')[-1].split() if word.isdigit()]


def test_a_ledger_is_made_from_episodes_and_a_second_time_changes_nothing(data, ingest):
    space = data.parent / 'space.yaml'
    status, said = ingest('--space', str(space))
    assert (status, counts(said)) == (0, [3, 0, 0, 0])
    with LedgerReader(data / 'scheduler.sqlite3') as reader:
        assert list(reader.episodes()) == ['e2', 'e1', 'e0']
        last = reader.last_sequence()

    assert counts(ingest()[1]) == [0, 0, 3, 0]
    with LedgerReader(data / 'scheduler.sqlite3') as reader:
        assert reader.last_sequence() == last
    assert command_line.main(['ledger', 'verify', '--data', str(data)]) == 0


def test_it_goes_on_with_what_a_scheduler_counted(data, ingest, tmp_path):
    place = tmp_path / 'fleet.sqlite3'
    space = parse(SPACE, ScenarioSpace, where='space')
    ledger = Ledger(place)
    Scheduler(space, SchedulerSettings(seed=7), ledger, now_ns=1).finished_many(
        [record('e0'), record('e1', robot='other')], 1)
    ledger.close()
    path = put(data, record('e9', at=5))
    put(data, record('later', at=6))
    assert counts(ingest('--ledger', str(place))[1]) == [4, 0, 1, 0]

    replace_record(path, record('e9', at=5).amended(outcome=Outcome.FAILURE))
    assert counts(ingest('--ledger', str(place))[1]) == [0, 1, 4, 0]

    with LedgerReader(place) as reader:
        episodes = {name: entry.event for name, entry in reader.episodes().items()}
        assert set(episodes) == {'e0', 'e1', 'arm.e1', 'e2', 'e9', 'later'}
        assert episodes['e9'].result.outcome is Outcome.FAILURE
        assert '"seed":7' in reader.last_start(until=10**9).event.settings


def test_what_cannot_be_counted_is_named_with_the_reason(data, ingest):
    torn = put(data, record('torn'))
    (torn / 'metadata.yaml').write_text('{')
    bare = put(data, record('bare'))
    write_metadata(bare, planned('bare', ros_distro='kilted'), None)
    EpisodeStore(data).create('open', 10**18).release()

    status, said = ingest('--space', str(data.parent / 'space.yaml'))

    assert (status, counts(said)) == (0, [3, 0, 0, 3])
    for words in ('torn/metadata.yaml: found', 'bare: no episode record',
                  'open.recording: not closed'):
        assert words in said


def test_a_ledger_that_is_missing_or_at_work_is_refused(data, ingest):
    place = data / 'scheduler.sqlite3'
    status, said = ingest()
    assert status == 2 and 'no such file' in said and not place.exists()

    writer = Ledger(place)
    status, said = ingest('--space', str(data.parent / 'space.yaml'))
    assert status == 2 and 'another scheduler' in said
    writer.close()


def test_a_ledger_keeps_its_space(data, ingest):
    space = str(data.parent / 'space.yaml')
    ingest('--space', space)

    status, said = ingest('--space', space)

    assert status == 2 and 'no --space' in said
