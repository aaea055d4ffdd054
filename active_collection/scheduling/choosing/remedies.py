# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What keeps a robot from tasks, in words, with the parameter, file and key to change."""
from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from active_collection.errors import shorten
from active_collection.scenario import ScenarioSpace
from active_collection.scheduling.assignment import Request
from active_collection.scheduling.choosing.collectors import BY_POLICY
from active_collection.scheduling.fleet.refusal import Cause
from active_collection.scheduling.fleet.refusal import RefusalReason
from active_collection.scheduling.fleet.refusal import listed
from active_collection.scheduling.orders import Standing


@dataclass(frozen=True, slots=True)
class Circumstances:
    """
    What was the case when a robot asked.

    :param has_policy: whether there is a trained policy
    :param stopped: tasks that a stopping criterion has ended, each with that criterion
    :param orders: of operators, that stand
    """

    request: Request
    has_policy: bool
    stopped: Mapping[str, str]
    orders: Standing


class Remedies:
    """
    Puts causes into words.

    :param where: the scenario space's file
    """

    def __init__(self, space: ScenarioSpace, where: str) -> None:
        self._space = space
        self._where = where or 'the scenario space'

    def reason(self, cause: Cause, tasks: Sequence[str], environments: Sequence[str],
               now: Circumstances) -> RefusalReason:
        """
        Return a cause in words.

        :param tasks: those that it stops, at least one
        :param environments: where it stops them
        """
        found, remedy = {
            Cause.EXCLUDED: self._excluded,
            Cause.UNREACHABLE: self._unreachable,
            Cause.CAPABILITIES: self._capabilities,
            Cause.COLLECTORS: self._collectors,
            Cause.PRECONDITIONS: self._preconditions,
            Cause.STOPPED: _stopped,
            Cause.MAXIMUM: self._maximum,
            Cause.FULL: self._full,
            Cause.BANNED: _banned,
            Cause.CAPPED: _capped,
        }[cause](tasks, environments, now)
        return RefusalReason(cause, tuple(tasks), found, remedy)

    def no_configuration(self, task: str, environment: str) -> RefusalReason:
        """Return why a task cannot be collected in an environment where all else allows it."""
        return RefusalReason(
            Cause.CONFIGURATIONS, (task,),
            f'exclusions and constraints rule out its object configurations in {environment}',
            f'change tasks.{task}.constraints or exclusions in {self._where}')

    def _excluded(self, tasks: Sequence[str], environments: Sequence[str],
                  now: Circumstances) -> tuple[str, str]:
        del environments, now
        return ('exclusions leave no environment',
                f'change exclusions or tasks.{tasks[0]}.environments in {self._where}')

    def _unreachable(self, tasks: Sequence[str], environments: Sequence[str],
                     now: Circumstances) -> tuple[str, str]:
        del tasks
        robot = shorten(now.request.robot)
        return (f'{robot} reaches none of the environments ({listed(environments)})',
                f'add it to environments.{environments[0]}.robots in {self._where}')

    def _capabilities(self, tasks: Sequence[str], environments: Sequence[str],
                      now: Circumstances) -> tuple[str, str]:
        del environments
        robot = shorten(now.request.robot)
        entry = self._space.robots.get(now.request.robot)
        has = {*now.request.capabilities, *(entry.capabilities if entry else ())}
        lacking = sorted({c for t in tasks for c in self._space.tasks[t].capabilities} - has)
        of_space = f', or to robots.{robot}.capabilities in {self._where}' if entry else ''
        return (f'{robot} lacks capabilities ({listed(lacking)})',
                f"add what it can do to the agent's parameter capabilities{of_space}")

    def _collectors(self, tasks: Sequence[str], environments: Sequence[str],
                    now: Circumstances) -> tuple[str, str]:
        del environments
        offered = now.request.collectors
        taken = list(dict.fromkeys(c for t in tasks for c in self._space.tasks[t].collectors))
        untrained = (not now.has_policy and 'policy' in offered
                     and not BY_POLICY.isdisjoint(taken))
        until = ' (no policy is trained yet)' * untrained
        return (f'{shorten(now.request.robot)} offers the collectors '
                f'{shorten(", ".join(offered))}{until}, expected one of {", ".join(taken)}',
                "add one of these to the agent's parameter collectors, or one of the robot's to "
                f'tasks.{tasks[0]}.collectors in {self._where}')

    def _preconditions(self, tasks: Sequence[str], environments: Sequence[str],
                       now: Circumstances) -> tuple[str, str]:
        del environments
        return (f'reset: none, and the scene that {shorten(now.request.robot)} left does not '
                'meet the preconditions',
                'let it collect a task with such effects first, or set '
                f'tasks.{tasks[0]}.reset to automatic or operator in {self._where}')

    def _maximum(self, tasks: Sequence[str], environments: Sequence[str],
                 now: Circumstances) -> tuple[str, str]:
        del environments, now
        return ('the maximum of episodes is reached, with those that are out '
                f'(tasks.{tasks[0]}.maximum_episodes in {self._where})', '')

    def _full(self, tasks: Sequence[str], environments: Sequence[str],
              now: Circumstances) -> tuple[str, str]:
        del tasks, now
        return (f'no room, full: {listed(environments)} '
                f'(environments.{environments[0]}.capacity in {self._where})', '')


def _stopped(tasks: Sequence[str], environments: Sequence[str],
             now: Circumstances) -> tuple[str, str]:
    del environments
    return 'stopped: ' + '; '.join(f'{task}: {now.stopped[task]}' for task in tasks), ''


def _banned(tasks: Sequence[str], environments: Sequence[str],
            now: Circumstances) -> tuple[str, str]:
    return f'banned by an operator ({listed(now.orders.signed("ban", tasks, environments))})', ''


def _capped(tasks: Sequence[str], environments: Sequence[str],
            now: Circumstances) -> tuple[str, str]:
    who = listed(now.orders.signed('cap', tasks, environments))
    return f"an operator's cap is reached ({who})", ''
