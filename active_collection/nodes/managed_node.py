# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""A managed (lifecycle) node whose transitions say why they fail."""
from __future__ import annotations

import traceback
from collections.abc import Callable

from lifecycle_msgs.msg import State
from rclpy.lifecycle import LifecycleNode
from rclpy.lifecycle import LifecycleState
from rclpy.lifecycle import TransitionCallbackReturn

from active_collection.errors import ActiveCollectionError
from active_collection.nodes.parameters import M
from active_collection.nodes.parameters import ParameterNode
from active_collection.nodes.rclpy_internals import lifecycle_state
from active_collection.setting import Changes

_STEADY = frozenset({State.PRIMARY_STATE_UNCONFIGURED, State.PRIMARY_STATE_INACTIVE,
                     State.PRIMARY_STATE_ACTIVE})


class ManagedNode(ParameterNode[M], LifecycleNode):
    """
    A lifecycle node; rclpy's own swallows what its transitions raise.

    A subclass overrides `configure`, `activate`, `deactivate`, `clean_up` and `stop`. An
    ActiveCollectionError in one of them fails the transition: the node stays what it was and can
    be asked again. Anything else is an error: the node is cleaned up and becomes unconfigured.
    Both are logged, and kept in `failure` until a transition succeeds.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, automatically_declare_parameters_from_overrides=True)
        self.failure: Exception | None = None
        self._raises = False

    def configure(self) -> None:
        """Get ready."""

    def activate(self) -> None:
        """Start to work."""

    def deactivate(self) -> None:
        """Cease to work."""

    def clean_up(self) -> None:
        """Give back what `configure` took; called after an error, too, whatever came of it."""

    def stop(self) -> None:
        """Cease to work and give everything back, from whatever state."""

    def refusal(self, changes: Changes) -> str:
        """Return why a parameter cannot be changed as things are; empty where it can."""
        if changes is not Changes.CONFIGURING:
            return super().refusal(changes)
        if lifecycle_state(self)[0] == State.PRIMARY_STATE_UNCONFIGURED:
            return ''
        return ('is read when the node is configured: set it in the parameter file and restart '
                'the node, or clean the node up before')

    @property
    def lifecycle_state(self) -> str:
        """Return the state that the node is in: 'active'."""
        return lifecycle_state(self)[1]

    def start_by_itself(self) -> None:
        """
        Configure and activate.

        :raises Exception: what a transition raised
        """
        self._raises = True
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS and self.failure is not None:
                raise self.failure
        self._raises = False

    def close(self) -> None:
        """End in good order, when the process does."""
        if lifecycle_state(self)[0] in _STEADY:
            self.trigger_shutdown()
        else:
            # In the middle of a transition, or shut down already.
            self.stop()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Configure."""
        return self._transition('configure', self.configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Activate."""
        return self._transition('activate', self.activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Deactivate."""
        return self._transition('deactivate', self.deactivate)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Clean up."""
        return self._transition('clean up', self.clean_up)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Shut down."""
        return self._transition('shut down', self.stop)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Clean up after an error, so that the node can be configured again."""
        try:
            self.clean_up()
        except Exception as error:  # the first error is the one to be told
            self.get_logger().error(f'clean up after an error: {type(error).__name__}: {error}')
        return TransitionCallbackReturn.SUCCESS

    def _transition(self, name: str, run: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            run()
        except ActiveCollectionError as error:
            self.failure = error
            if not self._raises:
                self.get_logger().error(f'cannot {name}: {error}')
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # whatever it is, a lifecycle manager is to know
            self.failure = error
            if not self._raises:
                self.get_logger().error(
                    f'cannot {name}: {type(error).__name__}: {error}\n{traceback.format_exc()}')
            return TransitionCallbackReturn.ERROR
        self.failure = None
        return TransitionCallbackReturn.SUCCESS
