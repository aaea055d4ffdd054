# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from active_collection.bags.observation import ObservationSpec
from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.errors import ActiveCollectionError
from active_collection.errors import UncertaintyError
from active_collection.uncertainty.decoding import decode_episode
from active_collection.uncertainty.decoding import read_demonstrations


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
