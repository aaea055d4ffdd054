# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Settings of training and of the uncertainty node, each checked and with its unit."""
from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic import field_validator

from active_collection.config import Model


class TrainingSettings(Model):
    """How an ensemble is trained. Lengths are in optimiser steps of all members at once."""

    members: int = Field(
        default=5, ge=1, le=1000, description='policies in the ensemble')
    hidden: tuple[int, ...] = Field(
        default=(128, 128), min_length=1, description='width of each hidden layer')
    steps: int = Field(default=2000, ge=1, description='optimiser steps at most')
    batch_size: int = Field(default=128, ge=1, description='observations a member and step')
    learning_rate: float = Field(
        default=1e-3, gt=0, description='of AdamW at the start; falls to 0 along a cosine')
    weight_decay: float = Field(default=1e-4, ge=0, description='of AdamW, decoupled')
    input_noise: float = Field(
        default=0.01, ge=0, description='standard deviation of the noise added to normalised '
        'inputs during training')
    bootstrap: Literal['episodes', 'none'] = Field(
        default='none', description="'episodes': each member learns from as many episodes, "
        "drawn with replacement; 'none': members differ in their initial weights and batches")
    held_out: float = Field(
        default=0.1, gt=0, lt=1, description='share of episodes that is kept for early stopping '
        'and calibration')
    check_every: int = Field(
        default=100, ge=1, description='steps between two looks at the held-out episodes')
    patience: int = Field(
        default=10, ge=1, description='looks without a better held-out loss after which a member '
        'stops')
    variance_floor: float = Field(
        default=1e-4, gt=0, description='smallest predicted variance, in normalised action units')
    nll_beta: float = Field(
        default=0.5, ge=0, le=1, description='weight of each step by its predicted variance to '
        'this power: 0 is the plain likelihood, 1 learns means as least squares does')
    novelty_neighbours: int = Field(
        default=5, ge=1, description='k of the k-nearest-neighbour novelty')
    novelty_reference: int = Field(
        default=4000, ge=1, description='observations kept as the novelty reference at most')
    seed: int = Field(
        default=0, ge=0, lt=2**63, description='same seed, same data, same ensemble')
    device: Literal['auto', 'cpu', 'cuda'] = Field(
        default='auto', description="'auto': a GPU where there is one")
    threads: int = Field(
        default=1, ge=1, description='threads on the CPU; more pay for large networks on an idle '
        'machine only, and cost many times as much beside other processes')


class ThresholdSettings(Model):
    """How the threshold on epistemic uncertainty follows recent values."""

    budget: float = Field(
        default=0.1, gt=0, lt=1, description='share of steps that may be flagged')
    window: int = Field(
        default=5000, ge=10, description='recent steps whose quantile is the threshold')
    minimum: int = Field(
        default=100, ge=1, description='steps before there is a threshold')
    release: float = Field(
        default=0.8, gt=0, le=1, description='a flag is taken back below this share of the '
        'threshold (hysteresis)')


class UncertaintySettings(Model):
    """Parameters of the uncertainty node."""

    ensembles: str = Field(
        default='', description='directory of ensembles, of which the newest is used, or one '
        'ensemble; empty: none until load_ensemble is called')
    reload_period_s: float = Field(
        default=1.0, ge=0, description='time between two looks for a newer ensemble (s); 0: never')
    state_file: str = Field(
        default='', description='file that keeps the recent values behind the threshold across '
        'restarts; empty: none')
    threads: int = Field(
        default=1, ge=1, description='threads of one prediction; more than 1 pays for large '
        'networks only')
    diagnostics_period_s: float = Field(
        default=1.0, gt=0, description='time between two diagnostic messages (s)')
    threshold: ThresholdSettings = ThresholdSettings()

    @field_validator('ensembles', 'state_file')
    @classmethod
    def _expand_home(cls, path: str) -> str:
        return str(Path(path).expanduser()) if path else ''
