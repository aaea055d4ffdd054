# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""What a managed node makes of errors in its transitions."""
from __future__ import annotations

import pytest
from rclpy.lifecycle import TransitionCallbackReturn

from active_collection.errors import RecordingError
from active_collection.nodes.managed_node import ManagedNode


class Failing(ManagedNode):
    """Raises what it is told to, in the transition that it is told."""

    def __init__(self):
        super().__init__('failing')
        self.errors, self.cleaned = {}, 0

    def _perhaps(self, name):
        if name in self.errors:
            raise self.errors.pop(name)

    def configure(self):
        self._perhaps('configure')

    def activate(self):
        self._perhaps('activate')

    def deactivate(self):
        self._perhaps('deactivate')

    def clean_up(self):
        self.cleaned += 1
        self._perhaps('clean_up')


@pytest.fixture
def node(ros):
    node = Failing()
    yield node
    node.destroy_node()


def test_a_users_mistake_fails_the_transition_and_leaves_the_state(node):
    node.errors['configure'] = RecordingError('disk', found='full', expected='space')
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    assert node.lifecycle_state == 'unconfigured' and 'full' in str(node.failure)
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert node.failure is None and node.cleaned == 0


@pytest.mark.parametrize('transition', ['configure', 'activate', 'deactivate'])
def test_an_unexpected_error_cleans_up_and_is_remembered(node, transition, capfd):
    node.errors = {transition: ZeroDivisionError('oh'), 'clean_up': OSError('again')}
    results = [node.trigger_configure()]
    if transition != 'configure':
        results.append(node.trigger_activate())
    if transition == 'deactivate':
        results.append(node.trigger_deactivate())
    assert results[-1] == TransitionCallbackReturn.ERROR
    assert node.lifecycle_state == 'unconfigured' and node.cleaned == 1
    assert isinstance(node.failure, ZeroDivisionError)
    logged = ''.join(capfd.readouterr())
    assert f'cannot {transition}: ZeroDivisionError: oh' in logged and 'again' in logged
    node.start_by_itself()
    assert node.lifecycle_state == 'active'


def test_starting_by_itself_raises_what_went_wrong(node):
    node.errors['activate'] = RecordingError('disk', found='full', expected='space')
    with pytest.raises(RecordingError):
        node.start_by_itself()
    node.close()
    assert node.lifecycle_state == 'finalized'
    node.close()
