# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The record of an episode: what its bag's metadata holds and what the whole system passes on."""
from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from enum import Enum
from enum import IntEnum
from typing import Any

from active_collection.errors import ConfigError
from active_collection.files import parse_json
from active_collection.names import check_name
from active_collection.scenario import Scenario

#: Tag of an episode that a policy acted out conditioned on another task, a proxy: that task.
POLICY_TASK = 'policy_task'
#: Tag: the person who judged the outcome; without it, what the robot itself said.
JUDGED_BY = 'judged_by'
#: Tag: why the policy asked for help during the episode.
HELP_REQUESTED = 'help_requested'
#: Tag: who acted from then on: 'teleoperation'; missing where nobody did.
HELP_GIVEN = 'help_given'
#: Tag of a discarded episode: the person who has its scenario collected once more.
REDONE = 'redone'
#: Beginning of the tags that tell the scene at the end: 'scene.drawer' = 'open'.
SCENE = 'scene.'

#: Key of the record in a rosbag2 directory's metadata.yaml, under custom_data.
CUSTOM_DATA_KEY = 'active_collection.episode'
FORMAT = 1


class Outcome(str, Enum):
    """How an episode ended; kept apart from why its recording stopped."""

    UNKNOWN = 'unknown'
    SUCCESS = 'success'
    FAILURE = 'failure'
    ABORTED = 'aborted'
    DISCARDED = 'discarded'


class Actor(IntEnum):
    """Who acts on the robot at an instant; the numbers are those of the message `Actor`."""

    NOBODY = 0
    POLICY = 1
    PERSON = 2
    SCRIPT = 3


class Source(str, Enum):
    """Who began to act; who went on with the episode is told by its bag."""

    TELEOPERATION = 'teleoperation'
    SCRIPTED = 'scripted'
    POLICY = 'policy'

    @property
    def actor(self) -> Actor:
        """Return who that is."""
        return _ACTORS[self]


_ACTORS = {Source.TELEOPERATION: Actor.PERSON, Source.SCRIPTED: Actor.SCRIPT,
           Source.POLICY: Actor.POLICY}


class StopReason(str, Enum):
    """Why recording stopped."""

    FINISHED = 'finished'
    TIME_LIMIT = 'time_limit'
    OPERATOR = 'operator'
    RECORDER_SHUTDOWN = 'recorder_shutdown'
    DISK_FULL = 'disk_full'
    WRITE_ERROR = 'write_error'
    SALVAGED = 'salvaged'


class _Figures:
    """
    Figures of which some are not known: NaN. Two that are not known are equal.

    Dataclasses compared by identity first, for which one NaN is itself, up to Python 3.12.
    """

    __slots__ = ()
    __dataclass_fields__: dict[str, Any]

    def __eq__(self, other: object) -> bool:
        """Tell whether all figures are the same."""
        return type(other) is type(self) and self._comparable() == other._comparable()

    def __hash__(self) -> int:
        """Return the hash of all figures."""
        return hash(self._comparable())

    def _comparable(self) -> tuple[Any, ...]:
        values = (getattr(self, name) for name in self.__dataclass_fields__)
        return tuple(None if value != value else value for value in values)  # noqa: PLR0124


@dataclass(frozen=True, slots=True, eq=False)
class TopicStatistics(_Figures):
    """
    What became of a topic's messages during an episode.

    :param received: messages that reached the recorder
    :param written: messages handed to the bag
    :param dropped: messages dropped at the recorder's own queue
    :param lost: messages that the middleware reported lost before the recorder
    :param bytes: serialized bytes written
    :param rate: mean rate of receipt (Hz)
    :param expected_rate: rate that the publisher should keep (Hz); 0 if not known
    :param largest_gap: longest time between two messages (s)
    :param clock_skew: median of receipt minus header.stamp (s), so latency and clock offset
        together; NaN where the type carries no stamp
    """

    topic: str
    type: str
    received: int = 0
    written: int = 0
    dropped: int = 0
    lost: int = 0
    bytes: int = 0
    rate: float = 0.0
    expected_rate: float = 0.0
    largest_gap: float = 0.0
    clock_skew: float = math.nan


@dataclass(frozen=True, slots=True)
class ClockJump:
    """
    ROS time was set while an episode was recorded.

    :param after_s: since the episode began, by a steady clock (s)
    :param by_s: how far ahead ROS time was set; negative: back (s)
    """

    after_s: float
    by_s: float

    def __str__(self) -> str:
        """Return '-3600.0 s after 0.2 s'."""
        return f'{self.by_s:+.1f} s after {self.after_s:.1f} s'


@dataclass(frozen=True, slots=True, eq=False)
class UncertaintySummary(_Figures):
    """
    Uncertainty over the steps of an episode, normalised: 0 agree, 1 as far apart as can be.

    :param steps: number of scored steps
    :param ensemble_created_ns: when the ensemble was made (ns); 0 where it does not say
    :param trained_on: demonstrations that it was trained on, by task; empty where it does not say
    :param held_out_loss: squared error of the members, in half-ranges of the action, on what each
        of them did not learn, by task; empty where the ensemble does not say
    :param above_threshold: fraction of steps above the threshold then in force, 0 to 1
    """

    episode_id: str = ''
    ensemble_id: str = ''
    steps: int = 0
    epistemic_mean: float = 0.0
    epistemic_max: float = 0.0
    epistemic_p95: float = 0.0
    aleatoric_mean: float = 0.0
    novelty_mean: float = math.nan
    above_threshold: float = 0.0
    ensemble_created_ns: int = 0
    trained_on: Mapping[str, int] = field(default_factory=dict)
    held_out_loss: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EpisodeRecord:
    """
    Everything that is known of an episode: in its bag's metadata, and published as `Episode`.

    :param episode_id: unique; also the name of the bag directory
    :param robot: robot name, which is its namespace with dots for slashes: cell_3.arm_1
    :param started_ns: ROS time of the first recorded instant (ns)
    :param finished_ns: ROS time of the last (ns); 0 while recording
    :param lasted_s: how long it took by a steady clock, whatever ROS time did (s); 0 while
        recording, and where nobody has measured it: recorded by an older version, or salvaged;
        where it was salvaged after the clock was set, how long at least
    :param clock_jumps: where ROS time was set meanwhile, in order
    :param assignment_id: lease that it fulfils; empty for a free episode
    :param revision: 0 at the start of recording, raised with each later state
    :param versions: software name to version
    :param tags: the caller's free key/values
    """

    episode_id: str
    scenario: Scenario
    robot: str
    source: Source
    started_ns: int
    finished_ns: int = 0
    outcome: Outcome = Outcome.UNKNOWN
    stop_reason: StopReason | None = None
    assignment_id: str = ''
    operator: str = ''
    notes: str = ''
    revision: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    missing_topics: tuple[str, ...] = ()
    topics: tuple[TopicStatistics, ...] = ()
    uncertainty: UncertaintySummary = field(default_factory=UncertaintySummary)
    lasted_s: float = 0.0
    clock_jumps: tuple[ClockJump, ...] = ()

    @property
    def duration_s(self) -> float:
        """Return its length (s), by ROS time where nobody has measured it; 0 while recording."""
        if self.lasted_s > 0:
            return self.lasted_s
        return max(0, self.finished_ns - self.started_ns) / 1e9 if self.finished_ns else 0.0

    @property
    def has_losses(self) -> bool:
        """Tell whether a topic has messages that were dropped or lost."""
        return any(topic.dropped or topic.lost for topic in self.topics)

    @property
    def proxy_task(self) -> str:
        """Return the other task whose policy acted; empty where none did."""
        task = self.tags.get(POLICY_TASK, '') if self.source is Source.POLICY else ''
        return task if task != self.scenario.task else ''

    @property
    def acts_own_policy(self) -> bool:
        """Tell whether it shows what the policy can do: nobody and no other task's policy did."""
        return (self.source is Source.POLICY and not self.proxy_task
                and HELP_GIVEN not in self.tags)

    @property
    def is_demonstration(self) -> bool:
        """Tell whether a policy may imitate it: a success that was not its own alone."""
        return self.outcome is Outcome.SUCCESS and not self.acts_own_policy

    def amended(self, **changes: Any) -> EpisodeRecord:
        """Return the record with these fields changed and the next revision."""
        return replace(self, revision=self.revision + 1, **changes)

    def to_json(self) -> str:
        """Return what `from_json` takes: one line of JSON; NaN is written as null."""
        data = {
            'format': FORMAT,
            **asdict(self),
            'scenario': self.scenario.to_dict(),
            'tags': dict(self.tags),
            'versions': dict(self.versions),
        }
        later = (data, ('lasted_s', 'clock_jumps')), (
            data['uncertainty'], ('ensemble_created_ns', 'trained_on', 'held_out_loss'))
        for part, names in later:
            for name in names:
                if not part[name]:  # an older record's text stays what it was
                    del part[name]
        return json.dumps(_without_nan(data), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, *, where: str = 'episode record') -> EpisodeRecord:
        """
        Return the record that `to_json` wrote. Unknown keys of a later minor version are ignored.

        :param where: what holds the text, for messages: the path of a metadata.yaml
        :raises ConfigError: where the text is not a record
        """
        try:
            data = parse_json(text)
            if data['format'] != FORMAT:
                raise ConfigError(f'{where}: format', found=data['format'], expected=FORMAT)
            stop_reason = data.get('stop_reason')
            return cls(
                episode_id=check_name(data['episode_id'], f'{where}: episode_id'),
                scenario=Scenario.from_dict(data['scenario'], where=f'{where}: scenario'),
                robot=str(data['robot']),
                source=Source(data['source']),
                started_ns=int(data['started_ns']),
                finished_ns=int(data['finished_ns']),
                outcome=Outcome(data['outcome']),
                stop_reason=StopReason(stop_reason) if stop_reason else None,
                assignment_id=str(data.get('assignment_id', '')),
                operator=str(data.get('operator', '')),
                notes=str(data.get('notes', '')),
                revision=int(data.get('revision', 0)),
                tags={str(k): str(v) for k, v in data.get('tags', {}).items()},
                versions={str(k): str(v) for k, v in data.get('versions', {}).items()},
                missing_topics=tuple(str(t) for t in data.get('missing_topics', ())),
                topics=tuple(_known(TopicStatistics, t) for t in data.get('topics', ())),
                uncertainty=_known(UncertaintySummary, data.get('uncertainty', {})),
                lasted_s=float(data.get('lasted_s', 0.0)),
                clock_jumps=tuple(_known(ClockJump, j) for j in data.get('clock_jumps', ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(where, found=f'{type(error).__name__}: {error}',
                              expected='an episode record') from error


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(v) for v in value]
    return value


def _known(kind: type[Any], data: Mapping[str, Any]) -> Any:
    fields = kind.__dataclass_fields__
    return kind(**{k: math.nan if v is None else v for k, v in data.items() if k in fields})
