# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The episode record."""
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import StopReason
from active_collection.episode import TopicStatistics
from active_collection.episode import UncertaintySummary
from active_collection.errors import ActiveCollectionError
from active_collection.scenario import Scenario


def record(**changes):
    values = {
        'episode_id': 'e1', 'scenario': Scenario.of('pick', 'lab', {'x': 0.25, 'mug': 'red'}),
        'robot': 'arm_1', 'source': Source.TELEOPERATION, 'started_ns': 10, **changes}
    return EpisodeRecord(**values)


@pytest.mark.parametrize(('make', 'name', 'other'), [
    (lambda **figures: TopicStatistics('/a', 't', **figures), 'clock_skew', 'rate'),
    (lambda **figures: UncertaintySummary('e', **figures), 'novelty_mean', 'epistemic_mean')])
def test_figures_that_are_not_known_are_equal(make, name, other):
    unknown = make(**{name: float('nan')})

    assert unknown == make(**{name: float('nan')}) == make()
    assert unknown != make(**{name: 0.5})
    assert unknown != make(**{name: float('nan'), other: 0.5})
    assert unknown != 'a text'


@given(
    outcome=st.sampled_from(Outcome), source=st.sampled_from(Source),
    reason=st.one_of(st.none(), st.sampled_from(StopReason)),
    tags=st.dictionaries(st.text(), st.text(), max_size=3), notes=st.text(),
    started=st.integers(min_value=0, max_value=2**62),
    topics=st.lists(st.builds(TopicStatistics, topic=st.text(), type=st.text()), max_size=3))
def test_a_record_survives_its_json(outcome, source, reason, tags, notes, started, topics):
    whole = record(outcome=outcome, source=source, stop_reason=reason, tags=tags, notes=notes,
                   started_ns=started, finished_ns=started, topics=tuple(topics),
                   uncertainty=UncertaintySummary('e1', 'm', 3, 0.5, novelty_mean=0.25))

    text = whole.to_json()

    assert '\n' not in text
    assert EpisodeRecord.from_json(text) == whole


def test_nan_is_null_in_json_and_nan_again_after():
    text = record().to_json()

    assert json.loads(text)['uncertainty']['novelty_mean'] is None
    assert math.isnan(EpisodeRecord.from_json(text).uncertainty.novelty_mean)


@pytest.mark.parametrize('change', [
    {'episode_id': '../../etc'}, {'episode_id': ''}, {'format': 9}, {'outcome': 'great'},
    {'scenario': None}, {'started_ns': 'x'}, {'topics': [3]}, {'tags': 4}])
def test_a_hostile_record_is_refused_by_name(change):
    data = {**json.loads(record().to_json()), **change}

    with pytest.raises(ActiveCollectionError, match='metadata'):
        EpisodeRecord.from_json(json.dumps(data), where='metadata.yaml')


@pytest.mark.parametrize('text', ['', '[]', '3', 'null', '{', '{"format": 1}'])
def test_text_that_is_no_record_is_refused(text):
    with pytest.raises(ActiveCollectionError):
        EpisodeRecord.from_json(text)


def test_unknown_keys_of_a_later_version_are_ignored():
    data = {**json.loads(record().to_json()), 'colour': 'red'}
    data['uncertainty']['new'] = 1

    assert EpisodeRecord.from_json(json.dumps(data)).episode_id == 'e1'


@pytest.mark.parametrize(('outcome', 'source', 'tags', 'is_demonstration'), [
    (Outcome.SUCCESS, Source.SCRIPTED, {}, True),
    (Outcome.FAILURE, Source.SCRIPTED, {}, False),
    (Outcome.SUCCESS, Source.POLICY, {}, False),
    (Outcome.SUCCESS, Source.POLICY, {'policy_task': 'pick'}, False),
    (Outcome.SUCCESS, Source.POLICY, {'policy_task': 'push'}, True),
    (Outcome.SUCCESS, Source.POLICY, {'help_requested': 'epistemic'}, False),
    (Outcome.SUCCESS, Source.POLICY, {'help_given': 'teleoperation'}, True),
    (Outcome.FAILURE, Source.POLICY, {'help_given': 'teleoperation'}, False),
])
def test_only_a_success_that_is_not_the_policys_own_is_a_demonstration(
        outcome, source, tags, is_demonstration):
    one = record(outcome=outcome, source=source, tags=tags)

    assert one.is_demonstration == is_demonstration
    if source is Source.SCRIPTED:
        assert not one.acts_own_policy


def test_an_amendment_raises_the_revision_and_leaves_the_original():
    first = record(outcome=Outcome.SUCCESS)

    second = first.amended(outcome=Outcome.FAILURE)

    assert (first.outcome, first.revision) == (Outcome.SUCCESS, 0)
    assert (second.outcome, second.revision) == (Outcome.FAILURE, 1)


def test_losses_are_told():
    fine = TopicStatistics('/a', 't', received=3, written=3)

    assert not record(topics=(fine,)).has_losses
    assert record(topics=(fine, TopicStatistics('/b', 't', lost=1))).has_losses
    assert record(topics=(fine, TopicStatistics('/b', 't', dropped=1))).has_losses
