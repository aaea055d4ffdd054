# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from active_collection.uncertainty import committees


def committee(seed, members=5, batch=4, classes=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.softmax(
        3 * torch.randn(members, batch, classes, generator=generator, dtype=torch.float64), -1)


@given(seed=st.integers(0, 300))
def test_every_measure_is_its_formula_member_by_member(seed):
    probabilities = committee(seed)
    p = probabilities.numpy()
    mean = p.mean(0)

    mutual = scipy_entropy(mean, axis=-1) - scipy_entropy(p, axis=-1).mean(0)
    kl = np.array([[scipy_entropy(p[m, b], mean[b]) for b in range(4)] for m in range(5)])
    counts = np.stack([np.bincount(p[:, b].argmax(-1), minlength=3) for b in range(4)])

    np.testing.assert_allclose(committees.mutual_information(probabilities), mutual, atol=1e-12)
    np.testing.assert_allclose(committees.consensus_kl(probabilities), kl, atol=1e-12)
    np.testing.assert_allclose(
        committees.vote_entropy(probabilities), scipy_entropy(counts, axis=-1), atol=1e-12)
    np.testing.assert_allclose(
        committees.variation_ratio(probabilities), 1 - counts.max(-1) / 5, atol=1e-12)


@given(seed=st.integers(0, 300))
def test_the_mean_divergence_from_the_consensus_is_the_mutual_information(seed):
    probabilities = committee(seed)

    torch.testing.assert_close(committees.consensus_kl(probabilities).mean(0),
                               committees.mutual_information(probabilities))


def test_mutual_information_is_what_a_sampled_class_tells_of_its_member():
    probabilities = committee(7, members=3, batch=1)
    generator = torch.Generator().manual_seed(0)
    count = 300_000
    member = torch.randint(3, (count,), generator=generator)
    label = torch.multinomial(probabilities[member, 0], 1, generator=generator)[:, 0]
    joint = torch.zeros(3, 3, dtype=torch.float64)
    joint.index_put_((member, label), torch.full((count,), 1 / count).double(), accumulate=True)
    independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)

    sampled = (joint * (joint / independent).log()).sum()

    assert committees.mutual_information(probabilities).item() == pytest.approx(
        sampled.item(), abs=0.01)


def test_certain_members_that_differ_reach_every_upper_bound():
    probabilities = torch.eye(4, dtype=torch.float64)[:, None]

    for measure in (committees.mutual_information, committees.vote_entropy,
                    committees.predictive_entropy):
        assert measure(probabilities).item() == pytest.approx(math.log(4))
    assert committees.variation_ratio(probabilities).item() == pytest.approx(0.75)


def test_unsure_members_that_agree_do_not_disagree():
    probabilities = torch.full((4, 1, 3), 1 / 3, dtype=torch.float64)

    assert committees.mutual_information(probabilities).item() == pytest.approx(0.0, abs=1e-12)
    assert committees.vote_entropy(probabilities).item() == 0.0
    assert committees.variation_ratio(probabilities).item() == 0.0
    assert committees.predictive_entropy(probabilities).item() == pytest.approx(math.log(3))
