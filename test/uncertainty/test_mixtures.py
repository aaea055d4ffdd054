# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Independent
from torch.distributions import Normal
from torch.distributions import kl_divergence

from active_collection.uncertainty.mixtures import bhattacharyya
from active_collection.uncertainty.mixtures import entropy_bounds
from active_collection.uncertainty.mixtures import gaussian_entropy
from active_collection.uncertainty.mixtures import kullback_leibler
from active_collection.uncertainty.mixtures import mutual_information_bounds


def members(seed, *, spread=1.0, count=4, batch=3, actions=2):
    generator = torch.Generator().manual_seed(seed)
    mean = spread * torch.randn(count, batch, actions, generator=generator, dtype=torch.float64)
    variance = 0.1 + torch.rand(count, batch, actions, generator=generator, dtype=torch.float64)
    return mean, variance


def test_entropy_and_divergence_are_those_of_torch_distributions():
    mean, variance = members(0)
    normal = Independent(Normal(mean, variance.sqrt()), 1)

    torch.testing.assert_close(gaussian_entropy(variance), normal.entropy())
    one = Independent(Normal(mean[0], variance[0].sqrt()), 1)
    other = Independent(Normal(mean[1], variance[1].sqrt()), 1)
    torch.testing.assert_close(
        kullback_leibler(mean[0], variance[0], mean[1], variance[1]), kl_divergence(one, other))


def test_the_bhattacharyya_distance_is_its_integral():
    x = torch.linspace(-30, 30, 200_001, dtype=torch.float64)
    parameters = torch.tensor([0.3, 0.5, -1.0, 2.0], dtype=torch.float64)
    p = Normal(parameters[0], parameters[1].sqrt()).log_prob(x)
    q = Normal(parameters[2], parameters[3].sqrt()).log_prob(x)

    distance = bhattacharyya(*(value[None] for value in parameters))

    overlap = torch.trapezoid(((p + q) / 2).exp(), x)
    torch.testing.assert_close(distance, -overlap.log())


@pytest.mark.parametrize('spread', [0.0, 0.3, 1.0, 5.0])
def test_the_entropy_lies_between_its_bounds(spread):
    mean, variance = members(1, spread=spread)
    count = 200_000
    generator = torch.Generator().manual_seed(2)
    which = torch.randint(len(mean), (count,), generator=generator)
    noise = torch.randn(count, *mean.shape[1:], generator=generator, dtype=torch.float64)
    samples = mean[which] + noise * variance[which].sqrt()
    log_density = torch.stack([
        Independent(Normal(m, v.sqrt()), 1).log_prob(samples)
        for m, v in zip(mean, variance, strict=True)]).logsumexp(0) - math.log(len(mean))
    entropy, error = -log_density.mean(0), log_density.std(0) / count ** 0.5

    lower, upper = entropy_bounds(mean, variance)

    assert bool((lower <= entropy + 4 * error).all())
    assert bool((upper >= entropy - 4 * error).all())


def test_members_that_agree_share_no_information_and_those_apart_share_all():
    mean, variance = members(3, count=1)
    same = mutual_information_bounds(mean.expand(5, -1, -1), variance.expand(5, -1, -1))
    apart = mutual_information_bounds(
        1000.0 * torch.arange(5).double()[:, None, None].expand(5, 3, 2),
        torch.ones(5, 3, 2).double())

    for bound in same:
        torch.testing.assert_close(bound, torch.zeros(3).double(), atol=1e-12, rtol=0)
    for bound in apart:
        torch.testing.assert_close(bound, torch.full((3,), math.log(5)).double())


@given(seed=st.integers(0, 500), spread=st.floats(0, 10))
def test_bounds_are_ordered_and_do_not_depend_on_the_unit(seed, spread):
    mean, variance = members(seed, spread=spread)

    lower, upper = mutual_information_bounds(mean, variance)
    scaled = mutual_information_bounds(7 * mean, 49 * variance)

    assert bool((lower >= -1e-12).all()) and bool((upper <= math.log(4) + 1e-12).all())
    assert bool((lower <= upper + 1e-12).all())
    torch.testing.assert_close(lower, scaled[0])
    torch.testing.assert_close(upper, scaled[1])
