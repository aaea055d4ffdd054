# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from active_collection.bags.observation import ObservationSpec
from active_collection.bags.reader import open_bag
from active_collection.episode import HELP_GIVEN
from active_collection.episode import POLICY_TASK
from active_collection.episode import Actor
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import ActiveCollectionError
from active_collection.errors import UncertaintyError
from active_collection.uncertainty.decoding import decode_episode
from active_collection.uncertainty.decoding import read_demonstrations
from active_collection.uncertainty.task_weights import TaskWeight
from active_collection.uncertainty.task_weights import TaskWeights


def test_an_episode_becomes_pairs_of_observation_and_action(write_episode, spec):
    path = write_episode(3, task='pull', length=20)

    episode, sizes = decode_episode(path, spec)

    assert episode.episode_id == 'episode-3'
    assert episode.task == 'pull'
    assert sizes == {'hand': 3, 'goal': 3, 'task': 2}
    assert episode.observations.shape == (20, 8)
    assert episode.actions.shape == (20, 2)
    assert episode.observations[:, 6:].tolist() == [[0.0, 1.0]] * 20
    difference = episode.observations[:, 3:5] - episode.observations[:, :2]
    np.testing.assert_allclose(episode.actions, torch.clamp(-2 * difference, -1, 1), atol=0.1)


def test_a_robot_in_a_nested_namespace_is_found_in_its_bag(write_episode, spec):
    path = write_episode(3, robot='cell_3.arm_1')

    with open_bag(path) as bag:
        assert '/cell_3/arm_1/hand' in bag.topics
        assert bag.namespace == '/cell_3/arm_1'
    episode, _ = decode_episode(path, spec)
    assert episode.observations.shape == (20, 8)


def test_only_demonstrations_are_read(write_episode, spec, tmp_path):
    write_episode(1)
    write_episode(2, outcome=Outcome.FAILURE)
    write_episode(3, outcome=Outcome.DISCARDED)
    write_episode(4, source=Source.POLICY)
    write_episode(5, source=Source.TELEOPERATION)

    decoded = read_demonstrations(tmp_path / 'data', spec, cache=tmp_path / 'cache')

    assert [e.episode_id for e in decoded.dataset.episodes] == ['episode-1', 'episode-5']
    assert decoded.problems == ()


def test_a_bad_episode_is_left_out_and_named(write_episode, spec, tmp_path):
    write_episode(1)
    broken = write_episode(2)
    storage = next(broken.glob('*.mcap'))
    storage.write_bytes(storage.read_bytes()[:100])

    decoded = read_demonstrations(tmp_path / 'data', spec, cache=tmp_path / 'cache')

    assert [e.episode_id for e in decoded.dataset.episodes] == ['episode-1']
    assert len(decoded.problems) == 1
    assert 'episode-2' in decoded.problems[0]


def test_a_second_reading_takes_what_the_first_decoded(write_episode, spec, tmp_path):
    path = write_episode(1)
    first = read_demonstrations(tmp_path / 'data', spec, cache=tmp_path / 'cache')
    storage = next(path.glob('*.mcap'))
    storage.write_bytes(bytes(storage.stat().st_size))

    second = read_demonstrations(tmp_path / 'data', spec, cache=tmp_path / 'cache')

    assert torch.equal(first.dataset.observations, second.dataset.observations)
    assert torch.equal(first.dataset.actions, second.dataset.actions)
    assert first.dataset.sizes == second.dataset.sizes


def test_a_damaged_cache_is_made_again(write_episode, spec, tmp_path):
    write_episode(1)
    first = read_demonstrations(tmp_path / 'data', spec, cache=tmp_path / 'cache')
    for file in (tmp_path / 'cache').rglob('*.safetensors'):
        file.write_bytes(b'damaged')

    second = read_demonstrations(tmp_path / 'data', spec, cache=tmp_path / 'cache')

    assert torch.equal(first.dataset.observations, second.dataset.observations)


def test_no_demonstrations_is_an_error_that_says_what_is_needed(spec, tmp_path):
    with pytest.raises(UncertaintyError, match='0 demonstrations, expected episodes with outcome'):
        read_demonstrations(tmp_path, spec, cache=tmp_path / 'cache')


def test_a_missing_topic_is_named(write_episode, spec):
    path = write_episode(1)
    other = ObservationSpec.model_validate({**spec.model_dump(), 'reference': 'nose'})

    with pytest.raises(ActiveCollectionError, match=r"topic 'nose'"):
        decode_episode(path, other)


HELPED = {'source': Source.POLICY, 'tags': {HELP_GIVEN: 'teleoperation'}}
#: The policy acts at steps 0 to 7, a person at 9 to 13 and, after the policy again, from 16 on.
ACTORS = {0: Actor.POLICY, 8: Actor.NOBODY, 9: Actor.PERSON, 14: Actor.POLICY, 16: Actor.PERSON}
TAUGHT = [9, 10, 11, 12, 13, 16, 17, 18, 19]


def test_of_an_episode_that_a_person_finished_their_steps_are_read(write_episode, spec, tmp_path):
    whole, _ = decode_episode(write_episode(1, data=tmp_path / 'whole'), spec)
    write_episode(1, **HELPED, actors=ACTORS)

    for _ in range(2):  # decoded, then from the cache
        read = read_demonstrations(tmp_path / 'data', spec, cache=tmp_path / 'cache').dataset

        assert torch.equal(read.observations, whole.observations[TAUGHT])
        assert torch.equal(read.actions, whole.actions[TAUGHT])
        assert read.stretch_of.tolist() == [1] * 5 + [2] * 4
        everything = read_demonstrations(
            tmp_path / 'data', spec, cache=tmp_path / 'cache', imitate='all').dataset
        assert torch.equal(everything.actions, whole.actions)
        assert everything.stretch_of.unique().tolist() == [1]


def test_no_action_chunk_goes_on_where_the_policy_took_over_again(write_episode, spec, tmp_path):
    path = write_episode(1, **HELPED, actors=ACTORS)
    whole, _ = decode_episode(path, spec)
    write_episode(2)
    dataset = read_demonstrations(tmp_path / 'data', spec, cache=tmp_path / 'cache').dataset

    actions, valid = dataset.chunks(3)

    assert valid[:9].sum(1).tolist() == [3, 3, 3, 2, 1, 3, 3, 2, 1]
    assert valid[9:].sum(1).tolist() == [3] * 18 + [2, 1]
    assert torch.equal(actions[3], whole.actions[[12, 13, 13]])
    assert torch.equal(actions[4], whole.actions[[13, 13, 13]])


def test_a_helped_episode_from_before_actors_were_recorded_is_imitated_whole(
        write_episode, spec, tmp_path):
    write_episode(1, **HELPED)

    dataset = read_demonstrations(tmp_path / 'data', spec, cache=tmp_path / 'cache').dataset

    assert len(dataset.actions) == 20


def test_the_policys_own_success_is_a_trial_whatever_acted_is_recorded(
        write_episode, spec, tmp_path):
    write_episode(1, source=Source.POLICY, actors={0: Actor.POLICY, 19: Actor.NOBODY})
    write_episode(2, source=Source.POLICY, tags={POLICY_TASK: 'pull'},
                  actors={0: Actor.POLICY, 19: Actor.NOBODY})

    decoded = read_demonstrations(tmp_path / 'data', spec, cache=tmp_path / 'cache')

    assert [e.episode_id for e in decoded.dataset.episodes] == ['episode-2']
    assert len(decoded.dataset.actions) == 20


def test_an_episode_without_a_step_of_who_took_over_is_left_out(write_episode, spec, tmp_path):
    write_episode(1)
    late = write_episode(2, **HELPED, actors={0: Actor.POLICY, 18: Actor.NOBODY, 19: Actor.PERSON})
    other = ObservationSpec.model_validate({**spec.model_dump(), 'rate_hz': 2.0})

    decoded = read_demonstrations(tmp_path / 'data', other, cache=tmp_path / 'cache')

    assert [e.episode_id for e in decoded.dataset.episodes] == ['episode-1']
    assert decoded.problems == (
        f'{late}: found no step of the person or script that acted, expected some, where their '
        "actor was recorded with the clock of the actions; or 'imitate: all'",)


def test_an_episode_weighs_the_same_however_much_of_it_teaches(write_episode, spec, tmp_path):
    write_episode(1, **HELPED, actors=ACTORS)
    write_episode(2)
    weights = TaskWeights(tmp_path / 'weights.csv', (
        TaskWeight(2, 'episode-1', 'push', False, 1.0),
        TaskWeight(3, 'episode-2', 'push', False, 3.0)))

    dataset = read_demonstrations(tmp_path / 'data', spec, cache=tmp_path / 'cache',
                                  weights=weights).dataset

    assert dataset.weights[:9].sum().item() == pytest.approx(1.0)
    assert dataset.weights[9:].sum().item() == pytest.approx(3.0)
