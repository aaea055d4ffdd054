# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Look at a robot as a node of its own: who is there, what they are told, what comes."""
from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from active_collection.errors import ActiveCollectionError
from active_collection.nodes.calls import Calls
from active_collection.nodes.doctor.graph import Graph
from active_collection.nodes.doctor.observations import ObservationTrial
from active_collection.nodes.doctor.questions import Questions
from active_collection.nodes.doctor.recording import RecordingTrial
from active_collection.nodes.doctor.told import ToldTopics
from active_collection.pipeline.doctor.configured import settings_from
from active_collection.pipeline.doctor.looking import Question
from active_collection.pipeline.doctor.sighting import NodeSeen
from active_collection.pipeline.doctor.sighting import Sighting
from active_collection.recording.settings import RecorderSettings

#: Nodes of the robot that are looked for; the scheduler's name the agent knows.
OF_ROBOT = ('recorder', 'uncertainty', 'agent')
DEFAULT_SCHEDULER = '/scheduler'
#: Publishers know of a subscription a moment later than it does of them (s).
SETTLE_S = 0.7
TICK_S = 0.1


def look(question: Question, at: Callable[[str], None]) -> Sighting:
    """
    Return what is seen of a robot.

    :param at: called with what is about to be done
    """
    at('the start of ROS')
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = Node(f'_doctor_{os.getpid()}', namespace=question.robot, enable_rosout=False,
                start_parameter_services=False)
    with _spinning(node):
        at('the discovery of nodes')
        graph = Graph(node)
        graph.await_settled(
            [*(f'{question.robot}/{name}' for name in OF_ROBOT), DEFAULT_SCHEDULER])
        at('the questions to nodes')
        nodes = _nodes(node, graph, question)
        simulated = any(
            bool((each.parameters or {}).get('use_sim_time')) for each in nodes.values())
        if simulated:
            node.set_parameters([Parameter('use_sim_time', value=True)])
        at('listening to topics')
        return _listen(node, graph, nodes, question)


def _nodes(node: Node, graph: Graph, question: Question) -> dict[str, NodeSeen]:
    """Return the nodes that are looked for, asked for their parameters where they are there."""
    questions = Questions(node, Calls(threading.Event(), node))
    names = {name: f'{question.robot}/{name}' for name in OF_ROBOT}
    seen = questions.ask({key: (name, graph.count(name)) for key, name in names.items()})
    told = seen['agent'].parameters or question.parameters.get('agent', {})
    scheduler = str(told.get('scheduler') or DEFAULT_SCHEDULER)
    full = scheduler if scheduler.startswith('/') else f'{question.robot}/{scheduler}'
    return {**seen, **questions.ask({'scheduler': (full, graph.count(full))})}


def _listen(node: Node, graph: Graph, nodes: dict[str, NodeSeen],
            question: Question) -> Sighting:
    told = ToldTopics(node, scheduler=nodes['scheduler'].name)
    recorder, problem = _parameters('recorder', nodes, question), ''
    try:
        settings = settings_from(RecorderSettings, recorder, where='parameters of the recorder')
    except ActiveCollectionError as error:
        settings, problem = RecorderSettings(), str(error)
    recording = RecordingTrial(node, settings)
    ensembles = str(_parameters('uncertainty', nodes, question).get('ensembles', '')
                    or question.ensembles)
    trial = ObservationTrial.of(node, Path(ensembles)) if ensembles else None
    _let_pass(SETTLE_S, recording, trial)
    recording.begin()
    began = time.monotonic()
    _let_pass(question.seconds, recording, trial)
    heard = recording.heard()
    seen = trial.seen(recording) if trial is not None else None
    return Sighting(
        robot=question.robot, middleware=rclpy.get_rmw_implementation_identifier(),
        namespaces=graph.namespaces(), nodes=nodes, topics=graph.topics(),
        actions=graph.actions(), listened_s=time.monotonic() - began, heard=heard,
        required=recording.required, unmatched=recording.unmatched(), listed=recording.listed,
        rates=recording.rates, problems=recording.problems, settings_problem=problem,
        diagnostics=told.diagnostics(question.robot), told=told.told(), observations=seen)


def _parameters(name: str, nodes: dict[str, NodeSeen], question: Question) -> dict[str, object]:
    """Return what a node says that its parameters are, else what the question says."""
    told = nodes[name].parameters
    return told if told is not None else question.parameters.get(name, {})


def _let_pass(seconds: float, recording: RecordingTrial, trial: ObservationTrial | None) -> None:
    """Let time pass, and follow what appears meanwhile."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        recording.discover()
        if trial is not None:
            trial.poll()
        time.sleep(min(TICK_S, left))


@contextmanager
def _spinning(node: Node) -> Iterator[None]:
    """Spin the node in a thread of its own; it is a daemon, for this process does not wait."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    threading.Thread(target=executor.spin, name='executor', daemon=True).start()
    yield
