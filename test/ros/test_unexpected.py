# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Services answer whatever happens in them, and the node says what did."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest
from active_collection.srv import RequestAssignment
from active_collection.srv import StartEpisode
from diagnostic_msgs.msg import DiagnosticArray
from diagnostic_msgs.msg import DiagnosticStatus
from recorder_peers import wait_for
from std_srvs.srv import Trigger

from active_collection.nodes import qos

PROGRAM = textwrap.dedent("""
    import sys
    import threading
    from active_collection.config import Model
    from active_collection.nodes.parameters import ParameterNode
    from active_collection.nodes.run import run
    from active_collection.nodes.scheduler.batched_service import BatchedService
    from active_collection.srv import RequestAssignment, StartEpisode
    from std_srvs.srv import Trigger

    class Probe(ParameterNode):
        def __init__(self):
            super().__init__('probe', automatically_declare_parameters_from_overrides=True)
            self.declare_settings(Model)
            self.create_service(Trigger, '~/plain', self.fail)
            self.create_service(Trigger, '~/later', self.fail_later)
            self.create_service(StartEpisode, '~/start', self.fail)
            BatchedService(self, RequestAssignment, '~/batched', answer=self.fail_all,
                           window_s=0.3, most=8)

        def fail(self, request, response):
            response.message = 'half done'
            raise RuntimeError('nobody thought of this')

        async def fail_later(self, request, response):
            raise RuntimeError('nobody thought of this')

        def fail_all(self, requests):
            print('together', len(requests), flush=True)
            raise RuntimeError('nobody thought of this')

    sys.exit(run(Probe))
""")
REASON = 'RuntimeError: nobody thought of this'


@pytest.fixture
def probe(peer, tmp_path):
    """Start the program in the peer's namespace; end it whatever happens."""
    path = tmp_path / 'probe.py'
    path.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, str(path), '--ros-args', '-r', f'__ns:={peer.get_namespace()}'],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_every_service_answers_with_the_reason_and_the_node_goes_on(peer, probe):
    reports = []
    peer.create_subscription(
        DiagnosticArray, '/diagnostics',
        lambda array: reports.extend(
            s for s in array.status if s.name.startswith(peer.get_namespace())),
        qos.DIAGNOSTICS)

    def ask(kind, name, count=1):
        client = peer.create_client(kind, f'probe/{name}')
        assert client.wait_for_service(30.0)
        answers = [client.call_async(kind.Request()) for _ in range(count)]
        wait_for(lambda: all(answer.done() for answer in answers), 'answers')
        return [answer.result() for answer in answers]

    for name in ('plain', 'later'):
        [answer] = ask(Trigger, name)
        assert (answer.success, answer.message) == (False, f'~/{name}: {REASON}')
    [answer] = ask(StartEpisode, 'start')
    assert (answer.code, answer.message) == (
        StartEpisode.Response.UNAVAILABLE, f'~/start: {REASON}')
    for answer in ask(RequestAssignment, 'batched', 3):
        assert (answer.code, answer.message) == (
            RequestAssignment.Response.UNAVAILABLE, f'~/batched: {REASON}')

    wait_for(lambda: reports, 'a report')
    assert reports[-1].name == f'{peer.get_namespace()}/probe: errors'
    assert reports[-1].level == DiagnosticStatus.ERROR
    assert reports[-1].message.startswith('unexpected errors, last: ~/')
    ask(Trigger, 'plain')
    probe.send_signal(signal.SIGTERM)
    _, err = probe.communicate(timeout=60)
    assert probe.returncode == 0
    assert err.count('Traceback') == 4  # one a service, however often it is asked
