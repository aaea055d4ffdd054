# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Settings of training and of the uncertainty node, each checked and with its unit."""
from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic import field_validator
from pydantic import model_validator

from active_collection.config import Model
from active_collection.config import PlacedError
from active_collection.files import expanded
from active_collection.setting import Changes
from active_collection.setting import setting


class TrainingSettings(Model):
    """How an ensemble is trained. Lengths are in optimiser steps of all members at once."""

    kind: Literal['members', 'heads', 'dropout', 'laplace'] = Field(
        default='members', description="'members': networks of their own; 'heads': of one network "
        "that share all hidden layers but the last; 'dropout': draws of one network's units; "
        "'laplace': draws of one network's last layer")
    members: int = Field(
        default=5, ge=1, le=1000, description='policies in the ensemble')
    imitate: Literal['demonstrator', 'all'] = Field(
        default='demonstrator', description="of an episode that the policy began and a person "
        "finished: the person's steps, or 'all'")
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
        default=0.1, gt=0, lt=1, description='share of episodes that a member does not learn '
        'and is stopped and calibrated by; networks of their own leave out different ones')
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
        default=4000, ge=1, description='observations kept as the novelty reference at most; of '
        'held-out episodes whole ones are drawn, until they have as many, as its calibration set')
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
            raise PlacedError(
                ('prior_scale',), found=self.prior_scale,
                expected=f"0 for kind {self.kind!r}; 'members' have priors")
        return self

    @property
    def networks(self) -> int:
        """Return how many stacked networks are trained: one where members are draws of it."""
        return self.members if self.kind in {'members', 'heads'} else 1


class ThresholdSettings(Model):
    """How the threshold follows recent values, of epistemic uncertainty or of novelty."""

    measure: Literal['epistemic', 'novelty'] = setting(
        'epistemic', changes=Changes.AT_ONCE,
        description='value that the threshold is on and that raises the flag')
    budget: float = setting(
        0.1, gt=0, lt=1, changes=Changes.AT_ONCE,
        description='share of steps that may be flagged, in the long run')
    hold: int = setting(
        10, ge=1, le=100_000, unit='steps', changes=Changes.AT_ONCE,
        description='a flag is taken back once so many steps, with the last above the threshold, '
        'have passed (hysteresis): at most budget / hold new flags a step')
    window: int = setting(
        5000, ge=10, unit='steps', changes=Changes.AT_ONCE,
        description='recent steps among which the threshold is a quantile')
    minimum: int = setting(
        20, ge=1, unit='steps', changes=Changes.AT_ONCE,
        description='steps before there is a threshold')
    patience: int = setting(
        1000, ge=1, unit='steps', changes=Changes.AT_ONCE,
        description='a robot that is flagged in most of so many steps is lost, and the threshold '
        'does not follow it; longer than an ordinary episode')


class UncertaintySettings(Model):
    """Parameters of the uncertainty node."""

    ensembles: str = setting(
        '', description='directory of ensembles, of which the newest is used, or one ensemble; '
        'empty: none until load_ensemble is called')
    reload_period_s: float = setting(
        1.0, ge=0, unit='s', changes=Changes.AT_ONCE,
        description='time between two looks for a newer ensemble; 0: never')
    state_file: str = setting(
        '', description='file that keeps the recent values behind the threshold across restarts; '
        'empty: none')
    threads: int = setting(
        1, ge=1, description='threads of one prediction; more than 1 pays for large networks only')
    diagnostics_period_s: float = setting(
        1.0, gt=0, unit='s', changes=Changes.AT_ONCE,
        description='time between two diagnostic messages')
    threshold: ThresholdSettings = ThresholdSettings()

    @field_validator('ensembles', 'state_file')
    @classmethod
    def _expand_home(cls, path: str) -> str:
        return str(expanded(path)) if path else ''
