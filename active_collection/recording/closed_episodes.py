# Copyright 2026 The active_collection contributors
# SPDX-License-Identifier: Apache-2.0
"""Look up and correct the records of closed episodes."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from active_collection.episode import JUDGED_BY
from active_collection.episode import EpisodeRecord
from active_collection.episode import Outcome
from active_collection.errors import ActiveCollectionError
from active_collection.names import is_safe_name
from active_collection.recording.metadata import replace_record
from active_collection.recording.recorder_state import EpisodeEvent
from active_collection.recording.refusals import Reason
from active_collection.recording.refusals import RefusedError
from active_collection.recording.store import EpisodeStore
from active_collection.recording.store import size_of

#: Key of the tag that says who has corrected a record last.
AMENDED_BY = 'amended_by'


class ClosedEpisodes:
    """The closed episodes of a store."""

    def __init__(self, store: EpisodeStore) -> None:
        self._store = store

    def get(self, episode_id: str) -> tuple[Path, EpisodeRecord]:
        """
        Return directory and record of a closed episode.

        :raises RefusedError: where the id is not valid or unknown, or its record is damaged
        """
        check_id(episode_id)
        try:
            found = self._store.record(episode_id)
        except ActiveCollectionError as error:
            raise RefusedError(Reason.INVALID, error.where, found=error.found,
                               expected=error.expected) from error
        if found is None:
            raise RefusedError(Reason.UNKNOWN_EPISODE, f'episode {episode_id}',
                               found='no such episode', expected='one that was recorded here')
        return found

    def amend(self, episode_id: str, *, outcome: Outcome, notes: str, author: str,
              tags: Mapping[str, str]) -> tuple[EpisodeRecord, EpisodeEvent | None]:
        """
        Correct a record; the messages are not touched.

        :param outcome: UNKNOWN leaves it
        :param notes: in place of those it has; empty leaves them
        :param author: who corrects; with an outcome, who has judged the episode
        :param tags: put beside those it has; an equal key is replaced
        :return: the record, and what is to be published where it has changed
        :raises RefusedError: where it is unknown or cannot be written
        """
        path, record = self.get(episode_id)
        new_tags = {**record.tags, **tags}
        if author and outcome is not Outcome.UNKNOWN:
            # A person who confirms what the robot thought has changed what is known.
            new_tags[JUDGED_BY] = author
        outcome = record.outcome if outcome is Outcome.UNKNOWN else outcome
        notes = notes or record.notes
        if (outcome, notes, new_tags) == (record.outcome, record.notes, dict(record.tags)):
            return record, None
        if author:
            new_tags[AMENDED_BY] = author
        amended = record.amended(outcome=outcome, notes=notes, tags=new_tags)
        try:
            replace_record(path, amended)
        except (OSError, ActiveCollectionError) as error:
            raise RefusedError(Reason.WRITE_ERROR, str(path), found=str(error),
                               expected='a directory that can be written') from error
        return amended, EpisodeEvent(amended, True, self._store.relative(path), size_of(path))


def check_id(episode_id: str) -> None:
    """
    Refuse an id that cannot be a directory's name.

    :raises RefusedError: where it cannot
    """
    if not is_safe_name(episode_id):
        raise RefusedError(Reason.INVALID, 'episode_id', found=repr(episode_id),
                           expected="1 to 64 of A-Z a-z 0-9 _ . - (and not '.' or '..')")
