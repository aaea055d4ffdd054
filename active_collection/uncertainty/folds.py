# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Which episodes each network of an ensemble does not learn, and is stopped and judged by."""
from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from active_collection.errors import UncertaintyError
from active_collection.uncertainty.dataset import Dataset
from active_collection.uncertainty.settings import TrainingSettings
from active_collection.uncertainty.warm_start import WarmStart

#: Networks that hold out the same fold. Two are the fewest that can disagree about an episode that
#: neither has learnt, see `out_of_fold`; more of them leave fewer to learn it.
HOLDERS = 2


@dataclass(frozen=True)
class Folds:
    """
    What is held out from whom.

    :param episodes: indices in the dataset of each fold's episodes, ascending
    :param holders: networks that do not learn each fold, ascending; as many of every fold
    """

    episodes: tuple[tuple[int, ...], ...]
    holders: tuple[tuple[int, ...], ...]

    def held_out(self, network: int) -> tuple[int, ...]:
        """Return the indices of the episodes that a network does not learn, ascending."""
        return tuple(sorted({
            episode for fold, holders in zip(self.episodes, self.holders, strict=True)
            if network in holders for episode in fold}))

    @property
    def any_held_out(self) -> tuple[int, ...]:
        """Return the indices of the episodes that not every network learns, ascending."""
        return tuple(sorted({episode for fold in self.episodes for episode in fold}))

    def none_learnt(self, networks: int) -> tuple[int, ...]:
        """Return the indices of the episodes that none of so many networks learns, ascending."""
        common = set(self.any_held_out)
        for network in range(networks):
            common &= set(self.held_out(network))
        return tuple(sorted(common))


def split(dataset: Dataset, settings: TrainingSettings,
          warm_start: WarmStart | None = None) -> Folds:
    """
    Choose what each network holds out: whole episodes, spread over the tasks as the data are.

    Networks of their own (kind 'members') stand in a ring, and every fold is held out by two that
    stand side by side: what one does not learn, others do. Networks that share layers, or that
    the members are draws of, know whatever one of them has learnt; they hold out one fold
    together, and so do two or fewer members.

    An episode's fold follows from its id, its task and the seed: a fold takes those with the
    smallest random numbers that are made of them (bottom-k sampling: Cohen and Kaplan 2007,
    "Summarizing data using bottom-k sketches"). So more episodes enlarge the folds and leave
    nearly all that is in them where it is. Each task gives its share to every fold, rounded so
    that over all folds it is out by less than one; every network learns at least one episode of
    every task. A network that would hold out nothing takes one episode all the same, and where
    there are too few for that, one that others hold out too.

    What a previous ensemble held out stays with those that held it out, and only episodes that it
    has not learnt are chosen beside. An episode that is drawn as several tasks is held out as all.

    :raises UncertaintyError: where there are fewer than two episodes
    """
    task = {e.episode_id: e.task for e in reversed(dataset.episodes)}
    if len(task) < 2:
        raise UncertaintyError('episodes', found=f'{len(task)} with demonstrations',
                               expected='at least 2, one of which is held out')
    chosen = _Split(settings, task)
    chosen.keep(warm_start)
    chosen.share_out()
    chosen.complete()
    return Folds(
        tuple(tuple(k for k, e in enumerate(dataset.episodes) if e.episode_id in fold)
              for fold in chosen.folds),
        chosen.holders)


class _Split:
    """
    A split in the making, of episodes by their ids.

    :param task: of each episode
    """

    def __init__(self, settings: TrainingSettings, task: Mapping[str, str]) -> None:
        networks = settings.networks
        count = networks if settings.kind == 'members' and networks > HOLDERS else 1
        self.holders = tuple(
            tuple(sorted((fold + k) % networks for k in range(HOLDERS if count > 1 else networks)))
            for fold in range(count))
        self.folds: list[set[str]] = [set() for _ in range(count)]
        self._share = settings.held_out if count == 1 else min(
            settings.held_out / HOLDERS, 1 / count)
        self._seed = settings.seed
        self._task = task
        self._free = set(task)

    def keep(self, previous: WarmStart | None) -> None:
        """Take over the folds of a previous ensemble, and free only what it has not learnt."""
        if previous is None:
            return
        unknown = set(self._task) - previous.trained_on
        if len(previous.folds) == len(self.folds):
            for fold, before in zip(self.folds, previous.folds, strict=True):
                for episode_id in self._ranked(before & set(self._task), 'kept'):
                    if self._leaves_one(fold, episode_id):
                        fold.add(episode_id)
            unknown -= frozenset().union(*previous.folds)
        self._free = unknown

    def share_out(self) -> None:
        """Give every fold its share of each task's free episodes."""
        tasks: dict[str, set[str]] = {}
        for episode_id in self._free:
            tasks.setdefault(self._task[episode_id], set()).add(episode_id)
        for task, free in sorted(tasks.items()):
            for number, wanted in enumerate(self._quotas(task, len(free))):
                taken = self._ranked(free, number)[:wanted] if wanted else []
                self.folds[number].update(taken)
                free.difference_update(taken)

    def complete(self) -> None:
        """Let every network hold out something, if need be what another holds out already."""
        for network in range(max(map(max, self.holders)) + 1):
            if not self._held_out(network):
                fold = self.folds[network % len(self.folds)]
                taken = frozenset().union(*self.folds)
                pools = self._free - taken, set(self._task) - taken, set(self._task)
                fold.add(next(
                    episode_id for pool in pools for episode_id in self._ranked(pool, network)
                    if self._leaves_one(fold, episode_id)))

    def _quotas(self, task: str, episodes: int) -> list[int]:
        """
        Return how many of a task's episodes each fold gets.

        floor(share n + (u + k) / F) for the F folds k = 0, 1, ... sums to floor(F share n + u),
        Hermite's identity, with u from 0 to 1; which fold is k = 0 differs from task to task.
        """
        count = len(self.folds)
        start = _number(self._seed, 'quota', task)
        turn = int(_number(self._seed, 'turn', task) * count)
        quotas = [
            math.floor(self._share * episodes + (start + (fold + turn) % count) / count)
            for fold in range(count)]
        if count == 1:
            return [min(quotas[0], episodes - 1)]
        for network in range(count):
            held = [fold for fold, holders in enumerate(self.holders) if network in holders]
            while sum(quotas[fold] for fold in held) >= episodes:
                quotas[max(held, key=lambda fold: quotas[fold])] -= 1
        return quotas

    def _held_out(self, network: int) -> set[str]:
        return {episode_id for fold, holders in zip(self.folds, self.holders, strict=True)
                if network in holders for episode_id in fold}

    def _leaves_one(self, fold: AbstractSet[str], episode_id: str) -> bool:
        """Tell whether every network learns something once a fold has an episode more."""
        place = next(k for k, each in enumerate(self.folds) if each is fold)
        return all(len(self._held_out(network) | {episode_id}) < len(self._task)
                   for network in self.holders[place])

    def _ranked(self, episodes: Iterable[str], salt: object) -> Sequence[str]:
        """Return episodes in an order that is random, and that no other episode changes."""
        return sorted(episodes, key=lambda e: (_number(self._seed, salt, e), e))


def _number(seed: int, salt: object, name: str) -> float:
    """Return a random number, 0 to 1, that follows from its arguments."""
    digest = hashlib.blake2b(f'{seed} {salt} {name}'.encode(), digest_size=6).digest()
    return int.from_bytes(digest, 'big') / 2 ** 48
