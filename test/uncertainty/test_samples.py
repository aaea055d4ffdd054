# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
import math

import numpy as np
import pytest
import torch

from active_collection.uncertainty.samples import energy_distance
from active_collection.uncertainty.samples import squared_mmd
from active_collection.uncertainty.samples import variance_components


def draw(means, sigmas, count, *, batch=1, horizon=1, actions=1, seed=0):
    """Return samples (M, S, B, H, A) of members that are Gaussian in every number."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(means), count, batch, horizon, actions, generator=generator,
                        dtype=torch.float64)
    shape = (-1, 1, 1, 1, 1)
    return (torch.tensor(means).double().view(shape)
            + torch.tensor(sigmas).double().view(shape) * noise)


def mean_distance(shift, sigma):
    """Return E|Z| for Z ~ N(shift, sigma^2), the folded normal's mean."""
    return (sigma * math.sqrt(2 / math.pi) * math.exp(-shift ** 2 / (2 * sigma ** 2))
            + shift * math.erf(shift / (sigma * math.sqrt(2))))


def test_variance_components_are_unbiased():
    generator = torch.Generator().manual_seed(0)
    between, within, members, count = 0.3, 2.0, 8, 4
    centre = between ** 0.5 * torch.randn(members, 1, 50_000, 1, 1, generator=generator)
    samples = centre + within ** 0.5 * torch.randn(
        members, count, 50_000, 1, 1, generator=generator)
    unclipped = (samples.mean(1).var(0, correction=1)
                 - samples.var(1, correction=1).mean(0) / count)

    parts = variance_components(samples)

    assert parts.within.mean().item() == pytest.approx(within, rel=0.01)
    assert unclipped.mean().item() == pytest.approx(between, rel=0.05)
    torch.testing.assert_close(parts.between, unclipped.clamp(min=0))


def test_variance_components_are_per_step_and_dimension():
    samples = torch.zeros(3, 4, 2, 5, 6)
    samples[0, :, 1, 2, 3] = 3.0

    parts = variance_components(samples)

    assert parts.between.shape == parts.within.shape == (2, 5, 6)
    assert parts.between[1, 2, 3].item() == pytest.approx(3.0)
    assert torch.count_nonzero(parts.between) == 1
    assert torch.count_nonzero(parts.within) == 0


def test_the_energy_distance_is_its_closed_form():
    first, second = (0.0, 1.0), (1.5, 0.5)
    samples = draw([first[0], second[0]], [first[1], second[1]], 3000)

    found = energy_distance(samples, scale=torch.ones(1).double()).item()

    expected = (2 * mean_distance(1.5, math.hypot(1.0, 0.5))
                - mean_distance(0.0, math.sqrt(2) * 1.0) - mean_distance(0.0, math.sqrt(2) * 0.5))
    assert found == pytest.approx(expected, rel=0.05)


def test_the_discrepancy_is_its_closed_form():
    bandwidth = 0.8
    samples = draw([0.0, 1.5], [1.0, 0.5], 3000)

    found = squared_mmd(samples, scale=torch.ones(1).double(), bandwidth=bandwidth).item()

    def kernel(shift, variance):
        total = bandwidth ** 2 + variance
        return bandwidth / math.sqrt(total) * math.exp(-shift ** 2 / (2 * total))

    expected = kernel(0, 2.0) + kernel(0, 0.5) - 2 * kernel(1.5, 1.25)
    assert found == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize('measure', [
    lambda samples: energy_distance(samples, scale=torch.ones(2).double()),
    lambda samples: squared_mmd(samples, scale=torch.ones(2).double(), bandwidth=1.0)])
def test_members_that_agree_are_at_no_distance_on_average(measure):
    samples = draw([0.0] * 3, [1.0] * 3, 10, batch=4000, horizon=3, actions=2)

    values = measure(samples)

    assert values.shape == (4000,)
    assert abs(values.mean().item()) < 4 * values.std().item() / np.sqrt(4000)


def test_distances_see_a_difference_that_means_do_not_have():
    samples = draw([0.0, 0.0], [1.0, 0.1], 500, actions=2)
    scale = torch.ones(2).double()

    assert energy_distance(samples, scale=scale).item() > 0.1
    assert squared_mmd(samples, scale=scale, bandwidth=1.0).item() > 0.05


def test_scale_makes_distances_free_of_the_unit():
    samples = draw([0.0, 1.0, 2.0], [1.0] * 3, 20, batch=2, horizon=4, actions=3)
    unit = torch.tensor([0.01, 1.0, 50.0]).double()

    torch.testing.assert_close(
        energy_distance(samples, scale=torch.ones(3).double()),
        energy_distance(samples * unit, scale=unit))
