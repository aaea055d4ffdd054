# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from active_collection.uncertainty.measures import aleatoric_variance
from active_collection.uncertainty.measures import decompose
from active_collection.uncertainty.measures import epistemic_covariance
from active_collection.uncertainty.measures import epistemic_variance
from active_collection.uncertainty.measures import largest_variance
from active_collection.uncertainty.measures import mixture_covariance
from active_collection.uncertainty.measures import normalised

LOW, HIGH = torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([1.0, 0.5, 8.0])


def members(seed, count=4, batch=3, actions=3):
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(count, batch, actions, generator=generator, dtype=torch.float64)
    variance = torch.rand(count, batch, actions, generator=generator, dtype=torch.float64) + 0.1
    return mean, variance


def test_the_parts_sum_to_the_variance_of_samples_from_the_mixture():
    mean, variance = members(1)
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(400_000, *mean.shape[1:], generator=generator, dtype=torch.float64)
    member = torch.randint(len(mean), (400_000,), generator=generator)
    samples = mean[member] + noise * variance[member].sqrt()

    total = epistemic_variance(mean) + aleatoric_variance(variance)

    torch.testing.assert_close(total, samples.var(0), rtol=0.01, atol=0.01)


def test_the_covariance_is_that_of_the_member_means():
    mean, _ = members(3, count=6)

    covariance = epistemic_covariance(mean)

    for b in range(mean.shape[1]):
        torch.testing.assert_close(covariance[b], torch.cov(mean[:, b].T, correction=0))
    torch.testing.assert_close(
        torch.diagonal(covariance, dim1=1, dim2=2), epistemic_variance(mean))


def test_the_covariance_of_the_mixture_is_that_of_its_samples():
    mean, variance = members(7)
    generator = torch.Generator().manual_seed(8)
    noise = torch.randn(400_000, *mean.shape[1:], generator=generator, dtype=torch.float64)
    member = torch.randint(len(mean), (400_000,), generator=generator)
    samples = mean[member] + noise * variance[member].sqrt()

    covariance = mixture_covariance(mean, variance)

    for b in range(mean.shape[1]):
        torch.testing.assert_close(covariance[b], torch.cov(samples[:, b].T), rtol=0.02, atol=0.02)


def test_a_chunk_is_split_by_dimension_step_and_member():
    generator = torch.Generator().manual_seed(9)
    mean = torch.randn(4, 5, 6, 3, generator=generator, dtype=torch.float64)
    largest = 100 * largest_variance(LOW, HIGH).double()
    share = mean.numpy().var(0) / largest.numpy()

    split = decompose(mean, None, largest=largest)

    np.testing.assert_allclose(split.per_dimension, share.mean(1))
    np.testing.assert_allclose(split.per_step, share.mean(2))
    np.testing.assert_allclose(split.epistemic, share.mean((1, 2)))
    for m in range(4):
        away = (mean[m] - mean.mean(0)).numpy() ** 2 / largest.numpy()
        np.testing.assert_allclose(split.member_shares[:, m], away.mean((1, 2)) / 4)
    torch.testing.assert_close(split.member_shares.sum(1), split.epistemic)


@given(seed=st.integers(0, 1000), count=st.integers(1, 8))
def test_no_disagreement_within_the_range_exceeds_one(seed, count):
    generator = torch.Generator().manual_seed(seed)
    mean = LOW + (HIGH - LOW) * torch.rand(count, 5, 3, generator=generator)

    share = epistemic_variance(mean) / largest_variance(LOW, HIGH)

    assert bool((share >= 0).all()) and bool((share <= 1 + 1e-5).all())


def test_the_largest_disagreement_is_half_at_each_end():
    mean = torch.stack([LOW, HIGH, LOW, HIGH])[:, None, None]

    split = decompose(mean, None, largest=largest_variance(LOW, HIGH))

    torch.testing.assert_close(split.epistemic, torch.ones(1))
    torch.testing.assert_close(split.per_dimension, torch.ones(1, 3))
    assert split.aleatoric is None
    torch.testing.assert_close(split.total, split.epistemic)


def test_scaling_actions_and_range_alike_changes_nothing():
    mean, variance = (values[:, :, None] for values in members(4))
    low, high = -torch.ones(3).double(), torch.ones(3).double()
    scale = torch.tensor([0.1, 3.0, 7.0]).double()

    once = decompose(mean, variance, largest=largest_variance(low, high))
    scaled = decompose(mean * scale, variance * scale ** 2,
                       largest=largest_variance(low * scale, high * scale))

    torch.testing.assert_close(once.epistemic, scaled.epistemic)
    torch.testing.assert_close(once.aleatoric, scaled.aleatoric)


def test_members_that_agree_have_no_epistemic_uncertainty():
    mean, variance = (values[:, :, None] for values in members(5, count=1))

    split = decompose(mean.expand(5, -1, -1, -1), variance.expand(5, -1, -1, -1),
                      largest=largest_variance(LOW, HIGH).double())

    assert float(split.epistemic.max()) < 1e-12
    torch.testing.assert_close(split.total, split.aleatoric)


def test_values_beyond_the_range_count_as_one():
    assert normalised(torch.tensor([5.0]), torch.tensor([1.0])).item() == 1.0
