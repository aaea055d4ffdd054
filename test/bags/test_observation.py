# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import dataclass
from dataclasses import field
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from active_collection.bags.alignment import ObservationAligner
from active_collection.bags.observation import ObservationSpec
from active_collection.bags.observation import resolve_topics
from active_collection.config import parse
from active_collection.errors import BagError
from active_collection.errors import ConfigError
from active_collection.errors import UncertaintyError

MS = 1_000_000
SPEC = """
format: 1
reference: pose
tolerance_s: 0.1
wait_s: 0.05
observation:
  - {name: pose, field: 'pose.data'}
  - {name: gripper, field: 'gripper.data[0]'}
  - {name: task, field: 'scenario.task', one_of: [pick, place], latched: true}
action: {field: action.data, low: [-1, -1], high: [1, 1]}
"""


@dataclass
class Message:
    data: object
    header: object


def stamped(milliseconds, *data):
    stamp = SimpleNamespace(sec=0, nanosec=milliseconds * MS)
    return Message(list(data), SimpleNamespace(stamp=stamp, frame_id='base'))


@dataclass
class Scenario:
    task: str
    nothing: list = field(default_factory=list)


def spec(text=SPEC, **changes):
    return parse(text, ObservationSpec, where='spec.yaml').model_copy(update=changes)


def values(observations):
    return [list(o.values) for o in observations]


def test_an_observation_waits_for_topics_behind_the_reference():
    aligner = ObservationAligner(spec())
    aligner.add('scenario', Scenario('place'), 1 * MS)

    first = aligner.add('pose', stamped(100, 1.0), 100 * MS)
    second = aligner.add('gripper', stamped(100, 5.0), 101 * MS)

    assert first == []
    assert values(second) == [[1.0, 5.0, 0.0, 1.0]]
    assert second[0].stamp_ns == 100 * MS
    assert second[0].received_ns == 101 * MS
    assert second[0].frame_id == 'base'


def test_it_never_takes_a_message_of_the_future():
    aligner = ObservationAligner(spec())
    aligner.add('scenario', Scenario('pick'), 1 * MS)
    aligner.add('gripper', stamped(95, 5.0), 96 * MS)

    assert aligner.add('pose', stamped(100, 1.0), 100 * MS) == []
    made = aligner.add('gripper', stamped(105, 6.0), 106 * MS)

    assert values(made) == [[1.0, 5.0, 1.0, 0.0]]


def test_after_the_wait_the_newest_within_tolerance_is_taken():
    aligner = ObservationAligner(spec())
    aligner.add('scenario', Scenario('pick'), 1 * MS)
    aligner.add('gripper', stamped(95, 5.0), 96 * MS)
    aligner.add('pose', stamped(100, 1.0), 100 * MS)

    assert aligner.advance(150 * MS) == []
    made = aligner.advance(151 * MS)

    assert values(made) == [[1.0, 5.0, 1.0, 0.0]]


def test_a_late_topic_drops_the_observation_and_says_so():
    aligner = ObservationAligner(spec())
    aligner.add('scenario', Scenario('pick'), 1 * MS)
    aligner.add('gripper', stamped(100, 5.0), 100 * MS)
    aligner.add('pose', stamped(300, 1.0), 300 * MS)

    assert aligner.finish() == []
    assert aligner.statistics.dropped == 1
    assert aligner.statistics.problem == 'gripper: 0.200 s old'


def test_a_latched_topic_holds_however_old():
    aligner = ObservationAligner(spec())
    aligner.add('scenario', Scenario('place'), 1 * MS)
    aligner.add('pose', stamped(900, 1.0), 900 * MS)

    assert len(aligner.add('gripper', stamped(900, 5.0), 900 * MS)) == 1


def test_nan_is_dropped_and_named():
    aligner = ObservationAligner(spec())
    aligner.add('scenario', Scenario('pick'), 1 * MS)
    aligner.add('gripper', stamped(100, float('nan')), 100 * MS)

    assert aligner.add('pose', stamped(100, 1.0), 100 * MS) == []
    assert aligner.statistics.problem == 'gripper.data[0]: NaN or infinite'


def test_an_unknown_label_and_another_size_are_errors_that_leave_it_usable():
    aligner = ObservationAligner(spec(), sizes={'pose': 1})
    with pytest.raises(UncertaintyError, match=r"scenario.task: found 'sing', expected one of"):
        aligner.add('scenario', Scenario('sing'), 1 * MS)
    with pytest.raises(UncertaintyError, match='found 2 numbers, expected 1'):
        aligner.add('pose', stamped(90, 1.0, 2.0), 90 * MS)

    aligner.add('scenario', Scenario('pick'), 91 * MS)
    aligner.add('pose', stamped(100, 1.0), 100 * MS)

    assert len(aligner.add('gripper', stamped(100, 5.0), 100 * MS)) == 1


def test_a_clock_that_goes_back_starts_over():
    aligner = ObservationAligner(spec())
    aligner.add('scenario', Scenario('pick'), 1 * MS)
    aligner.add('gripper', stamped(900, 9.0), 900 * MS)
    aligner.add('pose', stamped(900, 9.0), 900 * MS)

    aligner.add('pose', stamped(10, 1.0), 901 * MS)
    made = aligner.add('gripper', stamped(10, 5.0), 901 * MS)

    assert values(made) == [[1.0, 5.0, 1.0, 0.0]]


def test_the_rate_thins_the_reference():
    aligner = ObservationAligner(spec(rate_hz=10.0))
    aligner.add('scenario', Scenario('pick'), 1 * MS)
    made = []
    for step in range(1, 51):
        aligner.add('pose', stamped(20 * step, step), 20 * step * MS)
        made += aligner.add('gripper', stamped(20 * step, step), 20 * step * MS)

    assert [o.stamp_ns // MS for o in made] == list(range(20, 1001, 100))


@settings(deadline=None)
@given(lag=st.integers(0, 4), ahead=st.integers(0, 4))
def test_how_topics_interleave_does_not_change_observations(lag, ahead):
    def run(order):
        aligner = ObservationAligner(spec())
        aligner.add('scenario', Scenario('pick'), 0)
        made = [o for time, topic, step in sorted(order)
                for o in aligner.add(topic, stamped(10 * step, step), time * MS)]
        return [(o.stamp_ns, list(o.values)) for o in made + aligner.finish()]

    steps = range(1, 30)
    together = [(10 * s, topic, s) for s in steps for topic in ('pose', 'gripper')]
    apart = ([(10 * (s + ahead), 'pose', s) for s in steps]
             + [(10 * (s + lag), 'gripper', s) for s in steps])

    assert run(apart) == run(together)


def test_topics_are_found_below_any_namespace():
    found = resolve_topics(['pose', 'joint/states'], ['/robot1/pose', '/robot1/joint/states'],
                           where='bag')

    assert found == {'pose': '/robot1/pose', 'joint/states': '/robot1/joint/states'}


def test_an_ambiguous_topic_is_refused_unless_a_namespace_chooses():
    topics = ['/robot1/pose', '/robot2/pose', '/robot1/prepose']

    with pytest.raises(BagError, match='/robot1/pose, /robot2/pose'):
        resolve_topics(['pose'], topics, where='bag')
    assert resolve_topics(['pose'], topics, where='bag', namespace='robot2') == {
        'pose': '/robot2/pose'}
    with pytest.raises(BagError, match="topic 'nose'"):
        resolve_topics(['nose'], topics, where='bag')


@pytest.mark.parametrize(('old', 'new', 'part'), [
    ('name: gripper', 'name: pose', 'different names'),
    ("'gripper.data[0]'", 'gripper', 'topic.field'),
    ('reference: pose', 'reference: scenario', 'not latched'),
    ('low: [-1, -1]', 'low: [-1]', 'as many'),
    ('low: [-1, -1]', 'low: [-1, 1]', 'below'),
    ('[pick, place]', '[pick, pick]', 'each once'),
    ('tolerance_s', 'tolerance', 'tolerance_s'),
])
def test_a_mistake_in_the_specification_is_named(old, new, part):
    with pytest.raises(ConfigError, match=part):
        spec(SPEC.replace(old, new))


def test_items_keep_the_order_of_the_specification():
    item = spec().observation[2]

    np.testing.assert_array_equal(item.read(Scenario('place')), [0.0, 1.0])
    assert spec().topics == ('pose', 'gripper', 'scenario', 'action')
