# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""The services of the node `recorder`: start, finish, amend and list episodes."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from active_collection.episode import Outcome
from active_collection.episode import Source
from active_collection.episode import StopReason
from active_collection.errors import ActiveCollectionError
from active_collection.msg import Episode
from active_collection.nodes import conversions
from active_collection.nodes.recorder.recorder_session import RecorderSession
from active_collection.recording.open_episode import StartRequest
from active_collection.recording.recorder_state import EpisodeEvent
from active_collection.recording.refusals import Reason
from active_collection.recording.refusals import RefusedError
from active_collection.srv import AmendEpisode
from active_collection.srv import FinishEpisode
from active_collection.srv import ListEpisodes
from active_collection.srv import StartEpisode

START_CODES = {
    Reason.BUSY: StartEpisode.Response.BUSY,
    Reason.DUPLICATE: StartEpisode.Response.DUPLICATE,
    Reason.INVALID: StartEpisode.Response.INVALID,
    Reason.MISSING_TOPICS: StartEpisode.Response.MISSING_TOPICS,
    Reason.NO_SPACE: StartEpisode.Response.NO_SPACE,
}
FINISH_CODES = {
    Reason.UNKNOWN_EPISODE: FinishEpisode.Response.UNKNOWN_EPISODE,
    Reason.WRITE_ERROR: FinishEpisode.Response.WRITE_ERROR,
}
AMEND_CODES = {
    Reason.UNKNOWN_EPISODE: AmendEpisode.Response.UNKNOWN_EPISODE,
    Reason.STILL_RECORDING: AmendEpisode.Response.STILL_RECORDING,
    Reason.WRITE_ERROR: AmendEpisode.Response.WRITE_ERROR,
}


class RecorderServices:
    """
    Answers the services, whatever state the node is in.

    :param session: returns what the node is configured with, if it is
    :param group: callbacks that open and close episodes, which must not run at the same time
    :param listing: callbacks that read the index of episodes, and may wait for the disk
    """

    def __init__(self, node: Node, session: Callable[[], RecorderSession | None], *,
                 group: CallbackGroup, listing: CallbackGroup) -> None:
        self._node = node
        self._session = session
        for kind, name, callback, callbacks in (
                (StartEpisode, 'start_episode', self._start, group),
                (FinishEpisode, 'finish_episode', self._finish, group),
                (AmendEpisode, 'amend_episode', self._amend, group),
                (ListEpisodes, 'list_episodes', self._list, listing)):
            node.create_service(kind, f'~/{name}', callback, callback_group=callbacks)

    def _start(self, request: Any, response: Any) -> Any:
        session = self._session()
        try:
            asked = _start_request(request)
            session = _configured(session)
            if not session.recorder.open_episode_id:
                asked = session.matched(asked)
            record = session.recorder.start(asked)
        except RefusedError as refusal:
            response.code = START_CODES.get(refusal.reason, StartEpisode.Response.UNAVAILABLE)
            response.message = str(refusal)
            response.episode_id = request.episode_id
            if session is not None:
                response.missing_topics = session.unmatched()
                if refusal.reason is Reason.BUSY:
                    response.episode_id = session.recorder.open_episode_id
        except ActiveCollectionError as error:
            response.code, response.message = StartEpisode.Response.INVALID, str(error)
        else:
            response.code = StartEpisode.Response.ACCEPTED
            response.episode_id = record.episode_id
            response.missing_topics = list(record.missing_topics)
        if response.message:
            self._node.get_logger().warning(f'start_episode refused: {response.message}')
        return response

    def _finish(self, request: Any, response: Any) -> Any:
        try:
            session = _configured(self._session())
            outcome = _outcome(request.outcome)
            stop_reason = _member(
                StopReason, request.stop_reason or StopReason.FINISHED.value, 'stop_reason')
            session.drain()
            record = session.recorder.finish(
                request.episode_id, outcome=outcome, stop_reason=stop_reason,
                notes=request.notes, tags=_tags(request))
        except RefusedError as refusal:
            response.code = FINISH_CODES.get(refusal.reason, FinishEpisode.Response.INVALID)
            response.message = str(refusal)
        except ActiveCollectionError as error:
            response.code, response.message = FinishEpisode.Response.INVALID, str(error)
        else:
            failed = record.stop_reason is StopReason.WRITE_ERROR
            response.code = (FinishEpisode.Response.WRITE_ERROR if failed
                             else FinishEpisode.Response.ACCEPTED)
            response.message = record.notes if failed else ''
            response.episode = episode_message(session.recorder.event_of(record))
        return response

    def _amend(self, request: Any, response: Any) -> Any:
        try:
            session = _configured(self._session())
            record = session.recorder.amend(
                request.episode_id, outcome=_outcome(request.outcome), notes=request.notes,
                author=request.author, tags=_tags(request))
        except RefusedError as refusal:
            response.code = AMEND_CODES.get(refusal.reason, AmendEpisode.Response.INVALID)
            response.message = str(refusal)
        except ActiveCollectionError as error:
            response.code, response.message = AmendEpisode.Response.INVALID, str(error)
        else:
            response.code = AmendEpisode.Response.ACCEPTED
            response.episode = episode_message(session.recorder.event_of(record))
        return response

    def _list(self, request: Any, response: Any) -> Any:
        try:
            page = _configured(self._session()).index.since(
                request.store_id, request.after, limit=request.limit)
        except ActiveCollectionError as error:
            response.code, response.message = ListEpisodes.Response.UNAVAILABLE, str(error)
        else:
            response.store_id, response.next = page.store_id, page.next
            response.has_more = page.has_more
            response.episodes = [episode_message(event) for event in page.events]
        return response


def episode_message(event: EpisodeEvent) -> Episode:
    """Return what is published of an episode."""
    state = Episode.CLOSED if event.closed else Episode.RECORDING
    return conversions.episode_to_msg(
        event.record, state=state, path=event.path, size=event.size)


def _configured(session: RecorderSession | None) -> RecorderSession:
    if session is None:
        raise RefusedError(Reason.UNAVAILABLE, 'recorder', found='unconfigured',
                           expected='a node that its lifecycle manager has configured')
    return session


def _start_request(request: Any) -> StartRequest:
    return StartRequest(
        scenario=conversions.scenario_from_msg(request.scenario),
        source=_member(Source, request.source, 'source'), episode_id=request.episode_id,
        assignment_id=request.assignment_id, operator=request.operator_name,
        notes=request.notes, tags=_tags(request),
        allow_missing_topics=request.allow_missing_topics,
        time_limit_s=max(0.0, conversions.duration_to_s(request.time_limit)))


def _member(kind: Callable[[str], Any], text: str, where: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        values = ', '.join(member.value for member in kind)  # type: ignore[attr-defined]
        raise RefusedError(Reason.INVALID, where, found=repr(text),
                           expected=f'one of {values}') from None


def _tags(request: Any) -> dict[str, str]:
    return {tag.key: tag.value for tag in request.tags}


def _outcome(number: int) -> Outcome:
    outcome = conversions.OUTCOME_FROM_MSG.get(number)
    if outcome is None:
        raise RefusedError(Reason.INVALID, 'outcome', found=number,
                           expected='one of the outcomes of active_collection/msg/Episode')
    return outcome
