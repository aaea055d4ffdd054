# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Predictions of stacked multilayer perceptrons, with as few operations as they can be had."""
from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from active_collection.uncertainty.ensemble import Prediction

#: From this many observations on, members are evaluated one after another: each layer's results
#: then fit a core's cache, and what a call costs no longer matters.
LARGE_BATCH = 64

#: Bounds of the predicted log-variance, in normalised action units.
LARGEST_LOG_VARIANCE = 2.0


class StackedMlps:
    """
    M multilayer perceptrons with Gaussian heads, ready to predict.

    A layer of all members is one `torch.baddbmm` over parameters of shape (M, in, out), so that
    the cost of a call hardly grows with M. The action's units are folded into the last layer.

    :param weights: of each layer, shape (M, in, out); the last has mean and raw variance, 2 A
    :param biases: of each layer, shape (M, 1, out)
    :param input_mean: shape (D,), subtracted from observations, which `input_scale` then divides
    :param action_mean: shape (A,), in action units; `action_scale` likewise
    :param variance_floor: smallest variance, in squared `action_scale`, before `variance_scale`
    :param variance_scale: shape (M, 1, A), factor of the variance
    """

    def __init__(self, *, weights: Sequence[Tensor], biases: Sequence[Tensor], input_mean: Tensor,
                 input_scale: Tensor, action_mean: Tensor, action_scale: Tensor,
                 variance_floor: float, variance_scale: Tensor) -> None:
        self._input_mean, self._input_scale = input_mean, input_scale
        self._actions = len(action_mean)
        unscaled = torch.ones_like(action_scale)
        scale = torch.cat([action_scale, unscaled])
        shift = torch.cat([action_mean, -LARGEST_LOG_VARIANCE * unscaled])
        layers = [(weight.detach(), bias.detach())
                  for weight, bias in zip(weights, biases, strict=True)]
        self._hidden = layers[:-1]
        self._head = (layers[-1][0] * scale, layers[-1][1] * scale + shift)
        unit = variance_scale * action_scale ** 2
        self._least, self._range = variance_floor * unit, math.exp(LARGEST_LOG_VARIANCE) * unit

    def embed(self, observations: Tensor) -> Tensor:
        """Return normalised observations, shape (B, D)."""
        return (observations - self._input_mean) / self._input_scale

    @torch.inference_mode()
    def predict(self, observations: Tensor) -> Prediction:
        """Return every member's mean and variance in action units; see `Members.predict`."""
        inputs = self.embed(observations)
        outputs = (self._together(inputs) if len(inputs) < LARGE_BATCH
                   else self._one_by_one(inputs))
        mean, raw = outputs[..., :self._actions], outputs[..., self._actions:]
        # exp(L - softplus(L - r)), the bounded variance, is exp(L) sigmoid(r - L)
        return Prediction(mean, torch.addcmul(self._least, self._range, raw.sigmoid()))

    def _together(self, inputs: Tensor) -> Tensor:
        weight, bias = self._head
        hidden = inputs.expand(len(weight), *inputs.shape)
        for layer, offset in self._hidden:
            hidden = torch.baddbmm(offset, hidden, layer).relu_()
        return torch.baddbmm(bias, hidden, weight)

    def _one_by_one(self, inputs: Tensor) -> Tensor:
        weight, bias = self._head
        outputs = inputs.new_empty(len(weight), len(inputs), weight.shape[2])
        for member, output in enumerate(outputs):
            hidden = inputs
            for layer, offset in self._hidden:
                hidden = torch.addmm(offset[member], hidden, layer[member]).relu_()
            torch.addmm(bias[member], hidden, weight[member], out=output)
        return outputs
