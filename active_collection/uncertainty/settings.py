# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Settings of training and of the uncertainty node, each checked and with its unit."""
from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic import field_validator
from pydantic import model_validator

from active_collection.config import Model


class TrainingSettings(Model):
    """How an ensemble is trained. Lengths are in optimiser steps of all members at once."""

    kind: Literal['members', 'heads', 'dropout', 'laplace'] = Field(
        default='members', description="'members': networks of their own; 'heads': of one network "
        "that share all hidden layers but the last; 'dropout': draws of one network's units; "
        "'laplace': draws of one network's last layer")
    members: int = Field(
        default=5, ge=1, le=1000, description='policies in the ensemble')
    horizon: int = Field(
        default=1, ge=1, le=1000, description='steps of the action chunk that a policy predicts; '
        '1: the next action only')
    measure: Literal['variance', 'mutual_information'] = Field(
        default='variance', description='what `epistemic` is computed with: normalised variance '
        'of the mean action, or mutual information of action and member')
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
    prior_scale: float = Field(
        default=0.0, ge=0, description='size of the fixed random network that is added to each '
        "member's mean, in half-ranges of the action; 0: none; kind 'members' only")
    dropout: float = Field(
        default=0.1, gt=0, lt=1, description="share of hidden units that kind 'dropout' leaves "
        'out')
    warm_start_share: float = Field(
        default=0.6, gt=0, le=1, description='of the previous weights in those that a warm start '
        'begins from; the rest is random')
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
    novelty: Literal['knn', 'mahalanobis', 'relative_mahalanobis'] = Field(
        default='knn', description='distance that novelty is: to the nearest neighbours, to the '
        'mean by the covariance, to the mean of the nearest task')
    novelty_neighbours: int = Field(
        default=5, ge=1, description='k of the k-nearest-neighbour novelty')
    novelty_reference: int = Field(
        default=4000, ge=1, description='observations kept as the novelty reference at most, and '
        'held-out ones as its calibration set')
    checkpoint_s: float = Field(
        default=10.0, ge=0, description='time between two checkpoints that a killed training goes '
        'on from (s), at looks at the held-out episodes')
    seed: int = Field(
        default=0, ge=0, lt=2**63, description='same seed, same data, same ensemble')
    device: Literal['auto', 'cpu', 'cuda'] = Field(
        default='auto', description="'auto': a GPU where there is one")
    threads: int = Field(
        default=1, ge=1, description='threads on the CPU; more pay for large networks on an idle '
        'machine only, and cost many times as much beside other processes')


    @model_validator(mode='after')
    def _priors_have_members(self) -> TrainingSettings:
        if self.prior_scale > 0 and self.kind != 'members':
            raise ValueError(f"prior_scale 0 for kind {self.kind!r}; 'members' have priors")
        return self

    @property
    def networks(self) -> int:
        """Return how many stacked networks are trained: one where members are draws of it."""
        return self.members if self.kind in {'members', 'heads'} else 1


class ThresholdSettings(Model):
    """How the threshold follows recent values, of epistemic uncertainty or of novelty."""

    measure: Literal['epistemic', 'novelty'] = Field(
        default='epistemic', description='value that the threshold is on and that raises the flag')

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
