# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""How far an ensemble's uncertainty can be believed, on episodes that it has not seen."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from scipy.stats import spearmanr
from torch import Tensor

from active_collection.uncertainty.ensemble import Prediction
from active_collection.uncertainty.fitting import negative_log_likelihood
from active_collection.uncertainty.measures import aleatoric_variance
from active_collection.uncertainty.measures import epistemic_variance

#: Quantile levels at which predicted and observed shares are compared.
LEVELS = tuple(level / 20 for level in range(1, 20))


@dataclass(frozen=True)
class Calibration:
    """
    What held-out episodes say. Actions are in half-ranges: -1 is their low, 1 their high end.

    :param observations: number of observations it rests on
    :param nll: negative log-likelihood of a Gaussian with the mixture's mean and variance (nats
        a dimension)
    :param error: root mean square error of the mean action (half-ranges)
    :param calibration_error: `expected_calibration_error`, 0 to 0.5
    :param sharpness: root mean predicted variance (half-ranges)
    :param rank_correlation: Spearman's, of the epistemic variance with the squared error of the
        mean action over observations, -1 to 1
    """

    observations: int
    nll: float
    error: float
    calibration_error: float
    sharpness: float
    rank_correlation: float


def expected_calibration_error(mean: Tensor, variance: Tensor, target: Tensor) -> float:
    """
    Return the mean gap between predicted and observed shares below each quantile level.

    Kuleshov et al. 2018, "Accurate uncertainties for deep learning using calibrated regression",
    with absolute instead of squared gaps.

    :param mean: of Gaussian predictions, shape (N,); `variance` and `target` likewise
    :returns: 0 (calibrated) to 0.5
    """
    below = torch.special.ndtr((target - mean) / variance.sqrt())
    gaps = [abs((below <= level).double().mean().item() - level) for level in LEVELS]
    return float(sum(gaps) / len(gaps))


def calibrate(prediction: Prediction, target: Tensor, *, scale: Tensor) -> Calibration:
    """
    Compare predictions with the actions that were taken.

    :param prediction: of all members, in action units; of a chunk its first step counts, whose
        action every observation has
    :param target: actions, shape (B, A), in action units
    :param scale: half of each dimension's range, shape (A,), in action units
    """
    means = prediction.mean[:, :, 0] / scale
    mean, target = means.mean(0), target / scale
    epistemic = (epistemic_variance(means) if prediction.epistemic is None
                 else prediction.epistemic[:, 0] / scale ** 2)
    variance = epistemic
    if prediction.variance is not None:
        variance = epistemic + aleatoric_variance(
            prediction.variance[:, :, 0] / scale ** 2)
    variance = variance.clamp(min=1e-12)
    squared_error = (target - mean) ** 2
    rank, _ = spearmanr(epistemic.mean(1).numpy(), squared_error.mean(1).numpy())
    return Calibration(
        observations=len(target),
        nll=negative_log_likelihood(mean, variance, target).mean().item(),
        error=squared_error.mean().sqrt().item(),
        calibration_error=expected_calibration_error(
            mean.flatten(), variance.flatten(), target.flatten()),
        sharpness=variance.mean().sqrt().item(),
        rank_correlation=float(rank))
