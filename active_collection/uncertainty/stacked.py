# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Predictions of stacked multilayer perceptrons, with as few operations as they can be had."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from active_collection.uncertainty.ensemble import Prediction

#: From this many observations on, members are evaluated one after another: each layer's results
#: then fit a core's cache, and what a call costs no longer matters.
LARGE_BATCH = 64

#: Bounds of the predicted log-variance, in normalised action units.
LARGEST_LOG_VARIANCE = 2.0

Array = NDArray[np.float32]
T = TypeVar('T', Tensor, Array)


@dataclass(frozen=True)
class _Parameters(Generic[T]):
    """The parameters of `StackedMlps`, as tensors or as arrays."""

    input_mean: T
    input_scale: T
    hidden: list[tuple[T, T]]
    head: tuple[T, T]
    least: T
    range: T

    def arrays(self: _Parameters[Tensor]) -> _Parameters[Array]:
        """Return the same memory as arrays."""
        return _Parameters(
            self.input_mean.numpy(), self.input_scale.numpy(),
            [(weight.numpy(), bias.numpy()) for weight, bias in self.hidden],
            (self.head[0].numpy(), self.head[1].numpy()), self.least.numpy(), self.range.numpy())


class StackedMlps:
    """
    M multilayer perceptrons with Gaussian heads, ready to predict.

    A layer of all members is one batched product over parameters of shape (M, in, out), so that
    the cost of a call hardly grows with M. The first layers may be shared by all members, with
    parameters of shape (1, in, out). The action's units are folded into the last layer.

    :param weights: of each layer, shape (M, in, out) or (1, in, out); the last has mean and raw
        variance of every step and dimension, 2 H A
    :param biases: of each layer, shape (M, 1, out) or (1, 1, out)
    :param priors: number of stacked networks, the last ones, that are fixed priors of the members:
        their outputs are added to the members' (Osband et al. 2018)
    :param input_mean: shape (D,), subtracted from observations, which `input_scale` then divides
    :param action_mean: shape (A,), in action units; `action_scale` likewise
    :param horizon: steps of the action chunk H
    :param variance_floor: smallest variance, in squared `action_scale`, before `variance_scale`
    :param variance_scale: shape (M, 1, H A), factor of the variance
    """

    def __init__(self, *, weights: Sequence[Tensor], biases: Sequence[Tensor], input_mean: Tensor,
                 input_scale: Tensor, action_mean: Tensor, action_scale: Tensor,
                 variance_floor: float, variance_scale: Tensor, horizon: int = 1,
                 priors: int = 0) -> None:
        self._chunk = (horizon, len(action_mean))
        self._priors = priors
        mean, scale = action_mean.repeat(horizon), action_scale.repeat(horizon)
        unscaled = torch.ones_like(scale)
        factor = torch.cat([scale, unscaled])
        # Of a member and its prior only one has the constant.
        constant = torch.cat([mean, -LARGEST_LOG_VARIANCE * unscaled]).expand(
            biases[-1].shape).clone()
        constant[len(constant) - priors:] = 0.0
        layers = [(weight.detach().contiguous(), bias.detach().contiguous())
                  for weight, bias in zip(weights, biases, strict=True)]
        unit = variance_scale * scale ** 2
        self._tensors = _Parameters(
            input_mean=input_mean, input_scale=input_scale, hidden=layers[:-1],
            head=(layers[-1][0] * factor, layers[-1][1] * factor + constant),
            least=variance_floor * unit, range=math.exp(LARGEST_LOG_VARIANCE) * unit)
        self._arrays = self._tensors.arrays()

    def embed(self, observations: Tensor) -> Tensor:
        """Return normalised observations, shape (B, D)."""
        return (observations - self._tensors.input_mean) / self._tensors.input_scale

    @torch.inference_mode()
    def features(self, observations: Tensor) -> Tensor:
        """
        Return what the last layer sees, of networks that share all before it.

        :param observations: shape (B, D)
        :returns: shape (B, F)
        """
        hidden = self.embed(observations)
        for weight, bias in self._tensors.hidden:
            hidden = torch.addmm(bias[0], hidden, weight[0]).relu_()
        return hidden

    def predict(self, observations: Tensor) -> Prediction:
        """Return every member's mean and variance in action units; see `Members.predict`."""
        return (self._single(observations.numpy()) if len(observations) == 1
                else self._batch(observations))

    @torch.inference_mode()
    def _batch(self, observations: Tensor) -> Prediction:
        inputs = self.embed(observations)
        outputs = (self._together(inputs) if len(inputs) < LARGE_BATCH
                   else self._one_by_one(inputs))
        if self._priors:
            outputs = outputs[:-self._priors] + outputs[-self._priors:]
        mean, raw = outputs.chunk(2, dim=-1)
        # exp(L - softplus(L - r)), the bounded variance, is exp(L) sigmoid(r - L)
        variance = torch.addcmul(self._tensors.least, self._tensors.range, raw.sigmoid())
        shape = (len(outputs), len(observations), *self._chunk)
        return Prediction(mean.reshape(shape), variance.reshape(shape))

    def _together(self, inputs: Tensor) -> Tensor:
        weight, bias = self._tensors.head
        hidden = inputs[None]
        for layer, offset in self._tensors.hidden:
            hidden = _product(offset, hidden, layer).relu_()
        return _product(bias, hidden, weight)

    def _one_by_one(self, inputs: Tensor) -> Tensor:
        weight, bias = self._tensors.head
        layers = self._tensors.hidden
        shared = sum(len(layer) == 1 < len(weight) for layer, _ in layers)
        for layer, offset in layers[:shared]:
            inputs = torch.addmm(offset[0], inputs, layer[0]).relu_()
        outputs = inputs.new_empty(len(weight), len(inputs), weight.shape[2])
        for member, output in enumerate(outputs):
            hidden = inputs
            for layer, offset in layers[shared:]:
                hidden = torch.addmm(offset[member], hidden, layer[member]).relu_()
            torch.addmm(bias[member], hidden, weight[member], out=output)
        return outputs

    def _single(self, observation: Array) -> Prediction:
        """
        Predict for one observation, shape (1, D), in numpy over the same memory.

        A batched product of one row takes numpy half the time that it takes torch, and each of the
        small steps around it a fifth. What is left is the time to read the weights, once each.
        """
        arrays = self._arrays
        hidden = ((observation - arrays.input_mean) / arrays.input_scale)[None]
        for weight, bias in arrays.hidden:
            hidden = hidden @ weight
            hidden += bias
            np.maximum(hidden, 0.0, out=hidden)
        outputs = hidden @ arrays.head[0]
        outputs += arrays.head[1]
        if self._priors:
            outputs = outputs[:-self._priors] + outputs[-self._priors:]
        half = outputs.shape[2] // 2
        # exp(80) is finite, and 1 / exp(80) is nothing beside the floor
        variance = np.exp(np.minimum(-outputs[..., half:], 80.0))
        variance += 1.0
        np.divide(arrays.range, variance, out=variance)
        variance += arrays.least
        shape = (len(outputs), 1, *self._chunk)
        return Prediction(torch.from_numpy(outputs[..., :half].reshape(shape)),
                          torch.from_numpy(variance.reshape(shape)))


def _product(bias: Tensor, inputs: Tensor, weight: Tensor) -> Tensor:
    """Return inputs @ weight + bias of stacks, of which any may have one entry for all."""
    if len(weight) == 1 and len(inputs) == 1:
        return torch.addmm(bias[0], inputs[0], weight[0])[None]
    return torch.baddbmm(bias, inputs.expand(len(weight), *inputs.shape[1:]), weight)
